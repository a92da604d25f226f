/** What the storage tests share: short ways to write keys and batches, and a place on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { loadSqlite } from '../../lib/storage/sqlite-storage.ts';
import type { Storage, StorageOp, StorageRange } from '../../lib/storage/storage.ts';

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
export const put = (key: string, value: string): StorageOp => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
});
export const remove = (key: string): StorageOp => ({ type: 'delete', key: bytes(key) });

/** The n-th of 10,000 keys in an order that is not theirs. */
export const shuffled = (n: number): string => `k${String((n * 7919) % 10_000).padStart(5, '0')}`;

/** Everything a scan gives, as key=value. */
export async function scanned(storage: Storage, range: StorageRange): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of storage.scan(range)) {
    found.push(`${key.toString('latin1')}=${value.toString('latin1')}`);
  }
  return found;
}

export const everything: StorageRange = { gte: bytes(''), lt: Buffer.alloc(9, 0xff) };

/** A folder that goes when the test ends. */
export function scratch(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-storage-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The kinds that keep state on disk here; node:sqlite came with Node 22. */
export const diskKinds: readonly ('level' | 'sqlite')[] = (['level', 'sqlite'] as const).filter(
  (kind) => kind !== 'sqlite' || loadSqlite() !== undefined,
);
