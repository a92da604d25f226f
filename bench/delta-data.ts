/** Pairs of successive releases the delta rows are measured on, from the packages of bench/peers. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { iconReleases, stateVersions } from './codec-data.ts';

const peers = fileURLToPath(new URL('../../bench/peers/node_modules', import.meta.url));

/** What a pair is; the bars differ. */
export type PairKind = 'archive' | 'source' | 'json' | 'executable' | 'small';

/** A value and the one before it. */
export interface Pair {
  readonly name: string;
  readonly kind: PairKind;
  readonly base: Buffer;
  readonly next: Buffer;
}

/** The packages {@link pairs} reads. */
export const pairPackages: readonly string[] = [
  ...['aws', 'caniuse', 'esbuild', 'lodash', 'sqljs', 'swc'].flatMap((name) => [
    `${name}-1`,
    `${name}-2`,
  ]),
  ...[1, 2, 3].map((n) => `typescript-${n}`),
];

const file = (path: string): Buffer => readFileSync(join(peers, path));
const BLOCK_BYTES = 512;

/** Every file of a package behind a block with its name, as in a tar; cut to `maxBytes`. */
function archive(name: string, maxBytes = Infinity): Buffer {
  const paths = readdirSync(join(peers, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(peers.length + name.length + 2))
    .toSorted();
  const pieces: Buffer[] = [];
  let size = 0;
  for (const path of paths) {
    const content = file(join(name, path));
    const header = Buffer.alloc(BLOCK_BYTES);
    header.write(`${path}\0${content.length}`);
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    pieces.push(header, content, padding);
    size += header.length + content.length + padding.length;
    if (size >= maxBytes) break;
  }
  return Buffer.concat(pieces).subarray(0, Math.min(size, maxBytes));
}

const MiB = 1024 * 1024;

/** The pairs, one at a time, so that few are in memory at once. */
export function* pairs(): Generator<Pair> {
  const source = (n: number): Buffer => file(`typescript-${n}/lib/typescript.js`);
  const pair = (kind: PairKind, name: string, base: Buffer, next: Buffer): Pair => ({
    name,
    kind,
    base,
    next,
  });
  yield pair('archive', 'archive 64 MB', archive('aws-1', 64 * MiB), archive('aws-2', 64 * MiB));
  yield pair('small', 'archive of data tables 3 MB', archive('caniuse-1'), archive('caniuse-2'));
  yield pair('source', 'source 9 MB, patch release', source(2), source(3));
  yield pair('source', 'source 9 MB, minor release', source(1), source(2));
  const [before, after] = stateVersions(60_000, 600, 1);
  yield pair('json', 'state JSON, 1 % edited', before, after);
  const releases = iconReleases();
  yield pair('json', 'release JSON 8.4 MB, 1', releases[0]!, releases[1]!);
  yield pair('json', 'release JSON 8.4 MB, 3', releases[2]!, releases[3]!);
  const esbuild = (n: number): Buffer => file(`esbuild-${n}/bin/esbuild`);
  yield pair('executable', 'executable 10 MB', esbuild(1), esbuild(2));
  const swc = (n: number): Buffer => file(`swc-${n}/swc.linux-x64-gnu.node`);
  yield pair('executable', 'executable 37 MB', swc(1), swc(2));
  const wasm = (n: number): Buffer => file(`sqljs-${n}/dist/sql-wasm.wasm`);
  yield pair('small', 'WebAssembly 0.7 MB', wasm(1), wasm(2));
  const lodash = (n: number): Buffer => file(`lodash-${n}/lodash.js`);
  yield pair('small', 'source 0.5 MB', lodash(1), lodash(2));
}
