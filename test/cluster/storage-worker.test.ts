/**
 * Incidents: a worker terminated while it handed a batch to LevelDB committed the first part of it; one terminated
 * while LevelDB's binding read `sync: false` crashed the process, about once in 6,000 times.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const child = fileURLToPath(new URL('fixtures/storage-worker.js', import.meta.url));

test('incident: a terminated worker leaves every batch whole or absent', async (t) => {
  t.timeout(110_000);
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-batches-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const run = promisify(execFile)(process.execPath, [child, '60', folder], { timeout: 100_000 });
  t.deepEqual(JSON.parse((await run).stdout), { rounds: 60, mixed: 0 });
});
