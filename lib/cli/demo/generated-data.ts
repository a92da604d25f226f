/**
 * Fallback data: a large JSON of drawn paths and its successive versions, from a fixed seed. Each
 * version redraws some entries and adds some, as releases of an icon set do.
 */
import { seededRandom, type Random } from '../../random.ts';

const entries = 9_000;
const changedShare = 0.004;
const addedShare = 0.003;

function draw(random: Random): string {
  const steps = 20 + Math.floor(random.next() * 130);
  let path = 'M';
  for (let step = 0; step < steps; step++) {
    const command = 'lhvcqz'[Math.floor(random.next() * 6)]!;
    path += `${command}${(random.next() * 24 - 12).toFixed(2)} ${(random.next() * 24).toFixed(1)}`;
  }
  return path;
}

function encode(icons: ReadonlyMap<string, string>): Buffer {
  const bodies = [...icons].map(([name, body]) => [name, { body: `<path d="${body}"/>` }]);
  return Buffer.from(JSON.stringify({ prefix: 'generated', icons: Object.fromEntries(bodies) }));
}

/** `count` successive versions; the same for every run. */
export function generateVersions(count: number, seed = 7): Buffer[] {
  const random = seededRandom(seed);
  const icons = new Map<string, string>();
  const add = (): void => void icons.set(`icon-${icons.size}`, draw(random));
  while (icons.size < entries) add();
  const versions: Buffer[] = [encode(icons)];
  while (versions.length < count) {
    const names = [...icons.keys()];
    for (let i = 0; i < entries * changedShare; i++) {
      icons.set(names[Math.floor(random.next() * names.length)]!, draw(random));
    }
    for (let i = 0; i < entries * addedShare; i++) add();
    versions.push(encode(icons));
  }
  return versions;
}
