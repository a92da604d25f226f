/** A peer that dies without a word is noticed by TCP's keepalive on every tier, while nothing is sent. */
import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native } from '../../lib/native/load.ts';

const child = fileURLToPath(new URL('keepalive-child.js', import.meta.url));
const keepAliveMs = 1_000;
/** Ten answers missing, a second apart, and one of slack for each end. */
const latestMs = keepAliveMs + 10_000 + 4_000;

/** Words before a command that give it a network of its own, or undefined. */
const ownNetwork = [
  ['unshare', '--net'],
  ['unshare', '--map-root-user', '--net'],
].find(
  ([command, ...args]) =>
    spawnSync(command!, [...args, 'ip', 'link', 'set', 'lo', 'up']).status === 0,
);

if (ownNetwork) {
  const [command, ...args] = ownNetwork;
  for (const tier of native.io ? ['net', 'epoll', 'best'] : ['net']) {
    test(`${tier}: pipes whose peers are dead end with ETIMEDOUT, unasked`, async (t) => {
      t.timeout(60_000);
      const { stdout } = await promisify(execFile)(
        command!,
        [...args, process.execPath, child, String(keepAliveMs)],
        { env: { ...process.env, DWCP_IO: tier === 'best' ? '' : tier }, timeout: 50_000 },
      );
      const report = JSON.parse(stdout);
      if (tier !== 'best') t.is(report.tier, tier);
      t.deepEqual(report.codes, ['ETIMEDOUT', 'ETIMEDOUT']);
      t.true(report.tookMs > keepAliveMs && report.tookMs < latestMs, stdout);
    });
  }
} else {
  test.skip('dead peers: needs root or user namespaces, and iproute2', () => {});
}
