/**
 * The demo's judged figures as ratios: wire bytes against zstd -3 of the same values, time-to-fresh
 * against the round trip, the worst call against 250 ms, and counts that must be zero. One run of
 * `dwcp demo --json`, real processes and all.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Figure, ActResult } from '../../lib/cli/demo/act.ts';
import type { Measurement, Suite } from '../suite.ts';

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));
const deadlineMs = 180_000;

interface Report {
  readonly acts: readonly ActResult[];
  readonly data: { readonly origin: string; readonly note: string };
}

/** Runs the demo; its exit code is not asked, the figures speak. */
function runDemo(): Promise<Report> {
  return new Promise((resolve, reject) => {
    const args = [main, 'demo', '--json', '--no-page'];
    const options = { timeout: deadlineMs, maxBuffer: 16 * 1024 * 1024 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as Report);
      } catch {
        reject(new Error(`the demo gave no report: ${stderr.slice(-500)}`, { cause: error }));
      }
    });
  });
}

function caseOf(act: ActResult, figure: Figure): Measurement {
  const { name, value, text, bar = 0 } = figure;
  const isTime = name.startsWith('worst call');
  return {
    name: `${act.id}: ${name}${isTime ? ` ÷ ${bar} ms` : ''}`,
    ratio: isTime ? value / bar : value,
    better: 'lower',
    bar: isTime ? 1 : bar,
    detail: text,
  };
}

/** The suite. */
export const suite: Suite = {
  name: 'demo',
  about: 'six processes in three shaped regions, the default data',
  peers: [],
  async *run({ log }) {
    log('running dwcp demo');
    const { acts, data } = await runDemo();
    if (data.origin !== 'releases')
      throw new Error(`the bars hold for the releases, not ${data.note}`);
    for (const act of acts) {
      if (act.error !== undefined) throw new Error(`act ${act.title} did not finish: ${act.error}`);
      for (const figure of act.figures) if (figure.pass !== undefined) yield caseOf(act, figure);
    }
  },
};
