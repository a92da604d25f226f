/** Whole values and the sum of five real updates: bytes against zstd-3, calls against zstd's Node bindings. */
import { Baseline, compress, decompress, diff, encodeFull } from '../../lib/compression/index.ts';
import { native } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { iconReleases, stateVersions } from '../codec-data.ts';
import { interleaved } from '../measure.ts';
import { nodeZstd, zstdNapi } from '../peers.ts';
import type { ZstdPeer } from '../peers.ts';
import type { Measurement } from '../suite.ts';
import { bytesCase, speedCase } from './cases.ts';

const LEVEL = 3;

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
  const first = 'release JSON 8.4 MB, first value: bytes / zstd-3';
  yield bytesCase(first, 1.02, frame.length, plain[0]!);
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

/** All of them. */
export async function* wholeRows(log: (line: string) => void): AsyncGenerator<Measurement> {
  const peer = zstdNapi();
  const own = nodeZstd();
  const zstd = peer ?? own;
  if (!zstd) throw new Error('no zstd to compare with: zstd-napi needs a C++ compiler here');
  log('reading six releases');
  yield* releaseBytes(iconReleases(), zstd);
  const slice = stateVersions(60_000, 600, 1)[0].subarray(0, 64 * 1024);
  if (peer) yield* calls('64 KB JSON', slice, peer, { compress: 0.85, decompress: 0.7 });
  if (own) yield* calls('64 KB JSON', slice, own, { compress: 1, decompress: 1.2 });
  else log('this Node has no zstd of its own: nothing to compare with node:zlib');
}
