/**
 * Pairs of many kinds beyond those with bars, 10 KB to 60 MB: releases of source, minified code, source maps,
 * archives, executables, WebAssembly and data, and tables of real rows with seeded edits. They show where
 * the engine is weak, and hold the fixed rule to account (row 12).
 */
import { gzipSync } from 'node:zlib';
import { seededRandom } from '../../lib/random.ts';
import { iconReleases } from '../codec-data.ts';
import { archive, peerFile } from './archive.ts';
import { compatData, csv, edit, featureRows, ndjson, sqlite } from './tables.ts';
import type { FeatureRow } from './tables.ts';

/** A pair whose values are read when it is its turn. */
export interface WidePair {
  readonly name: string;
  read(): readonly [Buffer, Buffer] | Promise<readonly [Buffer, Buffer]>;
}

/** Packages beyond those of `pairs.ts` that are read here. */
export const widePackages: readonly string[] =
  'babel bootstrap chromium esbuild-wasm lightningcss mdn mime rollup timezones undici'
    .split(' ')
    .flatMap((name) => [`${name}-1`, `${name}-2`]);

type Read = WidePair['read'];

/** A file of two releases; `{}` stands for the number of the release. */
function files(path: string, first = 1, second = 2): Read {
  return () => [
    peerFile(path.replace('{}', String(first))),
    peerFile(path.replace('{}', String(second))),
  ];
}

function archives(name: string, first = 1, second = 2): Read {
  return () => [archive(`${name}-${first}`), archive(`${name}-${second}`)];
}

/** A value of each release of the compatibility data. */
function releases(value: (release: 1 | 2) => Buffer): Read {
  return () => [value(1), value(2)];
}

/** Rows of the first release, and what `change` makes of them. */
function tables(
  write: (rows: readonly FeatureRow[]) => Buffer,
  change: (rows: readonly FeatureRow[]) => readonly FeatureRow[],
  count = Infinity,
): Read {
  return () => {
    const rows = featureRows(1).slice(0, count);
    return [write(rows), write(change(rows))];
  };
}

function edited(share: number, seed: number): (rows: readonly FeatureRow[]) => FeatureRow[] {
  const change = { edited: share, inserted: share / 2, deleted: share / 2 };
  return (rows) => edit(rows, seededRandom(seed), change);
}

const json = (rows: readonly unknown[]): Buffer => Buffer.from(JSON.stringify(rows));
const everyRevision = (rows: readonly FeatureRow[]): FeatureRow[] =>
  rows.map((row) => ({ ...row, revision: row.revision + 1 + (row.id % 90) }));
const stamped = (rows: readonly FeatureRow[]): Buffer =>
  json(rows.map((row) => ({ ...row, updatedAt: 1_700_000_000_000 + row.revision * 7919 })));
const byUrl = (rows: readonly FeatureRow[]): FeatureRow[] =>
  rows.toSorted((a, b) => (a.url < b.url ? -1 : 1));
const renamed = (rows: readonly FeatureRow[]): Buffer =>
  json(rows.map(({ feature, ...row }) => ({ ...row, name: feature })));

/** Columns of numbers, and the same with a share of the values a little larger. */
function numbers(share: number, wide: boolean): Read {
  return () => {
    const random = seededRandom(5);
    const before = new (wide ? Float64Array : Int32Array)(1_000_000);
    for (let i = 0; i < before.length; i++) before[i] = Math.floor(i * 3 + random.next() * 1e6);
    const after = before.slice();
    for (let i = 0; i < after.length; i++) {
      if (random.next() < share) after[i] = after[i]! + 1 + Math.floor(random.next() * 100);
    }
    return [Buffer.from(before.buffer), Buffer.from(after.buffer)];
  };
}

/** A log that grew by a tenth and lost as much of its head. */
function log(): readonly [Buffer, Buffer] {
  const all = ndjson(featureRows(1));
  const tenth = all.indexOf(10, all.length * 0.1) + 1;
  const most = all.indexOf(10, all.length * 0.9) + 1;
  return [all.subarray(0, most), all.subarray(tenth)];
}

/** Drawings as one XML sprite. */
function sprite(release: number): Buffer {
  const { icons } = JSON.parse(iconReleases()[release]!.toString()) as {
    icons: Record<string, { body: string }>;
  };
  const symbols = Object.entries(icons).map(
    ([id, { body }]) => `  <symbol id="${id}" viewBox="0 0 24 24">${body}</symbol>\n`,
  );
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join('')}</svg>\n`);
}

const sources: Readonly<Record<string, Read>> = {
  'minified 73 KB, lodash': files('lodash-{}/lodash.min.js'),
  'minified 3 MB, babel': files('babel-{}/babel.min.js'),
  'minified 3 MB, aws-sdk': files('aws-{}/dist/aws-sdk.min.js'),
  'bundle 12 MB, aws-sdk': files('aws-{}/dist/aws-sdk-react-native.js'),
  'bundle 5 MB, babel': files('babel-{}/babel.js'),
  'source map 7 MB, babel': files('babel-{}/babel.min.js.map'),
  'source map 22 MB, babel': files('babel-{}/babel.js.map'),
  'source map 0.6 MB, bootstrap': files('bootstrap-{}/dist/css/bootstrap.min.css.map'),
  'declarations 1.9 MB, minor release': files('typescript-{}/lib/lib.dom.d.ts'),
  'source 6 MB, minor release': files('typescript-{}/lib/_tsc.js'),
  'asm.js 1.3 MB': files('sqljs-{}/dist/sql-asm.js'),
};

const packages: Readonly<Record<string, Read>> = {
  'archive 1.7 MB, undici': archives('undici'),
  'archive 2.3 MB, lodash': archives('lodash'),
  'archive 10 MB, bootstrap': archives('bootstrap'),
  'archive 23 MB, typescript': archives('typescript', 2, 3),
  'archive 22 MB, sql.js': archives('sqljs'),
  'archive 38 MB, babel': archives('babel'),
  'archive 0.4 MB, gzip': () => [gzipSync(archive('undici-1')), gzipSync(archive('undici-2'))],
  'zip 3.6 MB': files('sqljs-{}/dist/sqljs-all.zip'),
  'library 2 MB, rollup': files('rollup-{}/rollup.linux-x64-gnu.node'),
  'library 10 MB, lightningcss': files('lightningcss-{}/lightningcss.linux-x64-gnu.node'),
  'WebAssembly 14 MB, esbuild': files('esbuild-wasm-{}/esbuild.wasm'),
};

const data: Readonly<Record<string, Read>> = {
  'JSON 54 KB, versions': files('chromium-{}/full-versions.json'),
  'JSON 0.2 MB, media types': files('mime-{}/db.json'),
  'JSON 0.7 MB, time zones': files('timezones-{}/data/packed/latest.json'),
  'JSON 20 MB, compatibility': files('mdn-{}/data.json'),
  'JSON 40 MB, pretty': releases((n) => Buffer.from(JSON.stringify(compatData(n), null, 2))),
  'CSV 3 MB, releases': releases((n) => csv(featureRows(n))),
  'ndjson 8 MB, releases': releases((n) => ndjson(featureRows(n))),
  'XML 8 MB, five releases apart': () => [sprite(0), sprite(5)],
};

const edits: Readonly<Record<string, Read>> = {
  'state JSON 10 KB, 10 % edited': tables(json, edited(0.1, 11), 24),
  'state JSON 64 KB, 2 % edited': tables(json, edited(0.02, 12), 160),
  'state JSON 0.3 MB, 2 % edited': tables(json, edited(0.02, 13), 750),
  'table JSON 8 MB, 1 % edited': tables(json, edited(0.01, 14)),
  'table JSON 8 MB, 10 % edited': tables(json, edited(0.1, 15)),
  'table CSV 3 MB, 1 % edited': tables(csv, edited(0.01, 16)),
  'table CSV 3 MB, 10 % edited': tables(csv, edited(0.1, 17)),
  'table CSV 3 MB, a number in every row': tables(csv, everyRevision),
  'table JSON 8 MB, a time in every row': tables(stamped, everyRevision),
  'table CSV 3 MB, sorted anew': tables(csv, byUrl),
  'table JSON 8 MB, a field renamed': () => [json(featureRows(1)), renamed(featureRows(1))],
  'log ndjson 8 MB, a tenth moved on': log,
  'SQLite 9 MB, 1 % updated': () =>
    sqlite(featureRows(1), seededRandom(18), { updated: 0.01, inserted: 0.005 }),
  'SQLite 9 MB, 20 rows updated': () =>
    sqlite(featureRows(1), seededRandom(19), { updated: 0.001, inserted: 0 }),
  'column of 1 M doubles, 1 % changed': numbers(0.01, true),
  'column of 1 M integers, all changed': numbers(1, false),
};

/** All of them; each is read when asked for. */
export function widePairs(): WidePair[] {
  return [sources, packages, data, edits].flatMap((group) =>
    Object.entries(group).map(([name, read]) => ({ name, read })),
  );
}
