/** Pairs of successive releases the delta rows are measured on, from the packages of bench/peers. */
import { iconReleases, stateVersions } from '../codec-data.ts';
import { archive, peerFile as file } from './archive.ts';

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
