/**
 * Act kill and freeze: the writer's node calls a service at a steady rate, never serving itself. Its
 * same-region peer, which answers almost all calls, is killed (SIGKILL), brought back, then frozen
 * (SIGSTOP) and woken. Every call is idempotent; each must be answered, and soon.
 */
import { msText, quantiles } from '../format.ts';
import { atMost, soonerThan, told, type Act, type Figure, type Stage } from './act.ts';
import { machineMs, type CallRecord, type MemberMessage } from './protocol.ts';
import { victim, writer } from './wan.ts';
import { pause, until } from './waiting.ts';

const perSecond = 200;
const calmMs = 1_500;
const faultMs = 2_500;
const worstBarMs = 250;
const restartDeadlineMs = 10_000;

/** A stretch of the act. */
interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Waits until the victim answers calls again. */
function serving(records: readonly CallRecord[], sinceMs: number): Promise<true> {
  return until(`calls answered by ${victim}`, restartDeadlineMs, async () =>
    records.some((record) => record.dueMs > sinceMs && record.by === victim) ? true : undefined,
  );
}

/** Plays both faults under load; resolves with the phases. */
async function play(stage: Stage, records: readonly CallRecord[]): Promise<Phase[]> {
  const { cluster, feed, terminal } = stage;
  const phases: Phase[] = [];
  let fromMs = machineMs();
  const close = (name: string): void => {
    const toMs = machineMs();
    phases.push({ name, fromMs, toMs });
    fromMs = toMs;
  };
  terminal.progress(`  ${perSecond} calls/s, all well …`);
  await pause(calmMs);
  close('before SIGKILL');
  feed.mark('fault', `SIGKILL ${victim}`);
  terminal.progress(`  SIGKILL ${victim} …`);
  await cluster.kill(victim);
  await pause(faultMs);
  close('killed');
  terminal.progress(`  ${victim} starts again from its storage …`);
  await cluster.spawn(victim);
  feed.mark('heal', `${victim} restarted`);
  await serving(records, machineMs());
  close('restarting');
  await pause(calmMs);
  close('before SIGSTOP');
  feed.mark('fault', `SIGSTOP ${victim}`);
  terminal.progress(`  SIGSTOP ${victim}: it is there, and says nothing …`);
  cluster.freeze(victim);
  await pause(faultMs);
  close('frozen');
  cluster.wake(victim);
  feed.mark('heal', `SIGCONT ${victim}`);
  terminal.progress(`  SIGCONT ${victim} …`);
  await pause(calmMs);
  close('after SIGCONT');
  return phases;
}

function within(records: readonly CallRecord[], { fromMs, toMs }: Phase): CallRecord[] {
  return records.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs);
}

function printPhases(
  { terminal }: Stage,
  records: readonly CallRecord[],
  phases: readonly Phase[],
): void {
  const rows = phases.map((phase) => {
    const calls = within(records, phase);
    const took = calls.map(({ tookMs }) => tookMs);
    const { p50, p99 } = quantiles(took);
    const answered = calls.filter(({ error }) => error === undefined).length;
    const seconds = (phase.toMs - phase.fromMs) / 1000;
    return [
      phase.name,
      (answered / seconds).toFixed(0),
      msText(p50),
      msText(p99),
      msText(Math.max(...took)),
      String(calls.length - answered),
    ];
  });
  terminal.table(['', 'calls/s', 'p50', 'p99', 'worst', 'failed'], rows);
}

function judge(name: string, records: readonly CallRecord[]): Figure[] {
  const failed = records.filter(({ error }) => error !== undefined);
  const figure = atMost(`failed calls, ${name}`, failed.length, 0, String);
  const reason = failed[0]?.error === undefined ? '' : ` (${failed[0].error})`;
  const worst = Math.max(...records.map(({ tookMs }) => tookMs));
  return [
    { ...figure, text: `${failed.length} of ${records.length.toLocaleString('en')}${reason}` },
    soonerThan(`worst call, ${name}`, worst, worstBarMs, msText),
  ];
}

/** Ends the load and brings the victim back, however the act went: the next one needs both. */
async function cleanUp({ cluster }: Stage): Promise<void> {
  await cluster.ask(writer, 'stopCalls', undefined);
  cluster.wake(victim);
  if (cluster.stateOf(victim) === 'dead') await cluster.spawn(victim);
}

/** The act. */
export const faultsAct: Act = {
  id: 'faults',
  title: 'Kill and freeze',
  promise: `${perSecond} calls a second while a node dies, then hangs`,
  async run(stage) {
    const { cluster } = stage;
    const records: CallRecord[] = [];
    const hear = (_: string, message: MemberMessage): void => {
      if (message.type === 'calls') records.push(...message.records);
    };
    cluster.on('message', hear);
    let phases: Phase[];
    try {
      await cluster.ask(writer, 'startCalls', { perSecond });
      await serving(records, 0);
      phases = await play(stage, records);
    } finally {
      await cleanUp(stage);
      cluster.off('message', hear);
    }
    printPhases(stage, records, phases);
    const [kill, freeze] = [phases.slice(0, 3), phases.slice(3)];
    const during = (some: readonly Phase[]): CallRecord[] =>
      some.flatMap((p) => within(records, p));
    const figures = [...judge('SIGKILL', during(kill)), ...judge('SIGSTOP', during(freeze))];
    const failed = figures[0]!.value + figures[2]!.value;
    const worst = Math.max(figures[1]!.value, figures[3]!.value);
    const total = during(phases).length;
    figures.push(told('calls made', total, total.toLocaleString('en')));
    const counted = `${failed} failed of ${total.toLocaleString('en')} calls`;
    return { headline: `${counted}, worst ${msText(worst)}`, figures };
  },
};
