/**
 * One child process of the demo: an ordinary dwcp node with storage of its own, whose links are shaped
 * like a WAN, doing what the parent asks. It ends when the parent does.
 */
import { readFile } from 'node:fs/promises';
import { createNode, type DwcpNode } from '../../node/index.ts';
import {
  partitioned,
  shapeTransport,
  wanProfile,
  type LinkEnd,
  type LinkProfile,
  type ShapedTransport,
} from '../../testing/index.ts';
import { reasonOf } from '../command.ts';
import { cpuMs } from './machine.ts';
import { sha256Of } from './inputs.ts';
import { OpenLoop } from './open-loop.ts';
import {
  dotText,
  keyspaces,
  machineMs,
  type CutEnd,
  type KeyspaceName,
  type MemberConfig,
  type MemberMessage,
  type RequestMessage,
  type RequestName,
  type Requests,
  type SeenKey,
  type SeenValue,
} from './protocol.ts';
import { roundTripMs, writer } from './wan.ts';

const service = 'quote';
const callDeadlineMs = 2_000;

type Handlers = {
  readonly [N in RequestName]: (args: Requests[N]['args']) => Promise<Requests[N]['answer']>;
};

function tell(message: MemberMessage): void {
  // The channel may close under us; 'disconnect' then ends the process.
  if (process.connected) process.send?.(message, () => {});
}

class DemoMember {
  #node: DwcpNode | undefined;
  #config: MemberConfig | undefined;
  #load: OpenLoop | undefined;
  #transport: ShapedTransport | undefined;
  #cutFrom: readonly CutEnd[] = [];

  readonly handlers: Handlers = {
    start: (config) => this.#start(config),
    putFile: async ({ key, path }) => {
      const bytes = await readFile(path);
      const calledMs = machineMs();
      const { dot } = await this.#assets().put(key, bytes);
      return { calledMs, durableMs: machineMs(), dot: dotText(dot) };
    },
    put: async ({ keyspace, key, value }) => {
      await this.#json(keyspace).put(key, value as string);
      return { durableMs: machineMs() };
    },
    look: ({ keyspace, key }) => this.#look(keyspace, key),
    digest: async ({ key }) => {
      const bytes = await this.#assets().get(key);
      return bytes && sha256Of(bytes);
    },
    readMany: ({ keyspace, keys }) =>
      Promise.all(keys.map(async (key) => (await this.#json(keyspace).getEntry(key)).value)),
    cpu: async () => cpuMs(),
    peers: async () => this.#running().status().peers,
    cut: async ({ from }) => this.#cut(from),
    startCalls: async ({ perSecond }) => {
      this.#load ??= new OpenLoop(
        perSecond,
        () => this.#call(),
        (records) => tell({ type: 'calls', records }),
      );
    },
    stopCalls: async () => {
      await this.#load?.stop();
      this.#load = undefined;
    },
  };

  async #start(config: MemberConfig): Promise<{ address: MemberConfig['listen'] }> {
    const { nodeId, region, listen, seeds, storagePath } = config;
    this.#config = config;
    this.#cutFrom = config.cutFrom;
    this.#node = await createNode({
      nodeId,
      region,
      cluster: 'demo',
      listen,
      seeds,
      storage: { path: storagePath },
      transport: (own) => (this.#transport = shapeTransport(own, (end) => this.#profile(end))),
    });
    for (const name of Object.keys(keyspaces))
      this.#node.keyspace(name, keyspaces[name as KeyspaceName]);
    this.#assets().subscribe(({ key, version, origin }) => {
      if (origin === 'remote') {
        tell({ type: 'fresh', key, atMs: machineMs(), dot: dotText(version.dot) });
      }
    });
    if (nodeId !== writer) this.#node.handle(service, () => Buffer.from(nodeId));
    return { address: this.#node.address! };
  }

  /** Each end delays what it sends by half of the round trip; a cut holds both directions. */
  #profile({ address, nodeId, region }: LinkEnd): LinkProfile {
    const isCut = this.#cutFrom.some(
      (end) => end.nodeId === nodeId || (address && end.address?.port === address.port),
    );
    const profile = region ? wanProfile(roundTripMs(this.#config!.region, region)) : {};
    return isCut ? partitioned(profile) : profile;
  }

  async #cut(from: readonly CutEnd[]): Promise<undefined> {
    this.#cutFrom = from;
    this.#transport?.refresh();
  }

  async #call(): Promise<string> {
    const reply = await this.#running().call(service, Buffer.from('EUR'), {
      idempotent: true,
      local: false,
      deadlineMs: callDeadlineMs,
    });
    return reply.toString('utf8');
  }

  async #look(keyspace: KeyspaceName, key: string): Promise<SeenKey> {
    const space = this.#json(keyspace);
    const entry = await space.getEntry(key);
    const standing: SeenValue[] = entry.siblings.map(({ value, version }) => ({
      value,
      region: version.region,
    }));
    const audited: SeenValue[] = [];
    for await (const record of space.audit({ key })) {
      audited.push({ value: await record.loserValue(), region: record.loser.region });
    }
    const visible = keyspaces[keyspace].policy === 'lww' ? standing.slice(0, 1) : standing;
    return { visible, audited };
  }

  #running(): DwcpNode {
    if (this.#node === undefined) throw new Error('this node has not started');
    return this.#node;
  }

  #assets() {
    return this.#running().keyspace('assets', keyspaces.assets);
  }

  #json(name: KeyspaceName) {
    if (name === 'assets') throw new Error('assets holds bytes');
    return this.#running().keyspace(name, keyspaces[name]);
  }
}

const member = new DemoMember();

process.on('message', (message) => {
  const { id, op, args } = message as RequestMessage;
  const handler = member.handlers[op] as (args: unknown) => Promise<unknown>;
  Promise.resolve()
    .then(() => handler(args))
    .then(
      (value) => tell({ type: 'answer', id, value }),
      (error: unknown) => tell({ type: 'refusal', id, reason: reasonOf(error) }),
    );
});
// Ctrl-C reaches the whole process group; the parent decides how its children end.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
