/**
 * Act bytes: successive versions of one large value, written in one region, until every node of every
 * region has verified and stored each of them. Wire bytes are what the writer's pipes counted, both
 * ways: frames, headers, acknowledgements, pings.
 */
import { bytesText, msText, quantiles } from '../format.ts';
import { atMost, soonerThan, told, type Act, type Figure, type Stage } from './act.ts';
import type { InputVersion } from './inputs.ts';
import { calm } from './machine.ts';
import type { MemberMessage } from './protocol.ts';
import { members, regionOf, regions, roundTripMs, writer } from './wan.ts';
import { pause, until } from './waiting.ts';

/** Each attempt has a key of its own: the first value must be a first value. */
function keyOf({ attempt }: Stage): string {
  return `icons-${attempt}`;
}

const freshDeadlineMs = 30_000;
const firstBar = 1.02;
const updatesBar = 0.012;
const roundTripsBar = 3;
const smallDeltaBytes = 64 * 1024;

const peers = members.map((member) => member.nodeId).filter((nodeId) => nodeId !== writer);

/** Bytes per link of the writer, in the order of `peers`. */
type LinkBytes = readonly number[];

/** What one version cost. */
interface Shipped {
  readonly version: InputVersion;
  readonly linkBytes: LinkBytes;
  /** Time-to-fresh per peer, ms. */
  readonly freshMs: ReadonlyMap<string, number>;
}

async function readLinks({ cluster }: Stage): Promise<LinkBytes> {
  const seen = await cluster.ask(writer, 'peers', undefined);
  return peers.map((nodeId) => {
    const peer = seen.find((one) => one.nodeId === nodeId);
    return (peer?.bytesIn ?? 0) + (peer?.bytesOut ?? 0);
  });
}

/** Waits until a while passes in which no link moves more than pings do. */
async function settled(stage: Stage): Promise<LinkBytes> {
  let before = await readLinks(stage);
  return until('quiet links', 10_000, async () => {
    await pause(250);
    const now = await readLinks(stage);
    const moved = Math.max(...now.map((bytes, i) => bytes - before[i]!));
    before = now;
    return moved < 400 ? now : undefined;
  });
}

/** Puts one version and waits until all peers reported it. */
async function ship(stage: Stage, version: InputVersion, before: LinkBytes): Promise<Shipped> {
  const { cluster, feed } = stage;
  const seen = new Map<string, Map<string, number>>();
  const hear = (nodeId: string, message: MemberMessage): void => {
    if (message.type !== 'fresh') return;
    const times = seen.get(message.dot) ?? new Map<string, number>();
    seen.set(message.dot, times.set(nodeId, message.atMs));
  };
  cluster.on('message', hear);
  try {
    // What the last version left to do (match index, rebase) is not part of this one's time.
    await calm(cluster);
    const args = { key: keyOf(stage), path: version.path };
    const put = await cluster.ask(writer, 'putFile', args, freshDeadlineMs);
    const times = await until(
      `${version.name} fresh in every region`,
      freshDeadlineMs,
      async () => {
        const arrived = seen.get(put.dot);
        return arrived?.size === peers.length ? arrived : undefined;
      },
      10,
    );
    const freshMs = new Map([...times].map(([nodeId, atMs]) => [nodeId, atMs - put.calledMs]));
    const after = await settled(stage);
    const linkBytes = after.map((bytes, i) => bytes - before[i]!);
    feed.event(
      'info',
      `${version.name} is fresh everywhere; ${bytesText(Math.max(...linkBytes))} on the worst link`,
    );
    return { version, linkBytes, freshMs };
  } finally {
    cluster.off('message', hear);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Sum of zstd -3 over versions, or undefined where this tier cannot tell. */
function zstdSum(versions: readonly InputVersion[]): number | undefined {
  const sizes = versions.map((version) => version.zstd3Bytes);
  return sizes.every((size) => size !== undefined) ? sum(sizes) : undefined;
}

function worstOf(shipped: readonly Shipped[]): number {
  return Math.max(...peers.map((_, i) => sum(shipped.map(({ linkBytes }) => linkBytes[i]!))));
}

function percent(share: number): string {
  return `${(share * 100).toPrecision(3)} %`;
}

function freshFigures(updates: readonly Shipped[], judged: boolean): Figure[] {
  const small = updates.every(({ linkBytes }) => Math.max(...linkBytes) < smallDeltaBytes);
  return regions.map((region) => {
    const sample = updates.flatMap(({ freshMs }) =>
      [...freshMs].filter(([nodeId]) => regionOf(nodeId) === region).map(([, ms]) => ms),
    );
    const { p50, p99 } = quantiles(sample);
    const rttMs = roundTripMs(regionOf(writer), region);
    const name = `time-to-fresh in ${region}`;
    const text = `p50 ${msText(p50)}, p99 ${msText(p99)}`;
    if (region === regionOf(writer) || !small || !judged) return told(name, p50, text);
    const figure = soonerThan(
      name,
      p50 / rttMs,
      roundTripsBar,
      (n) => `${n.toFixed(2)} round trips`,
    );
    return { ...figure, text: `${text} = ${figure.text} of ${rttMs} ms` };
  });
}

function byteFigures(first: Shipped, updates: readonly Shipped[], judged: boolean): Figure[] {
  const figures: Figure[] = [];
  const firstZstd = first.version.zstd3Bytes;
  const firstWire = worstOf([first]);
  const updateZstd = zstdSum(updates.map(({ version }) => version));
  const updateWire = worstOf(updates);
  if (firstZstd !== undefined) {
    const share = firstWire / firstZstd;
    figures.push(
      judged
        ? atMost('first value on the wire ÷ zstd -3', share, firstBar, (n) => n.toFixed(3))
        : told('first value on the wire ÷ zstd -3', share, share.toFixed(3)),
    );
  }
  if (updateZstd !== undefined) {
    const share = updateWire / updateZstd;
    figures.push(
      judged
        ? atMost('updates on the wire ÷ zstd -3, worst link', share, updatesBar, percent)
        : told('updates on the wire ÷ zstd -3, worst link', share, percent(share)),
    );
  } else {
    figures.push(
      told(
        'updates on the wire, worst link',
        updateWire,
        `${bytesText(updateWire)} (no zstd on this tier to compare with)`,
      ),
    );
  }
  return figures;
}

/** What the page shows; refreshed after each version. */
function showOnPage({ feed }: Stage, updates: readonly Shipped[]): void {
  const raw = sum(updates.map(({ version }) => version.sizeBytes));
  const zstd = zstdSum(updates.map(({ version }) => version));
  const wire = worstOf(updates);
  feed.bytes = {
    title: `${updates.length} updates of one ${bytesText(updates[0]!.version.sizeBytes)} value`,
    note: 'Per link, both ways, with headers, acknowledgements and pings; the worst of five links.',
    headline: {
      value: `1 : ${Math.round(raw / wire).toLocaleString('en')}`,
      text: 'wire bytes against raw values, for every version after the first',
    },
    rows: [
      { label: 'Raw values', bytes: raw },
      ...(zstd === undefined ? [] : [{ label: 'zstd -3, each value', bytes: zstd }]),
      { label: 'dwcp on the wire', bytes: wire, ours: true },
    ],
    steps: updates.map(({ linkBytes }, i) => ({
      label: `v${i + 2}`,
      bytes: Math.max(...linkBytes),
    })),
  };
  feed.fresh(updates.map(({ freshMs }) => freshMs));
}

function printTable({ terminal }: Stage, shipped: readonly Shipped[]): void {
  const rows = shipped.map(({ version, linkBytes, freshMs }) => {
    const zstd = version.zstd3Bytes;
    const worst = (region: string): string =>
      msText(
        Math.max(...[...freshMs].filter(([id]) => regionOf(id) === region).map(([, ms]) => ms)),
      );
    return [
      version.name.split('/').slice(-2).join('/'),
      bytesText(version.sizeBytes),
      zstd === undefined ? 'no zstd' : bytesText(zstd),
      terminal.paint('green', bytesText(Math.max(...linkBytes))),
      ...regions.map(worst),
    ];
  });
  const fresh = regions.map((region) => `fresh ${region}`);
  terminal.table(['version', 'raw', 'zstd -3', 'on the wire', ...fresh], rows);
}

async function checkDigests(stage: Stage, last: InputVersion): Promise<Figure> {
  const everyone = members.map(({ nodeId }) => nodeId);
  const digests = await stage.cluster.askAll(everyone, 'digest', { key: keyOf(stage) });
  const wrong = digests.filter((digest) => digest !== last.sha256).length;
  const figure = atMost('nodes with another digest', wrong, 0, String);
  return { ...figure, text: `${wrong} of ${everyone.length}` };
}

/** The act. */
export const bytesAct: Act = {
  id: 'bytes',
  title: 'Bytes',
  promise: 'One large value, updated again and again',
  async run(stage) {
    const { versions, origin } = stage.inputs;
    const judged = origin === 'releases';
    const shipped: Shipped[] = [];
    let before = await settled(stage);
    for (const [index, version] of versions.entries()) {
      stage.terminal.progress(`  version ${index + 1} of ${versions.length}: ${version.name} …`);
      const one = await ship(stage, version, before);
      before = before.map((bytes, i) => bytes + one.linkBytes[i]!);
      shipped.push(one);
      if (index > 0) showOnPage(stage, shipped.slice(1));
    }
    printTable(stage, shipped);
    const [first, ...updates] = shipped;
    const figures = [
      ...byteFigures(first!, updates, judged),
      ...freshFigures(updates, judged),
      await checkDigests(stage, versions.at(-1)!),
    ];
    const share = figures.find((figure) => figure.name.startsWith('updates'))!;
    return {
      headline: judged ? `updates cost ${share.text} of zstd -3` : `${share.name}: ${share.text}`,
      figures,
    };
  },
};
