// `npm run soak -- MINUTES [SEED]`: sets up what is missing, builds, loads a server for MINUTES and judges the slopes of
// its memory, descriptors and slabs. Exit status 1 when a bar was missed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from './run-step.mjs';
import { setup } from './setup.mjs';

await setup();
const file = join(root, 'dist', 'test', 'soak', 'soak.js');
const soak = spawn(process.execPath, [file, ...process.argv.slice(2)], { stdio: 'inherit' });
const [code] = await once(soak, 'exit');
process.exitCode = code ?? 1;
