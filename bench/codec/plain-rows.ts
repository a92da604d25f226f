/**
 * Row 5: large values without dictionary or base against the same libzstd as a C program calls it, with contexts
 * made once and room of its own, neither with a checksum. And what the process keeps after 100,000 calls.
 */
import {
  ChecksumKind,
  compressBound,
  compressInto,
  decompressInto,
} from '../../lib/compression/index.ts';
import { stateVersions } from '../codec-data.ts';
import { interleaved } from '../measure.ts';
import { zstdCalls } from '../peers.ts';
import type { Measurement } from '../suite.ts';
import { peerFile } from './archive.ts';
import { speedCase } from './cases.ts';
import { residentRows } from './process-rows.ts';

const LEVEL = 3;
const BAR = 0.95;
const MiB = 1024 * 1024;
const PLAIN = { checksum: ChecksumKind.none } as const;

function values(): Readonly<Record<string, Buffer>> {
  const state = stateVersions(60_000, 600, 1)[0];
  return {
    '1 MB of state JSON': state.subarray(0, MiB),
    '7 MB of state JSON': state,
    '10 MB executable': peerFile('esbuild-2/bin/esbuild'),
  };
}

/** Both directions, and the growth of the process. */
export async function* plainRows(log: (line: string) => void): AsyncGenerator<Measurement> {
  const zstd = zstdCalls();
  if (!zstd) {
    log('row 5 is left out: libzstd needs a C++ compiler here');
    return;
  }
  for (const [name, bytes] of Object.entries(values())) {
    const room = Buffer.alloc(compressBound(bytes.length));
    const content = Buffer.alloc(bytes.length);
    const packing = await interleaved(
      () => compressInto(bytes, room, PLAIN),
      () => zstd.compress(bytes, room, LEVEL),
    );
    yield speedCase(`5 ${name}: compress, calls/s / libzstd from C`, BAR, packing);
    const theirs = Buffer.from(room.subarray(0, zstd.compress(bytes, room, LEVEL)));
    const frame = Buffer.from(room.subarray(0, compressInto(bytes, room, PLAIN)));
    const unpacking = await interleaved(
      () => decompressInto(frame, content),
      () => zstd.decompress(theirs, content),
    );
    if (!content.equals(bytes)) throw new Error(`${name}: libzstd did not rebuild it`);
    yield speedCase(`5 ${name}: decompress, calls/s / libzstd from C`, BAR, unpacking);
  }
  yield* residentRows();
}
