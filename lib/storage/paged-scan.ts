/** A scan built from pages, for stores without iterators of their own. Holds one page at a time. */
import { checkRange } from './arguments.ts';
import type { StorageEntry, StorageRange } from './storage.ts';

/** Reads up to `limit` entries of a range. */
export type ReadPage = (range: StorageRange, limit: number) => Promise<StorageEntry[]>;

const pageEntries = 256;

/** Yields the range page by page; the next page starts after the last key given. */
export async function* pagedScan(
  range: StorageRange,
  readPage: ReadPage,
): AsyncGenerator<StorageEntry, void, undefined> {
  let left = checkRange(range);
  let rest = range;
  while (left > 0) {
    const wanted = Math.min(left, pageEntries);
    const page = await readPage(rest, wanted);
    yield* page;
    left -= page.length;
    const last = page.at(-1)?.[0];
    if (last === undefined || page.length < wanted) return;
    rest = range.reverse === true ? { ...rest, lt: last } : { ...rest, gte: successor(last) };
  }
}

/** The smallest key after `key`. */
function successor(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)]);
}
