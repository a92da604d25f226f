/** A process that writes as fast as it can and says on stdout what was acknowledged; it is killed. */
import { seededRandom } from '../../lib/random.ts';
import { openStorage } from '../../lib/storage/index.ts';
import { startNode } from './replication-rig.ts';

/** What version `n` of the large value is. */
export function largeValue(n: number): Buffer {
  const bytes = Buffer.from(seededRandom(9).bytes(150_000));
  bytes.write(`version ${n}`, 500 * (n % 100));
  return bytes;
}

async function main(path: string): Promise<void> {
  const { replicator } = await startNode('child', { open: await openStorage({ path }) });
  const files = replicator.keyspace('files');
  for (let n = 1; ; n++) {
    await Promise.all([
      files.put('small', Buffer.from(String(n))),
      files.put('large', largeValue(n)),
    ]);
    process.stdout.write(`${n}\n`);
  }
}

const [, script, path] = process.argv;
if (script?.endsWith('replication-child.js') && path !== undefined) {
  main(path).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
}
