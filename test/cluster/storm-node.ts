/** A node of the storm: writes at random to keys it shares with the others, and tells each acknowledgement. */
import { createHash } from 'node:crypto';
import { sleep, systemClock } from '../../lib/clock.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { createNode } from '../../lib/node/index.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Keyspace } from '../../lib/replication/index.ts';
import { partitioned, shapeTransport } from '../../lib/testing/index.ts';
import type { LinkProfile, ShapedTransport } from '../../lib/testing/index.ts';

/** How a node is told who it is: one JSON argument. */
export interface StormSetup {
  readonly nodeId: string;
  readonly path: string;
  readonly port: number;
  readonly seeds: readonly number[];
  readonly seed: number;
}

/** What a node is asked. */
export type StormOrder =
  | { readonly order: 'write' | 'stop' | 'heal' | 'dump' }
  | {
      readonly order: 'cut';
      readonly from: string;
      readonly side: 'both' | 'inbound' | 'outbound';
    };

/** A dot as text, `replica:seq`. */
type DotName = string;

/** What a node tells. */
export type StormNews =
  | { readonly news: 'up' | 'stopped' }
  | { readonly news: 'acked'; readonly space: string; readonly key: string; readonly dot: DotName }
  | { readonly news: 'failed'; readonly error: string }
  | { readonly news: 'dump'; readonly keys: readonly StormKey[] };

/** One key as a node holds it. */
export interface StormKey {
  readonly space: string;
  readonly key: string;
  /** Versions and digests of their values. */
  readonly standing: readonly string[];
  /** All writes that stand or were seen by those that do. */
  readonly seen: readonly (readonly [replica: string, ranges: readonly (readonly number[])[]])[];
}

const KEYS = 12;
type Space = Keyspace<'lww' | 'siblings', 'bytes'>;

class StormNode {
  readonly #random: () => number;
  readonly #spaces: readonly Space[];
  readonly #cuts: Map<string, LinkProfile>;
  readonly #shaped: ShapedTransport;
  #writers: Promise<unknown> | undefined;
  #stopping = false;

  constructor(
    seed: number,
    spaces: readonly Space[],
    cuts: Map<string, LinkProfile>,
    shaped: ShapedTransport,
  ) {
    const random = seededRandom(seed);
    this.#random = () => random.next();
    this.#spaces = spaces;
    this.#cuts = cuts;
    this.#shaped = shaped;
  }

  async obey(message: StormOrder): Promise<void> {
    if (message.order === 'write') {
      this.#stopping = false;
      this.#writers ??= Promise.all([this.#write(), this.#write(), this.#write()]);
    } else if (message.order === 'stop') {
      this.#stopping = true;
      await this.#writers;
      this.#writers = undefined;
      tell({ news: 'stopped' });
    } else if (message.order === 'dump') {
      tell({ news: 'dump', keys: await this.#dump() });
    } else {
      if (message.order === 'cut') this.#cuts.set(message.from, partitioned({}, message.side));
      else this.#cuts.clear();
      this.#shaped.refresh();
    }
  }

  async #write(): Promise<void> {
    const random = this.#random;
    while (!this.#stopping) {
      const space = this.#spaces[random() < 0.5 ? 0 : 1]!;
      const key = `k${Math.floor(random() * KEYS)}`;
      try {
        const options = random() < 0.3 ? { context: (await space.getEntry(key)).context } : {};
        const remove = random() < 0.1;
        const { dot } = await (remove
          ? space.delete(key, options)
          : space.put(key, this.#value(), options));
        tell({ news: 'acked', space: space.name, key, dot: `${dot.replica}:${dot.seq}` });
      } catch (error) {
        if (!isDwcpError(error, 'ERR_DWCP_LIMIT')) tell({ news: 'failed', error: String(error) });
      }
      if (random() < 0.7) await sleep(systemClock, random() * 12);
    }
  }

  /** Small ones, and large ones that differ little, so that deltas and chains are in play. */
  #value(): Buffer {
    const kind = this.#random();
    const value = Buffer.alloc(kind < 0.6 ? 24 : kind < 0.85 ? 3_000 : 20_000, 'x');
    for (let i = 0; i < 20; i++) {
      value[Math.floor(this.#random() * value.length)] = Math.floor(this.#random() * 256);
    }
    return value;
  }

  async #dump(): Promise<StormKey[]> {
    const keys: StormKey[] = [];
    for (const space of this.#spaces) {
      for (let i = 0; i < KEYS; i++) {
        const { key, siblings, context } = await space.getEntry(`k${i}`);
        const standing = siblings.map(({ version: { dot }, value }) => {
          const digest = createHash('sha256').update(value).digest('hex');
          return `${dot.replica}:${dot.seq}=${digest}`;
        });
        keys.push({ space: space.name, key, standing, seen: [...context] });
      }
    }
    return keys;
  }
}

function tell(news: StormNews): void {
  process.send?.(news);
}

async function main({ nodeId, path, port, seeds, seed }: StormSetup): Promise<void> {
  const cuts = new Map<string, LinkProfile>();
  let shaped: ShapedTransport | undefined;
  const node = await createNode({
    region: nodeId,
    nodeId,
    storage: { path },
    listen: `127.0.0.1:${port}`,
    seeds: seeds.map((each) => `127.0.0.1:${each}`),
    limits: { state: { inlineValueBytes: 2_048, maxChain: 4 } },
    transport: (own) => (shaped = shapeTransport(own, ({ nodeId: peer }) => cuts.get(peer ?? ''))),
  });
  const spaces = [
    node.keyspace('lww', { policy: 'lww' }) as Space,
    node.keyspace('siblings', { policy: 'siblings' }) as Space,
  ];
  const storm = new StormNode(seed, spaces, cuts, shaped!);
  process.on('message', (message: StormOrder) => void storm.obey(message));
  process.on('disconnect', () => process.exit());
  tell({ news: 'up' });
}

const [, script, setup] = process.argv;
if (script?.endsWith('storm-node.js') && setup !== undefined) {
  void main(JSON.parse(setup) as StormSetup);
}
