/**
 * A process that opens a store on the tier its environment allows, reads the versions that were written
 * before, writes the next ones and closes. Arguments: path, version to find (0 for none), version to reach.
 */
import { seededRandom } from '../../lib/random.ts';
import { nativeStatus } from '../../lib/native/load.ts';
import { openStorage } from '../../lib/storage/index.ts';
import { startNode } from './replication-rig.ts';

const LARGE_BYTES = 1_200_000;
const WORDS = ['region', 'freshness', 'delta', 'digest', 'chain', 'quorum', '0.125', '"id":'];

function text(sizeBytes: number): Buffer {
  const random = seededRandom(21);
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes;) {
    at += bytes.write(`${WORDS[Math.floor(random.next() * WORDS.length)]!} `, at);
  }
  return bytes;
}

/** What a dictionary of zstd starts with; a value may too. */
const dictionaryMagic = Buffer.from('37a430ec', 'hex');
const noise = Buffer.from(seededRandom(22).bytes(300_000));
const words = text(LARGE_BYTES);
const zeros = Buffer.alloc(200_000);

const starts: Readonly<Record<string, Buffer>> = {
  'inline/empty': Buffer.alloc(0),
  'inline/text': words.subarray(0, 900),
  'large/text': words,
  'large/noise': noise,
  'large/zeros': zeros,
  'large/dictionary': Buffer.concat([dictionaryMagic, words.subarray(0, 200_000)]),
};

/** Version `n` of the value under `key`: edits all over it. */
function valueOf(key: string, n: number): Buffer {
  const bytes = Buffer.from(starts[key]!);
  for (let i = 1; i <= n; i += 1) bytes.write(`edit ${i}`, Math.floor((bytes.length * i) / 32));
  return bytes;
}

async function main(path: string, found: number, reached: number): Promise<void> {
  const node = await startNode('child', { open: await openStorage({ path }) });
  const files = node.replicator.keyspace('files');
  const wrong: string[] = [];
  for (const key of found > 0 ? Object.keys(starts) : []) {
    const value = await files.get(key);
    if (!value?.equals(valueOf(key, found))) wrong.push(key);
  }
  for (let n = found + 1; n <= reached; n += 1) {
    for (const key of Object.keys(starts)) await files.put(key, valueOf(key, n));
  }
  await node.close();
  console.log(JSON.stringify({ tier: nativeStatus().tier, wrong }));
}

const [, , path, found, reached] = process.argv;
main(path!, Number(found), Number(reached)).catch((error: unknown) => {
  console.log(JSON.stringify({ error: error instanceof Error ? error.stack : String(error) }));
  console.error(error);
  process.exitCode = 1;
});
