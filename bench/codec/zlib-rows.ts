/** Row 3: records with a dictionary against node:zlib of the current LTS, both inside one process of that Node. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Comparison } from '../measure.ts';
import { ltsNode } from '../peers.ts';
import type { Measurement } from '../suite.ts';
import { speedCase } from './cases.ts';
import { recordSets, trained } from './records.ts';

const child = fileURLToPath(new URL('zlib-child.js', import.meta.url));
const CALLS = 50;

/** The comparisons of the child; left out where there is no such Node. */
export function* zlibRows(log: (line: string) => void): Generator<Measurement> {
  if (!existsSync(ltsNode)) {
    log('row 3 is left out: Node 24 comes as a package for linux-x64 only');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-zlib-'));
  try {
    for (const set of Object.values(recordSets())) {
      const files = ['dictionary', 'records'].map((file) => join(folder, file));
      writeFileSync(files[0]!, trained(set).copy());
      writeFileSync(files[1]!, set.records.map((record) => `${record.toString()}\n`).join(''));
      const out = execFileSync(ltsNode, ['--no-warnings', child, ...files]).toString();
      const { packing, unpacking } = JSON.parse(out) as Record<string, Comparison>;
      const what = `3 ${set.name}, dictionary:`;
      yield speedCase(`${what} compress, calls/s / node:zlib of Node 24`, 30, packing!, CALLS);
      yield speedCase(`${what} decompress, calls/s / node:zlib of Node 24`, 8, unpacking!, CALLS);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
