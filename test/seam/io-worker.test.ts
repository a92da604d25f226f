/** A worker terminated, and a process left, in mid-transfer, on every tier and every Node of the matrix. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { native } from '../../lib/native/load.ts';
import { testNodes } from './test-nodes.ts';

const rounds = 60;
const growthBytes = 32 << 20;
const { NODE_V8_COVERAGE: _, ...env } = process.env;
const child = fileURLToPath(new URL('io-worker-child.js', import.meta.url));

/** Runs the child on a tier; on a machine that forbids the ring, the ladder picks what there is. */
const run = (node: string, tier: string, ...args: string[]): Promise<{ stdout: string }> =>
  promisify(execFile)(node, args, {
    timeout: 110_000,
    env: { ...env, DWCP_IO: tier === 'best' ? '' : tier },
  });

for (const node of testNodes()) {
  for (const tier of native.io ? ['best', 'epoll', 'net'] : ['net']) {
    test.serial(
      `terminating workers in mid-transfer costs nothing (${tier}, ${node})`,
      async (t) => {
        t.timeout(120_000);
        const { stdout } = await run(node, tier, '--expose-gc', child, String(rounds));
        const report = JSON.parse(stdout);
        t.is(report.rounds, rounds);
        t.true(report.grownBytes < growthBytes, `RSS grew by ${report.grownBytes} bytes`);
        t.true(report.grownFiles <= 0, `${report.grownFiles} descriptors more`);
      },
    );

    test.serial(
      `a process that exits in mid-transfer exits cleanly (${tier}, ${node})`,
      async (t) => {
        for (let round = 0; round < 5; round++) {
          const { stdout } = await run(node, tier, child, 'exit');
          t.is(stdout, 'busy\n');
        }
      },
    );
  }
}
