/**
 * Tables of real data in many forms: the browser-compatibility data of MDN, two releases, as rows; as
 * CSV, JSON and a SQLite file; and seeded edits of them.
 */
import type { Random } from '../../lib/random.ts';
import { loadPeer } from '../peers.ts';
import { peerFile } from './archive.ts';

/** One feature and since when each browser has it. */
export interface FeatureRow {
  readonly id: number;
  readonly feature: string;
  readonly url: string;
  readonly support: Readonly<Record<string, string>>;
  readonly revision: number;
}

interface Statement {
  readonly version_added?: string | boolean | null;
}

interface Compat {
  readonly mdn_url?: string;
  readonly support: Readonly<Record<string, Statement | readonly Statement[]>>;
}

/** The features of a release of the data, in the order of its file. */
export function featureRows(release: 1 | 2): FeatureRow[] {
  const rows: FeatureRow[] = [];
  const walk = (node: Readonly<Record<string, unknown>>, path: string): void => {
    for (const [key, value] of Object.entries(node)) {
      if (typeof value !== 'object' || value === null) continue;
      if (key === '__compat') rows.push(rowOf(rows.length, path, value as Compat));
      else walk(value as Record<string, unknown>, path === '' ? key : `${path}.${key}`);
    }
  };
  const { __meta: _, browsers: __, ...data } = compatData(release);
  walk(data, '');
  return rows;
}

/** The data of a release, parsed. */
export function compatData(release: 1 | 2): Record<string, unknown> {
  return JSON.parse(peerFile(`mdn-${release}/data.json`).toString()) as Record<string, unknown>;
}

function rowOf(id: number, feature: string, compat: Compat): FeatureRow {
  const support: Record<string, string> = {};
  for (const [browser, statements] of Object.entries(compat.support)) {
    const first = (Array.isArray(statements) ? statements[0] : statements) as Statement;
    support[browser] = String(first.version_added ?? '');
  }
  return { id, feature, url: compat.mdn_url ?? '', support, revision: 1 };
}

/** Rows as CSV, one line each. */
export function csv(rows: readonly FeatureRow[]): Buffer {
  const browsers = [...new Set(rows.flatMap(({ support }) => Object.keys(support)))].toSorted();
  const lines = rows.map(({ id, feature, url, support, revision }) =>
    [id, feature, url, revision, ...browsers.map((name) => support[name] ?? '')].join(','),
  );
  return Buffer.from([`id,feature,url,revision,${browsers.join(',')}`, ...lines, ''].join('\n'));
}

/** Rows as JSON, one line each. */
export function ndjson(rows: readonly object[]): Buffer {
  return Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** How much of a table changes, each a share of its rows. */
export interface Edits {
  readonly edited?: number;
  readonly inserted?: number;
  readonly deleted?: number;
}

/** `rows` with some changed in two fields, some new copies, some gone. */
export function edit(rows: readonly FeatureRow[], random: Random, edits: Edits): FeatureRow[] {
  const { edited = 0, inserted = 0, deleted = 0 } = edits;
  return rows.flatMap((row) => {
    const dice = random.next();
    if (dice < edited) return [changed(row, random)];
    if (dice < edited + inserted) return [row, { ...changed(row, random), id: row.id + 1e6 }];
    return dice < edited + inserted + deleted ? [] : [row];
  });
}

function changed(row: FeatureRow, random: Random): FeatureRow {
  const browsers = Object.keys(row.support);
  const browser = browsers[Math.floor(random.next() * browsers.length)] ?? 'chrome';
  const support = { ...row.support, [browser]: String(Math.floor(random.next() * 150)) };
  return { ...row, support, revision: row.revision + 1 };
}

interface Database {
  run(sql: string, values?: readonly (string | number)[]): void;
  export(): Uint8Array;
}

type OpenSql = () => Promise<{ readonly Database: new (file?: Uint8Array) => Database }>;

/** A SQLite file of `rows`, and the same file after `edits`, made by the statements an application would send. */
export async function sqlite(
  rows: readonly FeatureRow[],
  random: Random,
  edits: { readonly updated: number; readonly inserted: number },
): Promise<[Buffer, Buffer]> {
  const { Database } = await (loadPeer('sqljs-2') as OpenSql)();
  const db = new Database();
  db.run(
    'create table feature (id integer primary key, name text, url text, support text, rev int)',
  );
  db.run('create index feature_name on feature (name)');
  const insert = ({ id, feature, url, support, revision }: FeatureRow): void => {
    const values = [id, feature, url, JSON.stringify(support), revision];
    db.run('insert into feature values (?, ?, ?, ?, ?)', values);
  };
  const transaction = (change: () => void): Buffer => {
    db.run('begin');
    change();
    db.run('commit');
    return Buffer.from(db.export());
  };
  const before = transaction(() => rows.forEach(insert));
  const after = transaction(() => {
    const any = (): FeatureRow => rows[Math.floor(random.next() * rows.length)]!;
    for (let i = 0; i < rows.length * edits.updated; i++) {
      const row = changed(any(), random);
      const values = [JSON.stringify(row.support), row.revision, row.id];
      db.run('update feature set support = ?, rev = ? where id = ?', values);
    }
    for (let i = 0; i < rows.length * edits.inserted; i++) {
      const row = any();
      insert({ ...row, id: 1e6 + i, feature: `${row.feature}.added` });
    }
  });
  return [before, after];
}
