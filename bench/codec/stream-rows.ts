/**
 * Row 10: deltas against one zstd stream with a window over all versions, flushed after each, as a server that
 * keeps a compressed connection per peer would do it. A stream forgets when its connection ends; an Encoder knows
 * what the peer acknowledged.
 */
import { Baseline, Decoder, Encoder } from '../../lib/compression/index.ts';
import { iconReleases, stateVersions } from '../codec-data.ts';
import { zstdCalls } from '../peers.ts';
import type { ZstdCalls } from '../peers.ts';
import type { Measurement } from '../suite.ts';
import { peerFile } from './archive.ts';
import { bytesCase } from './cases.ts';
import { edit, featureRows, ndjson } from './tables.ts';
import { seededRandom } from '../../lib/random.ts';

const LEVEL = 3;
/** 128 MiB: more than all versions of any series together. */
const WINDOW_LOG = 27;
const BAR = 0.8;

/** Bytes of every version after the first in one stream; it starts again before version `restart`. */
function streamed(versions: readonly Buffer[], zstd: ZstdCalls, restart?: number): number {
  const room = Buffer.alloc(versions[0]!.length * 2);
  let bytes = 0;
  for (const [i, version] of versions.entries()) {
    if (i === 0 || i === restart) zstd.streamStart(LEVEL, WINDOW_LOG);
    const size = zstd.streamWrite(version, room);
    if (size < 0) throw new Error('the stream failed');
    if (i > 0) bytes += size;
  }
  return bytes;
}

/**
 * Bytes of the same versions from an Encoder, each read by the peer's Decoder. The connection ends and is made anew
 * before version `restart`: whatever a connection held is gone, what the peer acknowledged is not.
 */
async function deltas(versions: readonly Buffer[], restart?: number): Promise<number> {
  const encoder = new Encoder({ level: LEVEL });
  const decoder = new Decoder();
  let peer = encoder.peer('reader');
  let bytes = 0;
  for (const [i, version] of versions.entries()) {
    if (i === restart) peer = encoder.peer('reader');
    const { frame } = await encoder.encode('value', Baseline.of(version), { peer });
    const read = await decoder.decode('value', frame);
    if (!read.bytes?.equals(version)) throw new Error('the frame is not the value');
    if (read.ack) peer.acked('value', read.ack);
    if (i > 0) bytes += frame.length;
  }
  return bytes;
}

/** Versions of a table, each with one row in a hundred changed. */
function tableVersions(count: number): Buffer[] {
  const random = seededRandom(31);
  let rows = featureRows(1);
  return Array.from({ length: count }, () => {
    const bytes = ndjson(rows);
    rows = edit(rows, random, { edited: 0.01, inserted: 0.001, deleted: 0.001 });
    return bytes;
  });
}

/** Every series of versions, with and without a reconnect in the middle. */
export async function* streamRows(log: (line: string) => void): AsyncGenerator<Measurement> {
  const zstd = zstdCalls();
  if (!zstd) {
    log('row 10 is left out: zstd as a stream needs a C++ compiler here');
    return;
  }
  const series: Readonly<Record<string, () => readonly Buffer[]>> = {
    'release JSON 8.4 MB, 6 versions': iconReleases,
    'source 9 MB, 3 versions': () =>
      [1, 2, 3].map((n) => peerFile(`typescript-${n}/lib/typescript.js`)),
    'state JSON 8 MB, 10 versions': () => tableVersions(10),
    'state JSON 7.6 MB, 2 versions': () => stateVersions(60_000, 600, 1),
  };
  for (const [what, read] of Object.entries(series)) {
    const name = `10 ${what}`;
    log(name);
    const versions = read();
    const middle = Math.floor(versions.length / 2);
    const ours = await deltas(versions);
    yield bytesCase(`${name}: bytes / one long-window stream`, BAR, ours, streamed(versions, zstd));
    const again = await deltas(versions, middle);
    yield bytesCase(`${name}: bytes with a reconnect / without`, 1, again, ours);
    const lost = streamed(versions, zstd, middle);
    yield bytesCase(`${name}: bytes with a reconnect / the stream's`, BAR, again, lost);
  }
}
