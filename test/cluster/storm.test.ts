/**
 * Three processes write to the same keys at once while one after another is killed with SIGKILL and links
 * are cut one way or both. Afterwards all hold the same versions with the same bytes, and every
 * acknowledged write stands or was seen by what stands. DWCP_STORM_SEEDS=1,2,3 chooses other seeds.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { sleep, systemClock } from '../../lib/clock.ts';
import { seededRandom } from '../../lib/random.ts';
import { eventually } from './replication-rig.ts';
import type { StormKey, StormNews, StormOrder, StormSetup } from './storm-node.ts';

const NODES = 3;
const ROUNDS = 3;
const seeds = (process.env['DWCP_STORM_SEEDS'] ?? '1,2').split(',').map(Number);

type Acked = Extract<StormNews, { news: 'acked' }>;

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      return (server.address() as { port: number }).port;
    }),
  );
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** The processes, what they acknowledged and what went wrong. */
class Storm {
  readonly acked: Acked[] = [];
  readonly failed: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #folder: string;
  readonly #ports: readonly number[];

  constructor(folder: string, ports: readonly number[]) {
    this.#folder = folder;
    this.#ports = ports;
  }

  async start(at: number, seed: number): Promise<void> {
    const setup: StormSetup = {
      nodeId: `n${at}`,
      path: join(this.#folder, String(at)),
      port: this.#ports[at]!,
      seeds: this.#ports.filter((_port, other) => other !== at),
      seed,
    };
    const script = fileURLToPath(new URL('storm-node.js', import.meta.url));
    const child = fork(script, [JSON.stringify(setup)]);
    this.#children[at] = child;
    child.on('message', (news: StormNews) => {
      if (news.news === 'acked') this.acked.push(news);
      if (news.news === 'failed') this.failed.push(news.error);
    });
    child.on('exit', (code, signal) => {
      if (signal !== 'SIGKILL') this.failed.push(`n${at} ended with ${code ?? signal}`);
    });
    await heard(child, 'up');
  }

  tell(at: number, order: StormOrder): void {
    this.#children[at]!.send(order);
  }

  tellAll(order: StormOrder): void {
    for (const child of this.#children) child.send(order);
  }

  async kill(at: number): Promise<void> {
    const child = this.#children[at]!;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    const stopped = this.#children.map((child) => heard(child, 'stopped'));
    this.tellAll({ order: 'stop' });
    await Promise.all(stopped);
  }

  async dumps(): Promise<(readonly StormKey[])[]> {
    const dumps = this.#children.map((child) => heard(child, 'dump'));
    this.tellAll({ order: 'dump' });
    return (await Promise.all(dumps)).map(({ keys }) => keys);
  }

  async end(): Promise<void> {
    await Promise.all(this.#children.map((_child, at) => this.kill(at)));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function heard<N extends StormNews['news']>(
  child: ChildProcess,
  news: N,
): Promise<Extract<StormNews, { news: N }>> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error(`ended before it said ${news}`));
    const onMessage = (message: StormNews): void => {
      if (message.news !== news) return;
      child.off('message', onMessage).off('exit', onExit);
      resolve(message as Extract<StormNews, { news: N }>);
    };
    child.on('message', onMessage).once('exit', onExit);
  });
}

/** Some seconds of writing with a cut and a kill. */
async function blow(storm: Storm, random: () => number): Promise<void> {
  const pick = (count: number): number => Math.floor(random() * count);
  storm.tellAll({ order: 'write' });
  await sleep(systemClock, 300 + random() * 400);
  const one = pick(NODES);
  const other = (one + 1 + pick(NODES - 1)) % NODES;
  const side = (['both', 'inbound', 'outbound'] as const)[pick(3)]!;
  storm.tell(one, { order: 'cut', from: `n${other}`, side });
  if (side === 'both') storm.tell(other, { order: 'cut', from: `n${one}`, side });
  await sleep(systemClock, 200 + random() * 800);
  const victim = pick(NODES);
  await storm.kill(victim);
  await sleep(systemClock, random() * 200);
  await storm.start(victim, pick(1e6));
  storm.tell(victim, { order: 'write' });
  await sleep(systemClock, random() * 500);
  storm.tellAll({ order: 'heal' });
  await storm.stop();
}

/** Acknowledged writes that some node neither holds nor holds the successor of. */
function lost(acked: readonly Acked[], dumps: readonly (readonly StormKey[])[]): string[] {
  return acked.flatMap(({ space, key, dot }) => {
    const [replica, seq] = dot.split(':');
    const missing = dumps.filter((keys) => {
      const held = keys.find((each) => each.space === space && each.key === key);
      const ranges = held?.seen.find(([id]) => id === replica)?.[1] ?? [];
      return !ranges.some(([first, last]) => first! <= Number(seq) && Number(seq) <= last!);
    });
    return missing.length > 0 ? [`${space}/${key} ${dot} lacks on ${missing.length}`] : [];
  });
}

async function begin(t: ExecutionContext, seed: number): Promise<Storm> {
  const folder = await mkdtemp(join(tmpdir(), 'dwcp-storm-'));
  const storm = new Storm(folder, await freePorts(NODES));
  t.teardown(() => storm.end());
  await Promise.all(Array.from({ length: NODES }, (_, at) => storm.start(at, seed * 100 + at)));
  return storm;
}

for (const seed of seeds) {
  test.serial(
    `killed and cut off in turn, nothing acknowledged is lost (seed ${seed})`,
    async (t) => {
      const random = seededRandom(seed);
      const storm = await begin(t, seed);
      for (let round = 0; round < ROUNDS; round++) await blow(storm, () => random.next());
      let dumps: (readonly StormKey[])[] = [];
      const same = async (): Promise<boolean> => {
        dumps = await storm.dumps();
        const standing = dumps.map((keys) => JSON.stringify(keys.map((each) => each.standing)));
        return new Set(standing).size === 1 && lost(storm.acked, dumps).length === 0;
      };
      // What differs, or is lost, is told below, with the seed.
      await eventually('convergence', same, 45_000).catch(() => undefined);
      t.deepEqual(lost(storm.acked, dumps), []);
      for (const keys of dumps.slice(1)) {
        t.deepEqual(
          keys.map((each) => each.standing),
          dumps[0]!.map((each) => each.standing),
        );
      }
      t.deepEqual(storm.failed, []);
      t.true(storm.acked.length > 100, `${storm.acked.length} acknowledged`);
    },
  );
}
