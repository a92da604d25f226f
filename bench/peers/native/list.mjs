// Prints an entry of native/sources.json for binding.gyp, paths as seen from here.
import { readFileSync } from 'node:fs';

const top = '../../../';
const sources = JSON.parse(readFileSync(new URL(`${top}native/sources.json`, import.meta.url), 'utf8'));
const [key, kind] = process.argv.slice(2);
const entries = [sources[key]].flat();
console.log((kind === 'paths' ? entries.map((path) => top + path) : entries).join(' '));
