/** A caller and two peers over the fake network, and ways to follow a call on its clock. */
import type { ExecutionContext } from 'ava';
import type { DwcpError, ErrorCode } from '../../lib/errors.ts';
import type { CallLimits } from '../../lib/limits.ts';
import { seededRandom } from '../../lib/random.ts';
import { createRpc, type Rpc } from '../../lib/rpc/index.ts';
import { StallingClock } from './clock.ts';
import { FakeNetwork, type FakeLinks } from './network.ts';

const seed = 7;

export interface World {
  readonly clock: StallingClock;
  readonly net: FakeNetwork;
  readonly caller: Rpc;
  readonly near: Rpc;
  readonly far: Rpc;
  readonly links: { readonly caller: FakeLinks; readonly near: FakeLinks; readonly far: FakeLinks };
}

/** A caller, a peer 0.5 ms away in its region, and one 40 ms away in another. */
export async function world(limits: Partial<CallLimits> = {}): Promise<World> {
  const clock = new StallingClock();
  const net = new FakeNetwork(clock);
  const links = {
    caller: net.node('c', 'eu'),
    near: net.node('n', 'eu'),
    far: net.node('f', 'us'),
  };
  const rpc = (of: FakeLinks): Rpc =>
    createRpc({ links: of, clock, random: seededRandom(seed), self: of.self, limits });
  const [caller, near, far] = [rpc(links.caller), rpc(links.near), rpc(links.far)];
  net.connect(links.caller, links.near, 0.5);
  net.connect(links.caller, links.far, 40);
  await clock.advance(100);
  return { clock, net, caller, near, far, links };
}

export interface Outcome {
  readonly value?: Buffer;
  readonly error?: DwcpError;
  readonly tookMs: number;
}

/** Follows a promise on the simulated clock. */
export function follow(clock: StallingClock, promise: Promise<Buffer>): { outcome?: Outcome } {
  const box: { outcome?: Outcome } = {};
  const startMs = clock.monotonic();
  promise.then(
    (value) => (box.outcome = { value, tookMs: clock.monotonic() - startMs }),
    (error: DwcpError) => (box.outcome = { error, tookMs: clock.monotonic() - startMs }),
  );
  return box;
}

/** Asserts that a followed promise failed with this code. */
export function failedWith(t: ExecutionContext, box: { outcome?: Outcome }, code: ErrorCode): void {
  t.is(box.outcome?.error?.code, code, `outcome: ${JSON.stringify(box.outcome)}`);
}
