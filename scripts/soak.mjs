// `npm run soak -- MINUTES [SEED] [--links]`: sets up what is missing, builds, loads a server for MINUTES and judges the
// slopes of its memory, descriptors and slabs; with --links three nodes whose links are cut every second. Exit status 1
// when a bar was missed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from './run-step.mjs';
import { setup } from './setup.mjs';

await setup();
const args = process.argv.slice(2);
const links = args.includes('--links');
const file = join(root, 'dist', 'test', 'soak', links ? 'links-soak.js' : 'soak.js');
const numbers = args.filter((argument) => argument !== '--links');
const soak = spawn(process.execPath, [file, ...numbers], { stdio: 'inherit' });
const [code] = await once(soak, 'exit');
process.exitCode = code ?? 1;
