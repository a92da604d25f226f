/**
 * Calls over the shipped links and connections on a simulated network, while links are cut and paths
 * freeze at random; one of three servers is always reachable. Each seed is one deterministic run.
 */
import test, { type ExecutionContext } from 'ava';
import { DwcpError, type ErrorCode } from '../../lib/errors.ts';
import { createLinks, type Links } from '../../lib/links/index.ts';
import { seededRandom, type Random } from '../../lib/random.ts';
import { createRpc, type Rpc } from '../../lib/rpc/index.ts';
import {
  fault,
  shapeTransport,
  SimulatedClock,
  SimulatedNetwork,
  type LinkProfile,
  type ShapedTransport,
} from '../../lib/testing/index.ts';
import type { Address, PipeTransport } from '../../lib/transport/index.ts';

const seeds = Array.from({ length: 12 }, (_, i) => 100 + i);
const callCount = 150;
const deadlineMs = 2_000;
const cutRate = 0.002;
const expected: ReadonlySet<ErrorCode> = new Set([
  'ERR_DWCP_LINK_DOWN',
  'ERR_DWCP_DEADLINE',
  'ERR_DWCP_NO_ENDPOINT',
  'ERR_DWCP_REMOTE',
]);

interface SimulatedNode {
  readonly rpc: Rpc;
  readonly links: Links;
  readonly address: Address;
  readonly transport: ShapedTransport;
  /** Holds everything this node sends. */
  frozen: boolean;
}

/** A transport whose pipes are cut now and then. */
function cutting(inner: PipeTransport, random: Random): PipeTransport {
  return {
    tier: inner.tier,
    listen: (address, onPipe) =>
      inner.listen(address, (pipe) => onPipe(fault(pipe, { cut: cutRate }, random))),
    connect: async (address, options) =>
      fault(await inner.connect(address, options), { cut: cutRate }, random),
  };
}

async function startNode(
  nodeId: string,
  region: string,
  network: SimulatedNetwork,
  clock: SimulatedClock,
  random: Random,
): Promise<SimulatedNode> {
  const state = { frozen: false };
  const profile = (): LinkProfile => ({
    outbound: { delayMs: region === 'eu' ? 0.2 : 20, stalled: state.frozen },
  });
  const transport = shapeTransport(cutting(network.transport(), random), profile, {
    clock,
    random,
  });
  const self = {
    wireMin: 1,
    wireMax: 2,
    cluster: 'sim',
    nodeId,
    incarnation: 1,
    region,
    advertise: undefined,
    codecs: [],
    digests: [],
    maxMessageBytes: 1 << 20,
    policies: {},
  };
  const links = createLinks({ self: () => self, transport, clock, random });
  const address = await links.listen({ host: nodeId, port: 0 });
  const rpc = createRpc({ links, clock, random, self });
  return Object.assign(state, { rpc, links, address, transport });
}

/** Executions of each call id, over all nodes. */
class Ledger {
  readonly runs: Map<string, number> = new Map();

  serve(node: SimulatedNode, clock: SimulatedClock, random: Random): void {
    node.rpc.handle('work', async (payload) => {
      const id = payload.subarray(0, 8).toString();
      this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
      const pauseMs = random.next() < 0.5 ? 0 : random.next() * 40;
      await new Promise<void>((resolve) => clock.setTimer(resolve, pauseMs));
      if (random.next() < 0.02) throw new Error('handler failed');
      return payload;
    });
  }
}

interface Ended {
  readonly id: string;
  readonly idempotent: boolean;
  readonly tookMs: number;
  readonly error: DwcpError | undefined;
}

async function oneCall(rpc: Rpc, clock: SimulatedClock, random: Random, i: number): Promise<Ended> {
  const id = String(i).padStart(8, '0');
  const idempotent = random.next() < 0.5;
  const startMs = clock.monotonic();
  // Some payloads take several frames.
  const payload = Buffer.alloc(8 + (random.next() < 0.1 ? 150_000 : 20));
  payload.write(id);
  try {
    const reply = await rpc.call('work', payload, { deadlineMs, idempotent });
    if (!reply.equals(payload)) throw new Error(`call ${id} came back changed`);
    return { id, idempotent, tookMs: clock.monotonic() - startMs, error: undefined };
  } catch (error) {
    if (!(error instanceof DwcpError)) throw error;
    return { id, idempotent, tookMs: clock.monotonic() - startMs, error };
  }
}

async function run(t: ExecutionContext, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, latencyMs: 0.1 });
  const caller = await startNode('caller', 'eu', network, clock, random);
  const servers = [
    await startNode('near-1', 'eu', network, clock, random),
    await startNode('near-2', 'eu', network, clock, random),
    await startNode('far', 'us', network, clock, random),
  ];
  const ledger = new Ledger();
  for (const server of servers) {
    ledger.serve(server, clock, random);
    caller.links.dial(server.address);
  }
  await clock.advance(500);
  const calls: Promise<Ended>[] = [];
  for (let i = 0; i < callCount; i += 1) {
    calls.push(oneCall(caller.rpc, clock, random, i));
    if (random.next() < 0.02) {
      const victim = servers[Math.floor(random.next() * servers.length)]!;
      victim.frozen = !victim.frozen && servers.filter((server) => server.frozen).length < 2;
      victim.transport.refresh();
    }
    await clock.advance(random.next() * 10);
  }
  await clock.advance(deadlineMs + 10);
  const { inFlight } = caller.rpc.stats();
  t.is(inFlight, 0, `every call ended, seed ${seed}`);
  judge(t, await Promise.all(calls), ledger, seed);
  for (const node of [caller, ...servers]) {
    void node.rpc.close(0);
    void node.links.close(0);
  }
  await clock.advance(5_000);
}

function judge(t: ExecutionContext, ended: readonly Ended[], ledger: Ledger, seed: number): void {
  for (const { id, idempotent, tookMs, error } of ended) {
    const runs = ledger.runs.get(id) ?? 0;
    if (!idempotent) t.true(runs <= 1, `call ${id} ran ${runs} times, seed ${seed}`);
    if (!error) t.true(runs >= 1, `call ${id} was answered without running, seed ${seed}`);
    else
      t.true(expected.has(error.code), `call ${id}: ${error.code} ${error.message}, seed ${seed}`);
    t.true(tookMs <= deadlineMs + 1, `call ${id} took ${tookMs} ms, seed ${seed}`);
  }
  const ok = ended.filter(({ error }) => !error).length;
  t.log(`seed ${seed}: ${ok} of ${ended.length} ok`);
}

for (const seed of seeds) {
  test(`cuts and frozen paths, seed ${seed}: at most once, in time, none lost for good`, (t) =>
    run(t, seed));
}
