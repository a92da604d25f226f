// Prints entries of sources.json, one line, for binding.gyp: `node native/list.mjs core binding`.
import { readFileSync } from 'node:fs';

const sources = JSON.parse(readFileSync(new URL('sources.json', import.meta.url), 'utf8'));
console.log(process.argv.slice(2).flatMap((key) => sources[key]).join(' '));
