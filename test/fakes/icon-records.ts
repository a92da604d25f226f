/**
 * Real small records for dictionaries: the icons of an installed icon set, one JSON object each, 474 bytes on
 * average, in the order of a seeded shuffle.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../lib/random.ts';

const path = fileURLToPath(new URL('../../../node_modules/icons-1/icons.json', import.meta.url));

/** `count` records from the `skip`-th on; equal for equal arguments. */
export function iconRecords(count: number, skip = 0): Buffer[] {
  const { icons }: { icons: Readonly<Record<string, object>> } = JSON.parse(
    readFileSync(path, 'utf8'),
  );
  const random = seededRandom(7);
  return Object.entries(icons)
    .map(([name, icon]) => ({ order: random.next(), record: { name, ...icon } }))
    .toSorted((a, b) => a.order - b.order)
    .slice(skip, skip + count)
    .map(({ record }) => Buffer.from(JSON.stringify(record)));
}
