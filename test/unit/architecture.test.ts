/**
 * Reads the import graph of lib/ and holds it to the house rules: imports go down the floors only,
 * sideways only where named, no cycles; time and randomness come through their two doors; files and
 * names keep their sizes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const lib = fileURLToPath(new URL('../../../lib', import.meta.url));

/** Floor of each room; a file directly in lib/ is floor 0, but index.ts is the roof. */
const floors: Readonly<Record<string, number>> = {
  '': 0,
  native: 0,
  telemetry: 0,
  crypto: 0,
  compression: 1,
  transport: 1,
  queue: 1,
  storage: 1,
  links: 2,
  health: 2,
  balancing: 2,
  conflict: 2,
  consensus: 2,
  membership: 3,
  replication: 4,
  ordering: 4,
  rpc: 4,
  node: 5,
  cli: 6,
  dashboard: 6,
};

/** Sideways imports between rooms of one floor that the house allows. */
const sideways = new Set(['cli>dashboard', 'health>links', 'native>', 'telemetry>', 'crypto>']);

/** Rooms that must stay pure: no node:* import, no clock, no randomness. */
const pureRooms = new Set(['conflict', 'consensus']);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly spec: string;
  readonly typeOnly: boolean;
}

const sources = readdirSync(lib, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.ts'));
const text = new Map(sources.map((file) => [file, readFileSync(join(lib, file), 'utf8')]));

const roomOf = (file: string): string => (file.includes('/') ? file.split('/')[0]! : '');
const floorOf = (file: string): number => (file === 'index.ts' ? 6 : (floors[roomOf(file)] ?? -1));

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)/g;

function importsOf(file: string): Import[] {
  return [...text.get(file)!.matchAll(importPattern)].map((match) => {
    const spec = (match[2] ?? match[3])!;
    const local = spec.startsWith('.');
    const to = local ? relative(lib, resolve(lib, dirname(file), spec)) : '';
    return { from: file, to, spec, typeOnly: match[1] !== undefined };
  });
}

const graph = new Map(sources.map((file) => [file, importsOf(file)]));
const localImports = [...graph.values()].flat().filter((edge) => edge.spec.startsWith('.'));

test('every room of lib/ has a floor', (t) => {
  t.true(sources.length > 10);
  const rooms = new Set(sources.map(roomOf));
  rooms.delete('testing');
  t.deepEqual(
    [...rooms].filter((room) => floors[room] === undefined),
    [],
  );
});

test('imports go down the floors, sideways only where the house allows it', (t) => {
  const wrong = localImports.filter(({ from, to }) => {
    const [a, b] = [roomOf(from), roomOf(to)];
    if (a === b) return false;
    if (a === 'testing') return floorOf(to) > 5;
    if (b === 'testing') return !['cli', 'dashboard'].includes(a);
    if (floorOf(to) < floorOf(from)) return false;
    return !(floorOf(to) === floorOf(from) && sideways.has(`${a}>${b}`));
  });
  t.deepEqual(
    wrong.map(({ from, to }) => `${from} -> ${to}`),
    [],
  );
});

test('no file imports itself through others', (t) => {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    state.set(file, 'open');
    for (const edge of graph.get(file) ?? []) {
      if (edge.spec.startsWith('.') && !edge.typeOnly) visit(edge.to, [...path, file]);
    }
    state.set(file, 'done');
  };
  for (const file of sources) visit(file, []);
  t.deepEqual(cycles, []);
});

test('time and randomness come through clock.ts and random.ts', (t) => {
  const doors = /\b(?:Date\.now|performance\.now|setTimeout|setInterval|Math\.random)\b/;
  const wrong = sources.filter((file) => {
    if (['clock.ts', 'random.ts'].includes(file)) return false;
    if (['native', 'cli'].includes(roomOf(file))) return false;
    const code = text.get(file)!.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    return doors.test(code);
  });
  t.deepEqual(wrong, []);
});

test('pure rooms import nothing of node and no clock or randomness', (t) => {
  const wrong = [...graph.values()]
    .flat()
    .filter(({ from }) => pureRooms.has(roomOf(from)))
    .filter(({ spec, to }) => spec.startsWith('node:') || ['clock.ts', 'random.ts'].includes(to));
  t.deepEqual(
    wrong.map(({ from, spec }) => `${from} -> ${spec}`),
    [],
  );
});

test('files stay under 500 lines and rooms have real names', (t) => {
  const long = sources.filter((file) => text.get(file)!.split('\n').length > 500);
  const vague = sources.filter((file) =>
    /(?:^|[/-])(?:utils?|helpers?|common|manager)\b/.test(file),
  );
  t.deepEqual({ long, vague }, { long: [], vague: [] });
});
