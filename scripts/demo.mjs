// `npm run demo [-- OPTIONS]`: sets up what is missing, builds, then runs `dwcp demo` with the same options.
// Without root or a compiler the portable tier runs, and the demo says so.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './run-step.mjs';
import { setup } from './setup.mjs';

const json = process.argv.includes('--json');
if (json) console.log = console.error;
try {
  await setup();
} catch (error) {
  console.error(`setup failed: ${error.message}`);
  process.exit(1);
}
const main = join(root, 'dist', 'lib', 'cli', 'main.js');
const demo = spawn(process.execPath, [main, 'demo', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// Ctrl-C reaches the demo by itself; a signal to this process alone is passed on.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => demo.kill(signal));
demo.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGKILL' ? 137 : 1);
});
