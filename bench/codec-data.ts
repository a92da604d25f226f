/** Data of the codec suite: real releases, and state made from a seed. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../lib/random.ts';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Six successive releases of `@iconify-json/material-symbols`: one JSON file of 8.4 MB each. */
export function iconReleases(): Buffer[] {
  return [1, 2, 3, 4, 5, 6].map((n) => readFileSync(`${modules}/icons-${n}/icons.json`));
}

interface StateRecord {
  readonly id: number;
  readonly name: string;
  readonly region: string;
  readonly labels: readonly string[];
  readonly usage: number;
  readonly updatedAt: number;
}

const regions = ['eu-west', 'eu-north', 'us-east', 'us-west', 'ap-south'];
const START = 1_700_000_000_000;

/** State JSON of `count` records, and the same with `edited` of them changed in two fields. */
export function stateVersions(count: number, edited: number, seed: number): [Buffer, Buffer] {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const word = (): string => below(36 ** 6).toString(36);
  const records: StateRecord[] = Array.from({ length: count }, (_, id) => ({
    id,
    name: `${word()}-${word()}`,
    region: regions[below(regions.length)]!,
    labels: Array.from({ length: below(4) }, word),
    usage: below(1e6) / 100,
    updatedAt: START + below(1e9),
  }));
  const first = Buffer.from(JSON.stringify(records));
  for (let i = 0; i < edited; i++) {
    const id = below(count);
    records[id] = { ...records[id]!, usage: below(1e6) / 100, updatedAt: START + 1e9 + below(1e6) };
  }
  return [first, Buffer.from(JSON.stringify(records))];
}
