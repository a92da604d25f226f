/** Calls over a fake network on a simulated clock: what happens, and at which millisecond. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import test from 'ava';
import { DwcpError, isDwcpError } from '../../lib/errors.ts';
import type { Link } from '../../lib/links/link.ts';
import type { CallContext, RpcCallEvent } from '../../lib/rpc/index.ts';
import { failedWith, follow, world } from '../fakes/rpc-world.ts';

/** A promise that a test settles when it likes. */
class Gate {
  open!: () => void;
  readonly opened: Promise<void> = new Promise((resolve) => (this.open = resolve));
}

const echo = (payload: Buffer): Buffer => payload;
const isPublished = (event: unknown): event is RpcCallEvent =>
  typeof event === 'object' &&
  event !== null &&
  'service' in event &&
  event.service === 'published';

const idempotent = { idempotent: true } as const;
const ping = Buffer.from('ping');

test('a call goes to the nearest node that serves the name', async (t) => {
  const { clock, caller, near, far } = await world();
  near.handle('echo', () => Buffer.from('near'));
  far.handle('echo', () => Buffer.from('far'));
  await clock.advance(100);
  t.deepEqual(caller.serving('echo').toSorted(), ['f', 'n']);
  const box = follow(clock, caller.call('echo', ping));
  await clock.advance(5);
  t.is(box.outcome?.value?.toString(), 'near');
  t.is(box.outcome?.tookMs, 1);
});

test('a node that serves the name itself answers its own calls, unless told not to', async (t) => {
  const { clock, caller, near } = await world();
  caller.handle('echo', () => Buffer.from('self'));
  near.handle('echo', () => Buffer.from('near'));
  await clock.advance(100);
  t.is((await caller.call('echo', ping)).toString(), 'self');
  const box = follow(clock, caller.call('echo', ping, { local: false }));
  await clock.advance(5);
  t.is(box.outcome?.value?.toString(), 'near');
  const excluded = follow(clock, caller.call('echo', ping, { exclude: ['c', 'n'] }));
  await clock.advance(1_001);
  failedWith(t, excluded, 'ERR_DWCP_NO_ENDPOINT');
});

test('a killed node: idempotent calls move in the same turn, others fail as possibly executed', async (t) => {
  const { clock, net, caller, near, far, links } = await world();
  near.handle('work', () => new Promise(() => {}));
  far.handle('work', echo);
  await clock.advance(100);
  const safe = follow(clock, caller.call('work', ping, idempotent));
  const unsafe = follow(clock, caller.call('work', ping));
  await clock.advance(2);
  net.kill(links.near);
  await clock.advance(79);
  failedWith(t, unsafe, 'ERR_DWCP_LINK_DOWN');
  t.is(safe.outcome, undefined);
  await clock.advance(1);
  t.is(safe.outcome?.tookMs, 82);
  t.is(caller.stats().retried, 1);
});

test('a frozen node: waiting calls are hedged at once, new ones go elsewhere, none fails', async (t) => {
  const { clock, net, caller, near, far, links } = await world();
  near.handle('work', echo);
  far.handle('work', echo);
  await clock.advance(100);
  net.freeze(links.near);
  const boxes = [];
  for (let i = 0; i < 400; i += 1) {
    boxes.push(follow(clock, caller.call('work', ping, idempotent)));
    await clock.advance(5);
  }
  await clock.advance(500);
  t.true(boxes.every((box) => box.outcome?.value));
  t.true(Math.max(...boxes.map((box) => box.outcome!.tookMs)) <= 31 + 81);
  const stats = caller.stats();
  t.true(stats.hedged <= 8, `hedged ${stats.hedged}`);
  t.is(stats.hedgeWins, stats.hedged);
  t.is(stats.inFlight, 0);

  net.thaw(links.near);
  for (let i = 0; i < 200; i += 1) {
    boxes.push(follow(clock, caller.call('work', ping, idempotent)));
    await clock.advance(5);
  }
  t.is(boxes.at(-30)?.outcome?.tookMs, 1, 'the thawed node is used again');
});

test('a hundred calls waiting on a silent node are all rescued: the hedge budget is for tails', async (t) => {
  const { clock, net, caller, near, far, links } = await world();
  near.handle('work', echo);
  far.handle('work', echo);
  await clock.advance(100);
  net.freeze(links.near);
  const boxes = Array.from({ length: 60 }, () =>
    follow(clock, caller.call('work', ping, idempotent)),
  );
  await clock.advance(200);
  t.true(boxes.every((box) => box.outcome?.value));
  t.true(Math.max(...boxes.map((box) => box.outcome!.tookMs)) <= 31 + 81);
});

test('our own stalled loop is not taken for a silent peer', async (t) => {
  const { clock, net, caller, near, far, links } = await world();
  near.handle('work', echo);
  far.handle('work', echo);
  await clock.advance(100);
  const box = follow(clock, caller.call('work', ping, idempotent));
  await clock.advance(0.7);
  // The reply lies unread in the socket while the loop is blocked; timers run first, then sockets.
  net.freeze(links.caller);
  clock.stall(300);
  await clock.advance(30.8);
  net.thaw(links.caller);
  await clock.advance(5);
  t.truthy(box.outcome?.value);
  t.is(caller.stats().hedged, 0);
  t.false(caller.stats().services[0]?.endpoints.some((endpoint) => endpoint.silent));
});

test('a non-idempotent call is never executed twice', async (t) => {
  const { clock, net, caller, near, far, links } = await world();
  const runs = new Map<string, number>();
  const count = (payload: Buffer): Promise<Buffer> | Buffer => {
    const id = payload.toString();
    runs.set(id, (runs.get(id) ?? 0) + 1);
    return payload;
  };
  near.handle('work', count);
  far.handle('work', count);
  await clock.advance(100);
  const boxes = [];
  for (let i = 0; i < 300; i += 1) {
    boxes.push(follow(clock, caller.call('work', Buffer.from(String(i)), { deadlineMs: 400 })));
    if (i === 50) net.freeze(links.near);
    if (i === 150) net.thaw(links.near);
    if (i === 200) net.kill(links.near);
    await clock.advance(3);
  }
  await clock.advance(2_000);
  t.true(boxes.every((box) => box.outcome));
  t.true([...runs.values()].every((n) => n === 1));
  const ok = boxes.filter((box) => box.outcome?.value).length;
  t.true(ok >= 200, `${ok} ok`);
});

test('a refusal is retried elsewhere even when not idempotent: it was not executed', async (t) => {
  const { clock, caller, near, far } = await world({ maxHandlersInFlight: 1 });
  const gate = new Gate();
  near.handle('work', () => gate.opened);
  far.handle('work', () => Buffer.from('far'));
  await clock.advance(100);
  const first = follow(clock, caller.call('work', ping));
  await clock.advance(2);
  const second = follow(clock, caller.call('work', ping));
  await clock.advance(90);
  t.is(second.outcome?.value?.toString(), 'far');
  gate.open();
  await clock.advance(2);
  t.truthy(first.outcome?.value);
  t.is(near.stats().refused, 1);
});

test('a draining node finishes its handlers, refuses new calls, and callers move on', async (t) => {
  const { clock, caller, near, far } = await world();
  const gate = new Gate();
  near.handle('work', () => gate.opened);
  far.handle('work', () => Buffer.from('far'));
  await clock.advance(100);
  const first = follow(clock, caller.call('work', ping));
  await clock.advance(2);
  const closed = near.close(10_000);
  const second = follow(clock, caller.call('work', ping));
  await clock.advance(90);
  t.is(second.outcome?.value?.toString(), 'far');
  t.is(first.outcome, undefined);
  gate.open();
  await clock.advance(2);
  await closed;
  t.truthy(first.outcome?.value);
  await t.throwsAsync(near.call('work', ping), { code: 'ERR_DWCP_CLOSED' });
});

test('cancelling reaches the handler and the caller gets ERR_DWCP_ABORTED', async (t) => {
  const { clock, caller, near } = await world();
  let seen: CallContext | undefined;
  near.handle('work', (_payload, context) => {
    seen = context;
    return new Promise(() => {});
  });
  await clock.advance(100);
  const controller = new AbortController();
  const box = follow(clock, caller.call('work', ping, { signal: controller.signal, key: 'k' }));
  await clock.advance(2);
  t.false(seen?.signal.aborted);
  t.like(seen, { service: 'work', key: 'k', peer: { nodeId: 'c', region: 'eu' } });
  controller.abort();
  await clock.advance(2);
  failedWith(t, box, 'ERR_DWCP_ABORTED');
  t.true(isDwcpError(seen?.signal.reason, 'ERR_DWCP_ABORTED'));
});

test('the deadline crosses the wire, ends the call and fires the handler’s signal', async (t) => {
  const { clock, caller, near } = await world();
  let seen: CallContext | undefined;
  near.handle('work', (_payload, context) => {
    seen = context;
    void context.signal;
    return new Promise(() => {});
  });
  await clock.advance(100);
  const box = follow(clock, caller.call('work', ping, { deadlineMs: 250 }));
  await clock.advance(249);
  t.is(box.outcome, undefined);
  t.is(seen?.deadlineMs, 250);
  await clock.advance(2);
  failedWith(t, box, 'ERR_DWCP_DEADLINE');
  t.is(box.outcome?.tookMs, 250);
  t.true(seen?.signal.aborted);
});

test('an error of the handler comes back with its code and message, and is not retried', async (t) => {
  const { clock, caller, near, far } = await world();
  near.handle('work', () => {
    throw Object.assign(new Error('no such price'), { code: 'E_PRICE' });
  });
  far.handle('work', echo);
  await clock.advance(100);
  const box = follow(clock, caller.call('work', ping, idempotent));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_REMOTE');
  t.is(box.outcome?.error?.message, 'no such price');
  t.like(box.outcome?.error?.detail, { code: 'E_PRICE', nodeId: 'n', service: 'work' });
});

test('json payloads and replies; a codec both sides do not share is refused', async (t) => {
  const { clock, caller, near } = await world();
  near.handle('sum', (list) => Array.isArray(list) && list.reduce((a, b) => a + b, 0), {
    codec: 'json',
  });
  await clock.advance(100);
  const reply = caller.call('sum', [1, 2, 3], { codec: 'json' });
  await clock.advance(5);
  t.is(await reply, 6);
  const box = follow(clock, caller.call('sum', ping));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_INVALID_ARG');
});

test('a call waits for a link that comes back, and gives up with ERR_DWCP_NO_ENDPOINT after a second', async (t) => {
  const { clock, net, caller, near, links } = await world();
  near.handle('work', echo);
  await clock.advance(100);
  for (const link of links.caller.all()) link.close();
  const box = follow(clock, caller.call('work', ping));
  await clock.advance(500);
  t.is(box.outcome, undefined);
  net.connect(links.caller, links.near, 0.5);
  await clock.advance(5);
  t.truthy(box.outcome?.value);
  const none = follow(clock, caller.call('nothing', ping));
  await clock.advance(1_000);
  failedWith(t, none, 'ERR_DWCP_NO_ENDPOINT');
  t.is(none.outcome?.tookMs, 1_000);
});

test('links that come and go before anything is sent do not use up the attempts of a call', async (t) => {
  const { clock, net, caller, near, links } = await world();
  near.handle('work', echo);
  await clock.advance(100);
  for (const link of links.caller.all()) link.close();
  let refused = 0;
  const refuse = (link: Link): void => {
    link.open = () => {
      refused += 1;
      throw new DwcpError('ERR_DWCP_LINK_DOWN', 'gone already');
    };
  };
  links.caller.on('up', refuse);
  const box = follow(clock, caller.call('work', ping));
  for (let flap = 0; flap < 20; flap++) {
    net.connect(links.caller, links.near, 0.5);
    await clock.advance(5);
    for (const link of links.caller.all()) link.close();
  }
  t.true(refused >= 20, `${refused} attempts began`);
  links.caller.off('up', refuse);
  net.connect(links.caller, links.near, 0.5);
  await clock.advance(5);
  t.truthy(box.outcome?.value);
});

test('a stuck call is rescued by a node that comes later', async (t) => {
  const { clock, net, caller, near, far, links } = await world();
  near.handle('work', echo);
  await clock.advance(100);
  net.freeze(links.near);
  const box = follow(clock, caller.call('work', ping, idempotent));
  await clock.advance(300);
  far.handle('work', echo);
  await clock.advance(130);
  t.truthy(box.outcome?.value);
});

test('authorize refuses by service, before the handler runs', async (t) => {
  const { clock, caller, near, links } = await world();
  near.handle('work', () => t.fail());
  links.near.allow = (verb, namespace) => !(verb === 'call' && namespace === 'work');
  await clock.advance(100);
  const box = follow(clock, caller.call('work', ping));
  await clock.advance(5);
  failedWith(t, box, 'ERR_DWCP_UNAUTHORIZED');
});

test('limits: payload, calls in flight, services, one handler per service', async (t) => {
  const { clock, caller, near } = await world({
    maxPayloadBytes: 100,
    maxCallsInFlight: 1,
    maxServices: 2,
  });
  near.handle('big', () => Buffer.alloc(101));
  near.handle('slow', () => new Promise(() => {}));
  t.throws(() => near.handle('big', echo), { code: 'ERR_DWCP_INVALID_ARG' });
  t.throws(() => near.handle('third', echo), { code: 'ERR_DWCP_LIMIT' });
  t.throws(() => near.handle('', echo), { code: 'ERR_DWCP_INVALID_ARG' });
  await clock.advance(100);
  await t.throwsAsync(caller.call('big', Buffer.alloc(101)), { code: 'ERR_DWCP_LIMIT' });
  await t.throwsAsync(caller.call('big', ping, { deadlineMs: 0 }), {
    code: 'ERR_DWCP_INVALID_ARG',
  });
  const big = follow(clock, caller.call('big', ping));
  await clock.advance(5);
  failedWith(t, big, 'ERR_DWCP_REMOTE');
  t.is(big.outcome?.error?.detail?.['code'], 'ERR_DWCP_LIMIT');
  const slow = follow(clock, caller.call('slow', ping, { deadlineMs: 50 }));
  await t.throwsAsync(caller.call('slow', ping), { code: 'ERR_DWCP_LIMIT' });
  await clock.advance(60);
  failedWith(t, slow, 'ERR_DWCP_DEADLINE');
});

test('unregistering stops the announcement; a one-way call resolves when handed over', async (t) => {
  const { clock, caller, near } = await world();
  const got: string[] = [];
  const stop = near.handle('note', (payload) => void got.push(payload.toString()));
  await clock.advance(100);
  const box = follow(clock, caller.call('note', ping, { oneWay: true }));
  await clock.advance(0);
  t.is(box.outcome?.value?.length, 0);
  await clock.advance(2);
  t.deepEqual(got, ['ping']);
  stop();
  stop();
  await clock.advance(2);
  t.deepEqual(caller.serving('note'), []);
});

test('garbage on the channel costs its stream and is counted', async (t) => {
  const { clock, near, links } = await world();
  const stream = links.caller.get('n')!.open(1);
  let closed: DwcpError | undefined;
  stream.onClose((error) => (closed = error));
  void stream.send(Buffer.from([9, 9, 9]));
  await clock.advance(5);
  t.is(closed?.code, 'ERR_DWCP_STREAM_RESET');
  t.is(near.stats().malformed, 1);
});

test('every ended call is published and counted; nothing stays behind', async (t) => {
  const { clock, caller, near, far } = await world();
  near.handle('published', echo);
  far.handle('published', echo);
  await clock.advance(100);
  const events: RpcCallEvent[] = [];
  const listen = (event: unknown): void => {
    if (isPublished(event)) events.push(event);
  };
  subscribe('dwcp:rpc:call', listen);
  const idle = clock.pending;
  const box = follow(clock, caller.call('published', ping));
  await clock.advance(5);
  unsubscribe('dwcp:rpc:call', listen);
  t.truthy(box.outcome?.value);
  t.like(events[0], {
    service: 'published',
    nodeId: 'n',
    attempts: 1,
    hedged: false,
    error: undefined,
  });
  t.is(clock.pending, idle, 'no timer is left');
  const stats = caller.stats();
  t.like(stats, { calls: 1, ok: 1, failed: 0, inFlight: 0 });
  t.is(stats.latencyMs.count, 1);
  t.is(stats.services[0]?.endpoints.length, 2);
});
