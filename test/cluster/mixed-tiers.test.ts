/**
 * Nodes with the addon and without it, on different Node versions, hold the same state: values written on
 * each reach the others as deltas both sides can read.
 */
import { createHash } from 'node:crypto';
import test from 'ava';
import { nativeStatus } from '../../lib/index.ts';
import { seededRandom } from '../../lib/random.ts';
import { NodeProcess } from './fixtures/node-process.ts';

const [, lts] = (process.env['DWCP_TEST_NODES'] ?? '').split(':');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Successive versions of a 1 MB text: each edits a few lines of the one before. */
function versions(seed: number, count: number): Buffer[] {
  const random = seededRandom(seed);
  const word = (): string => Math.floor(random.next() * 1e9).toString(36);
  const lines = Array.from({ length: 30_000 }, (_, i) => `"${i}": "${word()} ${word()} ${word()}"`);
  return Array.from({ length: count }, () => {
    for (let i = 0; i < 20; i += 1) lines[Math.floor(random.next() * lines.length)] = word();
    return Buffer.from(lines.join(',\n'));
  });
}

test('the best tier, portable Node 20 and a portable current LTS converge on the same digests', async (t) => {
  t.timeout(90_000);
  const tiers = [
    { nodeId: 'best', env: { DWCP_NATIVE: 'prefer' } },
    { nodeId: 'portable', env: { DWCP_NATIVE: 'off' } },
    { nodeId: 'portable-lts', env: { DWCP_NATIVE: 'off' }, ...(lts && { execPath: lts }) },
  ];
  t.truthy(lts, 'the Node matrix is set up by `npm test` in DWCP_TEST_NODES');
  const nodes = tiers.map((tier) => ({ ...tier, process: new NodeProcess(tier) }));
  t.teardown(() => Promise.all(nodes.map(({ process }) => process.kill())));
  const seeds: { host: string; port: number }[] = [];
  for (const { nodeId, process } of nodes) {
    seeds.push(await process.run('start', { region: 'eu', nodeId, seeds: [...seeds] }));
  }
  await Promise.all(nodes.map(({ process }) => process.run('linked', 2)));

  for (const [i, { nodeId, process }] of nodes.entries()) {
    for (const value of versions(i + 1, 4)) {
      await process.run('put', 'state', nodeId, value.toString('base64'));
      const expected = sha256(value);
      const seen = await Promise.all(
        nodes.map((node) => node.process.run('hash', 'state', nodeId, expected)),
      );
      t.deepEqual(seen, [expected, expected, expected], `written on ${nodeId}`);
    }
  }

  const status = await Promise.all(nodes.map(({ process }) => process.run('status')));
  t.deepEqual(
    status.map(({ native }) => native.tier),
    [nativeStatus().tier, 'portable', 'portable'],
  );
  for (const { nodeId, peers } of status) {
    const sentBytes = peers.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
    t.true(
      sentBytes < 2 * 1.2 * 1_000_000,
      `${nodeId} sent ${sentBytes} B: later versions go as deltas`,
    );
  }
});
