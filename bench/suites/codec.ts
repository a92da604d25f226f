/**
 * The codec suite: bytes and time of deltas against zstd's own (`refPrefix` with long-distance matching, in
 * this process, from our addon), of whole values against zstd-3, and of small calls against the peers.
 */
import { Baseline, compress, decompress, diff, encodeFull } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { iconReleases, stateVersions } from '../codec-data.ts';
import { deltaRows, memoryRows } from '../codec/delta-rows.ts';
import { pairPackages, pairs } from '../codec/pairs.ts';
import { widePackages } from '../codec/wide-pairs.ts';
import { wideTable } from '../codec/wide-table.ts';
import { hasXdelta } from '../codec/xdelta.ts';
import { interleaved } from '../measure.ts';
import type { Comparison } from '../measure.ts';
import { nodeZstd, zstdNapi } from '../peers.ts';
import type { ZstdPeer } from '../peers.ts';
import type { Measurement, Suite, SuiteContext } from '../suite.ts';

const LEVEL = 3;

function bytesCase(name: string, bar: number, ours: number, theirs: number): Measurement {
  const detail = `${ours} / ${theirs} bytes`;
  return { name, ratio: ours / theirs, better: 'lower', bar, detail };
}

/** Calls per second against a peer: the inverse of time. */
function speedCase(name: string, bar: number, { ratio, aMs, bMs }: Comparison): Measurement {
  const detail = `${(aMs * 1000).toFixed(1)} / ${(bMs * 1000).toFixed(1)} us`;
  return { name, ratio: 1 / ratio, better: 'higher', bar, detail };
}

/** Sizes on six real releases: five deltas and the first value. */
async function* releaseBytes(
  versions: readonly Buffer[],
  zstd: ZstdPeer,
): AsyncGenerator<Measurement> {
  const plain = versions.map((version) => zstd.compress(version).length);
  const plainUpdates = plain.slice(1).reduce((sum, bytes) => sum + bytes);
  let ours = 0;
  let everywhere = 0;
  let prefix = 0;
  for (let i = 1; i < versions.length; i++) {
    const [base, next] = [versions[i - 1]!, versions[i]!];
    ours += (await diff(Baseline.of(base), next)).length;
    everywhere += (await diff(Baseline.of(base), next, { native: portable })).length;
    if (native.codec.abilities.prefixEncode) {
      prefix += native.codec.zstdCompress(next, { level: LEVEL, prefix: base }).length;
    }
  }
  const name = 'release JSON 8.4 MB, five updates: delta bytes';
  yield bytesCase(`${name} / zstd-3`, 0.006, ours, plainUpdates);
  yield bytesCase(`${name}, portable tier / zstd-3`, 0.006, everywhere, plainUpdates);
  if (prefix > 0) yield bytesCase(`${name} / refPrefix + LDM`, 0.75, ours, prefix);
  const { frame } = await encodeFull(versions[0]!);
  yield bytesCase(
    'release JSON 8.4 MB, first value: bytes / zstd-3',
    1.02,
    frame.length,
    plain[0]!,
  );
}

/** Synchronous calls on one buffer; ours carry a header and a checksum, theirs do not. */
async function* calls(
  what: string,
  bytes: Buffer,
  peer: ZstdPeer,
  bars: { readonly compress: number; readonly decompress: number },
): AsyncGenerator<Measurement> {
  if (!native.codec.abilities.zstd) return;
  const [ours, theirs] = [compress(bytes), peer.compress(bytes)];
  const packing = await interleaved(
    () => compress(bytes),
    () => peer.compress(bytes),
  );
  yield speedCase(`${what}: compress sync, calls/s / ${peer.name}`, bars.compress, packing);
  const unpacking = await interleaved(
    () => decompress(ours),
    () => peer.decompress(theirs),
  );
  yield speedCase(`${what}: decompress sync, calls/s / ${peer.name}`, bars.decompress, unpacking);
}

async function* run({ log, wants, table }: SuiteContext): AsyncGenerator<Measurement> {
  const withXdelta = hasXdelta();
  if (!withXdelta) log('xdelta3 is not installed: its rows are left out (apt install xdelta3)');
  if (wants('wide')) table(await wideTable(log, withXdelta));
  if (!wants('rest')) return;
  const peer = zstdNapi();
  const own = nodeZstd();
  const zstd = peer ?? own;
  if (!zstd) throw new Error('no zstd to compare with: zstd-napi needs a C++ compiler here');
  log('reading six releases');
  const versions = iconReleases();
  yield* releaseBytes(versions, zstd);
  const [before] = stateVersions(60_000, 600, 1);
  yield* engineRows(log, withXdelta);
  const slice = before.subarray(0, 64 * 1024);
  if (peer) yield* calls('64 KB JSON', slice, peer, { compress: 0.85, decompress: 0.7 });
  if (own) yield* calls('64 KB JSON', slice, own, { compress: 1, decompress: 1.2 });
  else log('this Node has no zstd of its own: nothing to compare with node:zlib');
}

/** Rows 6 to 9, 11 and 12 of the deltas, pair by pair. */
async function* engineRows(
  log: (line: string) => void,
  withXdelta: boolean,
): AsyncGenerator<Measurement> {
  if (!native.codec.abilities.deltaEncode) {
    log('no addon: the delta rows need the engine');
    return;
  }
  for (const pair of pairs()) {
    log(pair.name);
    if (pair.next.length > 5e6) yield* memoryRows(pair);
    yield* deltaRows(pair, withXdelta);
  }
}

/** Deltas, whole values and calls against zstd and its Node bindings. */
export const suite: Suite = {
  name: 'codec',
  about: 'deltas, whole values and calls against zstd and its Node bindings',
  peers: ['zstd-napi', ...pairPackages, ...widePackages],
  parts: ['wide', 'rest'],
  run,
};
