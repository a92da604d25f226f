/**
 * The codec suite: bytes and time of deltas against zstd's own (`refPrefix` with long-distance matching, in
 * this process, from our addon), of whole values against zstd-3, and of small calls against the peers.
 */
import {
  Baseline,
  compress,
  decompress,
  diff,
  encodeFull,
  patch,
} from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { iconReleases, stateVersions } from '../codec-data.ts';
import { interleaved } from '../measure.ts';
import type { Comparison } from '../measure.ts';
import { nodeZstd, zstdNapi } from '../peers.ts';
import type { ZstdPeer } from '../peers.ts';
import type { Measurement, Suite } from '../suite.ts';

const LEVEL = 3;
const WINDOW_LOG = 27;

function bytesCase(name: string, bar: number, ours: number, theirs: number): Measurement {
  const detail = `${ours} / ${theirs} bytes`;
  return { name, ratio: ours / theirs, better: 'lower', bar, detail };
}

function timeCase(name: string, bar: number, { ratio, aMs, bMs }: Comparison): Measurement {
  return { name, ratio, better: 'lower', bar, detail: `${aMs.toFixed(2)} / ${bMs.toFixed(2)} ms` };
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

/** A pair of versions against zstd's prefix delta: bytes, time with the base's index cached, patch. */
async function* againstPrefix(
  what: string,
  base: Buffer,
  next: Buffer,
): AsyncGenerator<Measurement> {
  const { codec } = native;
  if (!codec.abilities.prefixEncode) return;
  const baseline = Baseline.of(base);
  const frame = await diff(baseline, next);
  const prefixed = codec.zstdCompress(next, { level: LEVEL, prefix: base });
  const rebuilt = await patch(baseline, frame);
  if (!rebuilt.equals(next)) throw new Error(`${what}: the delta does not rebuild the value`);
  yield bytesCase(`${what}: delta bytes / refPrefix + LDM`, 0.75, frame.length, prefixed.length);
  const encoding = await interleaved(
    () => diff(baseline, next),
    () => codec.zstdCompressAsync(next, { level: LEVEL, prefix: base }),
  );
  yield timeCase(`${what}: diff, base indexed, time / refPrefix + LDM`, 0.9, encoding);
  const options = { sizeBytes: next.length, maxWindowLog: WINDOW_LOG, prefix: base };
  const decoding = await interleaved(
    () => patch(baseline, frame),
    async () => codec.xxh3Async(await codec.zstdDecompressAsync(prefixed, options)),
  );
  yield timeCase(`${what}: patch, time / refPrefix decode and xxh3`, 2, decoding);
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

async function* run(log: (line: string) => void): AsyncGenerator<Measurement> {
  const peer = zstdNapi();
  const own = nodeZstd();
  const zstd = peer ?? own;
  if (!zstd) throw new Error('no zstd to compare with: zstd-napi needs a C++ compiler here');
  log('reading six releases');
  const versions = iconReleases();
  yield* releaseBytes(versions, zstd);
  yield* againstPrefix('release JSON 8.4 MB', versions[0]!, versions[1]!);
  const [before, after] = stateVersions(60_000, 600, 1);
  yield* againstPrefix('state JSON 7.6 MB, 1 % of records edited', before, after);
  const slice = before.subarray(0, 64 * 1024);
  if (peer) yield* calls('64 KB JSON', slice, peer, { compress: 0.85, decompress: 0.7 });
  if (own) yield* calls('64 KB JSON', slice, own, { compress: 1, decompress: 1.2 });
  else log('this Node has no zstd of its own: nothing to compare with node:zlib');
}

/** Deltas, whole values and calls against zstd and its Node bindings. */
export const suite: Suite = {
  name: 'codec',
  about: 'deltas, whole values and calls against zstd and its Node bindings',
  peers: ['zstd-napi'],
  run,
};
