/**
 * Long paths: two network namespaces with an emulated path between them, needing root and /dev/net/tun. dwcp chooses
 * for itself; beside it are one node:net socket pinned to cubic and one tuned socket in C++. Contestants take turns on
 * the same path. Rows are numbered as in docs/transport.md; `--only 5` runs some.
 */
import { closeSync, openSync } from 'node:fs';
import { median } from '../measure.ts';
import type { Measurement, Suite, SuiteContext, Table } from '../suite.ts';
import { EmulatedPath } from '../wan/path.ts';
import { longPath, type PathProfile, profiles } from '../wan/profiles.ts';
import { type Contestant, type Order, type Sample, takeSample } from '../wan/sample.ts';

/** Samples behind every median. */
const ROUNDS = 5;
/** A flow lasts so long, and no flow or transfer of a profile is shorter than so many round trips: not its start decides. */
const FLOW_S = 10;
const LEAST_ROUND_TRIPS = 20;

const net: Contestant = { name: 'node:net, 1 socket', kind: 'net', pinned: 'cubic' };
const tuned: Contestant = { name: 'C++, 1 tuned socket', kind: 'flow', pinned: 'bbr' };
const automatic: Contestant = { name: 'dwcp', kind: 'dwcp' };
const cubicOnly: Contestant = { name: 'dwcp, only cubic allowed', kind: 'dwcp', pinned: 'cubic' };

/** Why the suite cannot run here, or undefined. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces';
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
    return undefined;
  } catch (error) {
    return `it needs /dev/net/tun: ${(error as Error).message}`;
  }
}

type Samples = ReadonlyMap<Contestant, readonly Sample[]>;

/** Samples of all contestants, in an order that changes, each round over a path of its own seed. */
async function takeRounds(
  profile: PathProfile,
  contestants: readonly (readonly [Contestant, Order])[],
  { log, table }: SuiteContext,
): Promise<Samples> {
  log(profile.name);
  const samples = new Map(contestants.map(([each]) => [each, [] as Sample[]]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    const path = await EmulatedPath.start(profile, round + 1);
    try {
      for (const [each, what] of order) {
        const sample = await takeSample(path, each, what);
        samples.get(each)!.push(sample);
        log(`  ${each.name}: ${shown(sample.megabitsPerSecond)}, ${sample.congestion}`);
      }
    } finally {
      await path.stop();
    }
  }
  table({ title: profile.name, rows: [...samples].map(([who, each]) => tableRow(who, each)) });
  return samples;
}

function tableRow({ name }: Contestant, samples: readonly Sample[]): Table['rows'][number] {
  const middle = (of: (sample: Sample) => number): number => median(samples.map(of));
  const later = middle((sample) => sample.laterMegabitsPerSecond);
  return {
    contestant: name,
    'Mbit/s': Number(middle((sample) => sample.megabitsPerSecond).toPrecision(3)),
    'after 3 s': Number.isNaN(later) ? '-' : Number(later.toPrecision(3)),
    sockets: middle((sample) => sample.sockets),
    'congestion control': [...new Set(samples.map((sample) => sample.congestion))].join(', '),
    complete: `${samples.filter(({ complete }) => complete).length}/${samples.length}`,
  };
}

const shown = (megabits: number): string => `${megabits.toPrecision(3)} Mbit/s`;
const goodput = (sample: Sample): number => sample.megabitsPerSecond;

/** The median of the rounds' own ratios. */
function compare(
  samples: Samples,
  of: Contestant,
  over: Contestant,
): Pick<Measurement, 'ratio' | 'detail'> {
  const [a, b] = [of, over].map((each) => samples.get(each)!.map(goodput));
  return {
    ratio: median(a!.map((value, round) => value / b![round]!)),
    detail: `${shown(median(a!))} against ${shown(median(b!))}`,
  };
}

async function* lossyPath(context: SuiteContext): AsyncGenerator<Measurement> {
  const profile = longPath(0.001);
  const flow: Order = { seconds: FLOW_S, messageBytes: 256 * 1024 };
  const flows = [automatic, cubicOnly, net].map((each) => [each, flow] as const);
  const samples = await takeRounds(profile, flows, context);
  const title = `5 ${profile.name}`;
  yield {
    name: `${title}: dwcp / node:net pinned to cubic`,
    better: 'higher',
    bar: 20,
    ...compare(samples, automatic, net),
  };
  yield {
    name: `${title}: dwcp where only cubic is allowed / node:net pinned to cubic`,
    better: 'higher',
    bar: 10,
    ...compare(samples, cubicOnly, net),
  };
  const later = median(samples.get(automatic)!.map((sample) => sample.laterMegabitsPerSecond));
  yield {
    name: `${title}: dwcp after 3 s / rate of the line`,
    better: 'higher',
    bar: 0.7,
    ratio: (later * 1e6) / profile.rateBitsPerSecond,
    detail: shown(later),
  };
}

async function* cleanPath(context: SuiteContext): AsyncGenerator<Measurement> {
  const profile = longPath(0);
  const flow: Order = { seconds: FLOW_S, messageBytes: 256 * 1024 };
  const flows = [automatic, tuned].map((each) => [each, flow] as const);
  const samples = await takeRounds(profile, flows, context);
  yield {
    name: `6 ${profile.name}: dwcp / one tuned socket`,
    better: 'higher',
    bar: 0.95,
    ...compare(samples, automatic, tuned),
  };
}

const leastSeconds = ({ roundTripMs }: PathProfile): number =>
  (LEAST_ROUND_TRIPS * roundTripMs) / 1000;

/** A transfer takes a few seconds at the rate of the line, and about a minute at a tenth of it. */
function transferOver(profile: PathProfile): Order {
  const { rateBitsPerSecond } = profile;
  const seconds = Math.max(3, leastSeconds(profile));
  const bytes = Math.min(96 * 2 ** 20, Math.round((rateBitsPerSecond / 8) * seconds));
  const messageBytes = rateBitsPerSecond >= 100e6 ? 256 * 1024 : 64 * 1024;
  return { seconds: 90, bytes, messageBytes };
}

async function* profileRows(context: SuiteContext): AsyncGenerator<Measurement> {
  for (const profile of profiles) {
    const transfer = transferOver(profile);
    const seconds = Math.max(5, leastSeconds(profile));
    const flow: Order = { seconds, messageBytes: transfer.messageBytes };
    const pairs = [
      [automatic, transfer],
      [net, flow],
    ] as const;
    const samples = await takeRounds(profile, pairs, context);
    const all = samples.get(automatic)!;
    const complete = all.filter((sample) => sample.complete).length;
    const title = `7 ${profile.name}, ${profile.roundTripMs} ms, ${profile.loss * 100} %`;
    yield {
      name: `${title}: transfers complete, digests equal`,
      better: 'higher',
      bar: 1,
      ratio: complete / all.length,
      detail: `${complete} of ${all.length}`,
    };
    yield {
      name: `${title}: dwcp / node:net pinned to cubic`,
      better: 'higher',
      bar: 5,
      ...compare(samples, automatic, net),
    };
  }
}

/** The suite. */
export const suite: Suite = {
  name: 'wan',
  about: 'an emulated path between two network namespaces, contestants in turn, 5 rounds',
  peers: [],
  obstacle,
  parts: ['5', '6', '7'],
  async *run(context) {
    if (context.wants('5')) yield* lossyPath(context);
    if (context.wants('6')) yield* cleanPath(context);
    if (context.wants('7')) yield* profileRows(context);
  },
};
