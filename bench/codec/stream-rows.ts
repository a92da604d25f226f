/**
 * Row 10: deltas against one zstd stream with a window over all versions, flushed after each, as a server that
 * keeps a compressed connection per peer would do it. A stream forgets when its connection ends; a delta needs
 * the value the peer has, and nothing else.
 */
import { Baseline, diff, patch } from '../../lib/compression/index.ts';
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
 * Bytes of the same versions as deltas, each checked by a reader that has the version before. At `restart` both
 * sides lose all but the bytes of that version.
 */
async function deltas(versions: readonly Buffer[], restart?: number): Promise<number> {
  let [writer, reader] = [Baseline.of(versions[0]!), Baseline.of(versions[0]!)];
  let bytes = 0;
  for (const [i, version] of versions.entries()) {
    if (i === 0) continue;
    if (i === restart) {
      writer.releaseIndex();
      [writer, reader] = [Baseline.of(Buffer.from(versions[i - 1]!)), Baseline.of(reader.bytes)];
    }
    const frame = await diff(writer, version);
    const back = await patch(reader, frame);
    if (!back.equals(version)) throw new Error('the delta is not the value');
    writer.releaseIndex();
    [writer, reader] = [Baseline.of(version), Baseline.of(back)];
    bytes += frame.length;
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
