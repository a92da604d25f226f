// Writes build/generated/xxhash.h, zstd's copy of xxHash 0.8.2 with XXH3 left on, and prints its folder. Both
// builds call it while configuring. zstd switches XXH3 off in the first lines of its copy; the code is all there.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { zstdRoot } = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));
const folder = join(root, 'build', 'generated');
const switchOff = /#ifndef XXH_NO_XXH3\s*#\s*define XXH_NO_XXH3\s*#endif/;

const header = readFileSync(join(root, zstdRoot, 'common', 'xxhash.h'), 'utf8');
if (!switchOff.test(header)) throw new Error('xxhash.h of zstd changed: XXH3 switch not found');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'xxhash.h'), header.replace(switchOff, ''));
console.log(folder);
