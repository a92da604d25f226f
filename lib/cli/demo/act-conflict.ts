/**
 * Act conflict: one region is cut off from the others, both ways; the same keys are written on both
 * sides; then the cut heals. Afterwards both writes must be found on every node: as winner and audit
 * record under last-writer-wins, side by side under siblings. In between a node that nobody can hear
 * acknowledges writes, is killed (SIGKILL) and restarts from its storage alone.
 */
import { atMost, told, type Act, type Figure, type Stage } from './act.ts';
import type { KeyspaceName, SeenKey, SeenValue } from './protocol.ts';
import { members, writer } from './wan.ts';
import { pause, until } from './waiting.ts';

const cutRegion = 'ap';
const farWriter = 'ap-1';
const killed = 'ap-2';
const everyone = members.map(({ nodeId }) => nodeId);
const cutNodes = members.filter(({ region }) => region === cutRegion).map(({ nodeId }) => nodeId);
/** Long enough for every node to notice that the others are silent. */
const cutMs = 2_000;
const healDeadlineMs = 15_000;
const acknowledgedWrites = 50;

const sides = {
  prices: { key: 'tea', near: { eur: 42 }, far: { eur: 40 } },
  carts: { key: 'ada', near: ['tea', 'milk'], far: ['tea', 'lemon'] },
} as const;

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function holds(values: readonly { readonly value: unknown }[], wanted: unknown): boolean {
  return values.some(({ value }) => same(value, wanted));
}

/** Both writes, by winner and audit, or side by side. */
function complete(name: 'prices' | 'carts', seen: SeenKey): boolean {
  const { near, far } = sides[name];
  if (name === 'carts') {
    return seen.visible.length === 2 && holds(seen.visible, near) && holds(seen.visible, far);
  }
  const [winner] = seen.visible;
  if (winner === undefined || seen.visible.length !== 1) return false;
  const loser = same(winner.value, near) ? far : near;
  return (same(winner.value, near) || same(winner.value, far)) && holds(seen.audited, loser);
}

/** Before the cut every node holds the same value, so that the writes below really conflict. */
async function prepare({ cluster }: Stage): Promise<void> {
  for (const keyspace of ['prices', 'carts'] as const) {
    const { key } = sides[keyspace];
    await cluster.ask(writer, 'put', { keyspace, key, value: null });
    await until(`${keyspace}/${key} on every node`, healDeadlineMs, async () => {
      const seen = await cluster.askAll(everyone, 'look', { keyspace, key });
      return seen.every(({ visible }) => visible.length === 1) ? true : undefined;
    });
  }
}

async function writeBothSides({ cluster, feed }: Stage): Promise<void> {
  for (const keyspace of ['prices', 'carts'] as const) {
    const { key, near, far } = sides[keyspace];
    await Promise.all([
      cluster.ask(writer, 'put', { keyspace, key, value: near }),
      cluster.ask(farWriter, 'put', { keyspace, key, value: far }),
    ]);
    feed.event('info', `${keyspace}/${key} written in us and in ${cutRegion}`);
  }
}

/** Acknowledged on a node that hears nobody, then SIGKILL, restart, read. Resolves with how many are lost. */
async function killBetweenAckAndRead(stage: Stage): Promise<number> {
  const { cluster, feed, terminal } = stage;
  const keyspace: KeyspaceName = 'prices';
  const keys = Array.from({ length: acknowledgedWrites }, (_, i) => `alone-${i}`);
  terminal.progress(`  ${acknowledgedWrites} acknowledged writes on ${killed}, then SIGKILL …`);
  await cluster.cut([killed]);
  await Promise.all(keys.map((key, i) => cluster.ask(killed, 'put', { keyspace, key, value: i })));
  await cluster.kill(killed);
  feed.event('bad', `SIGKILL ${killed}`);
  await cluster.spawn(killed);
  feed.event('good', `${killed} restarted from its storage, still cut off`);
  const values = await cluster.ask(killed, 'readMany', { keyspace, keys });
  return values.filter((value, i) => value !== i).length;
}

/** Waits until every node shows both writes of both keys; resolves with the nodes that never did. */
async function converge(stage: Stage, name: 'prices' | 'carts'): Promise<string[]> {
  const { key } = sides[name];
  let missing = everyone;
  const probe = async (): Promise<true | undefined> => {
    const seen = await stage.cluster.askAll(everyone, 'look', { keyspace: name, key });
    missing = everyone.filter((_, i) => !complete(name, seen[i]!));
    show(stage, name, seen[0]!);
    return missing.length === 0 ? true : undefined;
  };
  await until('convergence', healDeadlineMs, probe, 100).catch(() => undefined);
  return missing;
}

function pageValue({ value, region }: SeenValue): { text: string; region: string } {
  return { text: JSON.stringify(value), region };
}

function show({ feed }: Stage, name: 'prices' | 'carts', { visible, audited }: SeenKey): void {
  feed.conflict({
    key: `${name}/${sides[name].key}`,
    policy: name === 'prices' ? 'last writer wins, loser kept' : 'siblings, both kept',
    visible: visible.map(pageValue),
    audited: audited.map(pageValue),
  });
}

function nodesFigure(name: string, missing: readonly string[]): Figure {
  const figure = atMost(name, missing.length, 0, String);
  const text =
    missing.length === 0 ? `found on all ${everyone.length}` : `not on ${missing.join(', ')}`;
  return { ...figure, text, barText: 'on every node' };
}

async function aloneEverywhere({ cluster }: Stage): Promise<Figure> {
  const keys = Array.from({ length: acknowledgedWrites }, (_, i) => `alone-${i}`);
  const lost = async (): Promise<number> => {
    const all = await cluster.askAll(everyone, 'readMany', { keyspace: 'prices', keys });
    return all.flatMap((values) => values.filter((value, i) => value !== i)).length;
  };
  const none = async (): Promise<number | undefined> => ((await lost()) === 0 ? 0 : undefined);
  const left = await until('arrival', healDeadlineMs, none, 100).catch(lost);
  const figure = atMost('its writes missing anywhere after healing', left, 0, String);
  return { ...figure, text: `${left} of ${acknowledgedWrites * everyone.length}` };
}

/** The act. */
export const conflictAct: Act = {
  id: 'conflict',
  title: 'Conflict',
  promise: 'Cut a region off, write on both sides, heal',
  async run(stage) {
    const { cluster, feed, terminal } = stage;
    await prepare(stage);
    terminal.progress(`  ${cutRegion} is cut off, both ways …`);
    await cluster.cut(cutNodes);
    feed.event('bad', `${cutRegion} cut off`);
    await writeBothSides(stage);
    await pause(cutMs);
    const lost = await killBetweenAckAndRead(stage);
    terminal.progress('  the cut heals …');
    await cluster.heal();
    feed.event('good', 'the cut healed');
    const missingPrices = await converge(stage, 'prices');
    const missingCarts = await converge(stage, 'carts');
    const lostFigure = atMost('acknowledged writes lost by SIGKILL', lost, 0, String);
    const figures = [
      nodesFigure('winner and audited loser', missingPrices),
      nodesFigure('both siblings', missingCarts),
      { ...lostFigure, text: `${lost} of ${acknowledgedWrites}` },
      await aloneEverywhere(stage),
    ];
    figures.push(told('nodes asked', everyone.length, String(everyone.length)));
    const failed = figures.filter((figure) => figure.pass === false).length;
    const headline =
      failed === 0 ? `every write found on all ${everyone.length} nodes` : 'a write is missing';
    return { headline, figures };
  },
};
