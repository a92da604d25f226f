/**
 * A process that holds a store and writes to it until it is killed. Prints `open`, then one number
 * per acknowledged batch. Batch n puts n under a/n and b/n.
 */
import { writeSync } from 'node:fs';
import { openStorage } from '../../lib/storage/index.ts';

const [path, kind] = process.argv.slice(2);
const { storage } = await openStorage({ path, kind: kind === 'sqlite' ? 'sqlite' : 'level' });
writeSync(1, 'open\n');

let next = 0;
async function writeForEver(): Promise<never> {
  for (;;) {
    const n = next++;
    const value = Buffer.from(`${n}:${'x'.repeat(n % 200)}`);
    await storage.batch([
      { type: 'put', key: Buffer.from(`a/${n}`), value },
      { type: 'put', key: Buffer.from(`b/${n}`), value },
    ]);
    writeSync(1, `${n}\n`);
  }
}
await Promise.all(Array.from({ length: 8 }, writeForEver));
