/** The command line: exit codes, help, `bench` and its model, the demo's fallback data. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { generateVersions } from '../../lib/cli/demo/generated-data.ts';
import { bytesText, msText, quantile, timesText } from '../../lib/cli/format.ts';
import { slowStartRounds, transferMs } from '../../lib/cli/slow-start.ts';

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function dwcp(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } };
    const child = execFile(process.execPath, [main, ...args], options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test('wrong use ends with 2 and points to help; asking for help ends with 0', async (t) => {
  const wrong = [['nothing'], ['bench', '--no-such'], ['bench', 'one-file'], ['node'], []];
  for (const { code, stdout, stderr } of await Promise.all(wrong.map((args) => dwcp(args)))) {
    t.is(code, 2, stderr);
    t.regex(stdout + stderr, /--help/);
  }
  const asked = [['--help'], ['bench', '--help'], ['demo', '-h'], ['--version']];
  for (const { code, stdout } of await Promise.all(asked.map((args) => dwcp(args)))) {
    t.is(code, 0, stdout);
    t.regex(stdout, /Usage:|^\d+\.\d+\.\d+\n$/);
  }
});

test('a file that is not there ends with 1 and is named', async (t) => {
  const { code, stderr } = await dwcp(['bench', 'no-such-1.json', 'no-such-2.json']);
  t.is(code, 1);
  t.regex(stderr, /no-such-1\.json/);
});

test('bench measures every way on the files given and says what this tier cannot do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-bench-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const lines = Array.from({ length: 3000 }, (_, i) => `${i}: ${Math.imul(i, 2654435761) >>> 0}`);
  const files = [0, 1, 2].map((version) => {
    lines[version * 7] = `changed in version ${version}`;
    const path = join(folder, `v${version}`);
    writeFileSync(path, lines.join('\n'));
    return path;
  });
  for (const tier of ['prefer', 'off']) {
    const { code, stdout } = await dwcp(['bench', ...files, '--json'], { DWCP_NATIVE: tier });
    t.is(code, 0);
    const { rows } = JSON.parse(stdout) as { rows: Record<string, unknown>[] };
    t.is(rows.length, 5);
    const [raw, gzip, ...others] = rows as { updateBytes: number; unavailable?: string }[];
    t.true(gzip!.updateBytes < raw!.updateBytes);
    t.true(others.at(-1)!.updateBytes < gzip!.updateBytes / 10, 'a delta is small');
    for (const row of others) t.true(row.updateBytes > 0 || typeof row.unavailable === 'string');
  }
});

test('plain output carries no escape codes when it is not a terminal', async (t) => {
  const { stdout } = await dwcp(['bench', main, main], { NO_COLOR: '1' });
  t.false(stdout.includes('\u001B'));
});

test('slow start: ten segments in the first round, doubling, then the rate of the path', (t) => {
  t.is(slowStartRounds(1), 1);
  t.is(slowStartRounds(14_600), 1);
  t.is(slowStartRounds(14_601), 2);
  t.is(slowStartRounds(3 * 14_600), 2);
  t.is(slowStartRounds(3 * 14_600 + 1), 3);
  t.is(Math.round(transferMs(1000, 80, 1_000)), 40);
  t.is(Math.round(transferMs(20_000, 80, 1_000)), 120);
});

test('numbers read in three digits with their unit last', (t) => {
  t.is(bytesText(512), '512 B');
  t.is(bytesText(999_600), '1.00 MB');
  t.is(bytesText(73_812), '73.8 kB');
  t.is(msText(1.23), '1.2 ms');
  t.is(msText(12_345), '12 s');
  t.is(timesText(1519.6), '1,520×');
  t.is(quantile([1, 2, 3, 4], 0.5), 2);
  t.is(quantile([1, 2, 3, 4], 0.99), 4);
});

test('generated versions are the same at every run and differ a little from one to the next', (t) => {
  const [first, second] = [generateVersions(2), generateVersions(2)];
  t.true(first[0]!.equals(second[0]!) && first[1]!.equals(second[1]!));
  t.false(first[0]!.equals(first[1]!));
  t.true(first[0]!.length > 5e6 && first[1]!.length > first[0]!.length);
});
