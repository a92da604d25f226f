/** Incident: a store written with the addon could not be opened where the addon did not load. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { testNodes } from '../seam/test-nodes.ts';

const child = fileURLToPath(new URL('tier-store-child.js', import.meta.url));

/** What this process was started with, so that the first tier is the one loaded here. */
const usual = process.env['DWCP_NATIVE'] ?? 'prefer';

interface Visit {
  readonly node: string;
  readonly env: string;
  readonly path: string;
  readonly versions: readonly [found: number, reached: number];
}

interface Report {
  readonly tier?: string;
  readonly wrong?: readonly string[];
  readonly error?: string;
}

/** Opens the store in a process of its own, reads, writes on, closes. */
async function visit({ node, env, path, versions }: Visit): Promise<Report> {
  const options = { env: { ...process.env, DWCP_NATIVE: env }, timeout: 60_000 };
  const args = [child, path, ...versions.map(String)];
  const run = promisify(execFile)(node, args, options);
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return JSON.parse(stdout);
}

for (const node of testNodes()) {
  test.serial(`a store changes tier with everything in it: ${node}`, async (t) => {
    const path = await mkdtemp(join(tmpdir(), 'dwcp-tier-'));
    t.teardown(() => rm(path, { recursive: true, force: true }));
    const written = await visit({ node, env: usual, path, versions: [0, 4] });
    t.deepEqual(written, { tier: native.tier, wrong: [] });
    const portable = await visit({ node, env: 'off', path, versions: [4, 7] });
    t.deepEqual(portable, { tier: 'portable', wrong: [] });
    const back = await visit({ node, env: usual, path, versions: [7, 9] });
    t.deepEqual(back, { tier: native.tier, wrong: [] });
    const again = await visit({ node, env: 'off', path, versions: [9, 9] });
    t.deepEqual(again, { tier: 'portable', wrong: [] });
  });
}
