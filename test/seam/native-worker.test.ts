/** A worker terminated in the middle of codec operations, 100 times, on every Node of the matrix. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native, nativeStatus } from '../../lib/native/load.ts';
import { testNodes } from './test-nodes.ts';

const ROUNDS = 100;
const GROWTH_BYTES = 32 << 20;
// Hundreds of workers would write a coverage file each, of code that other tests cover.
const { NODE_V8_COVERAGE: _, ...env } = process.env;
const child = fileURLToPath(new URL('native-worker-child.js', import.meta.url));

if (native.codec.abilities.fastXxh3) {
  test.serial('a process that exits in mid-operation exits cleanly', async (t) => {
    for (const node of testNodes()) {
      for (let round = 0; round < 5; round += 1) {
        const { stdout } = await promisify(execFile)(node, [child, 'exit'], { timeout: 30_000 });
        t.is(stdout, 'busy\n', node);
      }
    }
  });

  for (const node of testNodes()) {
    test.serial(
      `terminating ${ROUNDS} workers in mid-operation neither crashes nor leaks (${node})`,
      async (t) => {
        t.timeout(240_000);
        const args = ['--expose-gc', child, String(ROUNDS)];
        const { stdout } = await promisify(execFile)(node, args, { timeout: 230_000, env });
        const report = JSON.parse(stdout);
        t.is(report.tier, native.tier);
        t.is(report.rounds, ROUNDS);
        t.true(report.works);
        t.true(report.grownBytes < GROWTH_BYTES, `RSS grew by ${report.grownBytes} bytes`);
      },
    );
  }
} else {
  test('there is no addon whose workers could be terminated', (t) => {
    t.is(nativeStatus().tier, 'portable');
  });
}
