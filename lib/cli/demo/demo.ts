/**
 * `dwcp demo`: three regions of two real processes on this machine, links shaped like a WAN, and acts
 * that measure and judge themselves. Exit code 0 only when every built act passed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { servePage, type PageServer } from '../../dashboard/server.ts';
import { nativeStatus } from '../../native/load.ts';
import { flag, listOption, numberOption, reasonOf, UsageError } from '../command.ts';
import type { Arguments, Command } from '../command.ts';
import { msText } from '../format.ts';
import { Terminal } from '../terminal.ts';
import { bytesAct } from './act-bytes.ts';
import { conflictAct } from './act-conflict.ts';
import { faultsAct } from './act-faults.ts';
import { orderAct } from './act-order.ts';
import { allPass, onlyLate, type Act, type ActResult, type Stage } from './act.ts';
import { Cluster } from './cluster.ts';
import { Feed } from './feed.ts';
import { resolveInputs, type Inputs } from './inputs.ts';
import { calm, isHindered, watchMachine, type Hindrance } from './machine.ts';
import { meshed } from './mesh.ts';
import { playground } from './playground.ts';
import { members, roundTripMs } from './wan.ts';

/** Attempts at an act that other work on the machine made late. */
const maxAttempts = 3;

const acts: readonly Act[] = [bytesAct, faultsAct, conflictAct];

function printOpening(terminal: Terminal, inputs: Inputs, url: string | undefined): void {
  const { tier, reason } = nativeStatus();
  const links = `us-eu ${roundTripMs('us', 'eu')}, us-ap ${roundTripMs('us', 'ap')}, eu-ap ${roundTripMs('eu', 'ap')} ms`;
  terminal.line();
  terminal.line(terminal.paint('bold', '  dwcp demo: state kept fresh in three regions'));
  terminal.line(`  Tier   ${tier === 'addon' ? 'native' : 'portable'}. ${reason}`);
  terminal.line(`  Nodes  ${members.length} processes on loopback; round trips ${links}`);
  terminal.line(`  Data   ${inputs.note}`);
  if (url) terminal.line(`  Page   ${terminal.paint('cyan', url)}`);
}

function printResult(terminal: Terminal, result: ActResult): void {
  for (const { name, text, barText, pass } of result.figures) {
    const sign =
      pass === undefined ? ' ' : pass ? terminal.paint('green', '✓') : terminal.paint('red', '✗');
    const bar = barText === undefined ? '' : terminal.paint('dim', `  (${barText})`);
    terminal.line(`  ${sign} ${name.padEnd(44)} ${text}${bar}`);
  }
  if (result.error) terminal.line(terminal.paint('red', `  ✗ ${result.error}`));
}

/** Runs the act with an eye on the machine. */
async function watched(
  act: Act,
  stage: Stage,
): Promise<Pick<ActResult, 'headline' | 'figures'> & { hindrance: Hindrance }> {
  const seen = await watchMachine(stage.cluster, stage.folder);
  try {
    return { ...(await act.run(stage)), hindrance: await seen() };
  } catch (error) {
    await seen();
    throw error;
  }
}

/** Runs an act once; a failure of the act is its result, not the end of the demo. */
async function attempt(act: Act, stage: Stage): Promise<ActResult> {
  const { cluster, feed } = stage;
  const { id, title } = act;
  feed.disturbed = false;
  try {
    await calm(cluster);
    const { headline, figures, hindrance } = await watched(act, stage);
    const state = allPass(figures) ? 'passed' : 'failed';
    const said = feed.disturbed ? `${headline} (disturbed by hand)` : headline;
    return { id, title, state, headline: said, figures, hindrance };
  } catch (error) {
    const reason = reasonOf(error);
    return { id, title, state: 'failed', headline: reason, figures: [], error: reason };
  }
}

/** Worth another try: only times were missed, while the machine was busy with other work. */
function wasHindered({ state, figures, hindrance, error }: ActResult): boolean {
  if (state !== 'failed' || error !== undefined || hindrance === undefined) return false;
  return onlyLate(figures) && isHindered(hindrance);
}

function hindranceText({ cpuShare, syncMs }: Hindrance): string {
  const share = `${(cpuShare * 100).toFixed(0)} %`;
  return `other work took ${share} of the CPU, small writes took ${msText(syncMs)} to the disk`;
}

/** Plays one act, again if other work on the machine made it late. */
async function play(act: Act, number: number, stage: Stage): Promise<ActResult> {
  const { feed, terminal } = stage;
  const title = `${number} ${act.title}`;
  terminal.line();
  terminal.line(terminal.paint('bold', `  ${title}`) + terminal.paint('dim', `  ${act.promise}`));
  feed.setAct({ id: act.id, title, state: 'running', headline: act.promise });
  let result = await attempt(act, stage);
  terminal.done();
  printResult(terminal, result);
  for (let again = 2; again <= maxAttempts && wasHindered(result); again++) {
    const why = `${hindranceText(result.hindrance!)}: the act is played again`;
    feed.event('warn', why);
    terminal.line(terminal.paint('yellow', `  ${why}`));
    terminal.line();
    result = await attempt(act, { ...stage, attempt: again });
    terminal.done();
    printResult(terminal, result);
  }
  feed.setAct({ id: act.id, title, state: result.state, headline: result.headline });
  feed.event(result.state === 'passed' ? 'good' : 'bad', `act ${act.title} ${result.state}`);
  return result;
}

async function playAll(stage: Stage): Promise<ActResult[]> {
  const { feed, terminal } = stage;
  for (const [i, { id, title, promise }] of acts.entries()) {
    feed.setAct({ id, title: `${i + 1} ${title}`, state: 'waiting', headline: promise });
  }
  feed.setAct({ ...orderAct, title: `${acts.length + 1} ${orderAct.title}` });
  const results: ActResult[] = [];
  for (const [i, act] of acts.entries()) results.push(await play(act, i + 1, stage));
  terminal.line();
  terminal.line(
    terminal.paint('bold', `  ${acts.length + 1} ${orderAct.title}`) +
      terminal.paint('dim', '  not built yet'),
  );
  return [...results, orderAct];
}

function printSummary(terminal: Terminal, results: readonly ActResult[], seconds: number): void {
  const styles = { passed: 'green', failed: 'red', 'not built': 'yellow' } as const;
  terminal.line();
  for (const { title, state, headline } of results) {
    const word = state === 'not built' ? 'not built yet' : state;
    const shown = state === 'not built' ? '' : headline;
    terminal.line(
      `  ${title.padEnd(16)} ${terminal.paint(styles[state], word.padEnd(14))} ${shown}`.trimEnd(),
    );
  }
  terminal.line();
  terminal.line(terminal.paint('dim', `  ${seconds.toFixed(0)} s in all`));
}

/** Resolves when the visitor asks to end. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve());
  });
}

/** A signal ends the demo: children and folders go with it, and the exit code says which it was. */
function endOnSignals(): () => void {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const handlers = Object.entries(codes).map(([signal, code]) => {
    const end = (): void => process.exit(code);
    process.on(signal, end);
    return () => process.removeListener(signal, end);
  });
  return () => handlers.forEach((remove) => remove());
}

async function perform(args: Arguments, terminal: Terminal, folder: string): Promise<number> {
  const startedMs = systemClock.monotonic();
  const port = numberOption(args, 'port', { least: 0, most: 65_535, otherwise: 0 });
  const files = [...listOption(args, 'data'), ...args.positionals];
  const stopListening = endOnSignals();
  const inputs = await resolveInputs(files, folder, (text) => terminal.line(`  ${text} …`));
  const cluster = new Cluster(folder);
  const feed = new Feed(cluster);
  let page: PageServer | undefined;
  try {
    if (!flag(args, 'no-page')) {
      page = await servePage(feed, { port });
      feed.watch();
    }
    printOpening(terminal, inputs, page?.url);
    terminal.progress('  starting six processes …');
    await cluster.start();
    await meshed(cluster);
    feed.event('good', `${members.length} processes run, every link is up`);
    const stage: Stage = { cluster, feed, terminal, inputs, folder, attempt: 1 };
    const results = await playAll(stage);
    const seconds = (systemClock.monotonic() - startedMs) / 1000;
    printSummary(terminal, results, seconds);
    const pass = results.every(({ state }) => state !== 'failed');
    if (flag(args, 'json')) {
      const report = { tier: nativeStatus(), data: inputs, seconds, pass, acts: results };
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    }
    if (flag(args, 'keep')) {
      terminal.line(`  Kept running: ${page?.url ?? 'no page'}. Ctrl-C ends it.`);
      stopListening();
      await playground(stage, untilSignal());
    } else if (page && terminal.live) {
      terminal.line(
        terminal.paint('dim', '  The page ends here; `--keep` keeps it, with live buttons.'),
      );
    }
    return pass ? 0 : 1;
  } finally {
    stopListening();
    feed.stop();
    await page?.close();
    await cluster.close();
  }
}

async function run(args: Arguments): Promise<number> {
  if (flag(args, 'no-page') && flag(args, 'keep')) {
    throw new UsageError('--keep keeps the page running; --no-page has none');
  }
  const terminal = new Terminal(flag(args, 'json') ? process.stderr : process.stdout);
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-demo-'));
  const clean = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  // A signal ends the process from inside a handler; the folder must go then too.
  process.on('exit', clean);
  try {
    return await perform(args, terminal, folder);
  } finally {
    process.removeListener('exit', clean);
    clean();
  }
}

/** The subcommand. */
export const demoCommand: Command = {
  name: 'demo',
  operands: '',
  options: {
    data: {
      type: 'string',
      multiple: true,
      value: 'FILE',
      text: 'your own versions, in order (repeat, or list them)',
    },
    port: { type: 'string', value: 'N', text: 'port of the page (a free one)' },
    'no-page': { type: 'boolean', text: 'terminal only' },
    keep: { type: 'boolean', text: 'stay after the acts, with live traffic and the buttons' },
    json: { type: 'boolean', text: 'machine-readable result on stdout' },
  },
  run,
};
