/** A worker that owns a node is terminated in the middle of its work, 100 times, on every Node of the matrix. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { nativeStatus } from '../../lib/index.ts';
import { testNodes } from '../seam/test-nodes.ts';

const [own, , lts, current] = testNodes();
const nodes = [own, lts, current].filter((path) => path !== undefined);
const child = fileURLToPath(new URL('fixtures/node-worker.js', import.meta.url));
const maxGrowthBytes = 48 * 2 ** 20;

for (const node of nodes) {
  test.serial(
    `a worker that owns a node dies in mid-write 100 times without harm (${node})`,
    async (t) => {
      t.timeout(290_000);
      const folder = mkdtempSync(join(tmpdir(), 'dwcp-worker-'));
      t.teardown(() => rmSync(folder, { recursive: true, force: true }));
      const run = promisify(execFile)(node, ['--expose-gc', child, '100', folder], {
        timeout: 280_000,
      });
      const report = JSON.parse((await run).stdout) as Record<string, unknown>;
      t.is(report['rounds'], 100);
      t.is(report['tier'], nativeStatus().tier);
      t.true(
        Number(report['grownBytes']) < maxGrowthBytes,
        `RSS grew by ${String(report['grownBytes'])} B`,
      );
    },
  );
}
