/** Streams over a fake network on a simulated clock: order, ends, cancel, deadlines, moving on. */
import test, { type ExecutionContext } from 'ava';
import { isDwcpError, type DwcpError, type ErrorCode } from '../../lib/errors.ts';
import {
  HandlerError,
  bidiStream,
  clientStream,
  defineService,
  isRemoteError,
  oneWay,
  serverStream,
  unary,
  type CallContext,
} from '../../lib/rpc/index.ts';
import type { StallingClock } from '../fakes/clock.ts';
import { world, type World } from '../fakes/rpc-world.ts';

const numbers = defineService({
  name: 'numbers',
  methods: {
    double: unary<number, number>({ idempotent: true }),
    note: oneWay<number>(),
    count: serverStream<{ upTo: number }, number>(),
    sum: clientStream<number, number>(),
    echo: bidiStream<number, number>(),
    raw: serverStream({ codec: 'bytes' }),
  },
});

/** Handlers that do what the names say. */
function plain(noted: number[] = []): Parameters<typeof serveOn>[1] {
  return {
    double: (n) => n * 2,
    note: (n) => void noted.push(n),
    *count({ upTo }) {
      for (let n = 1; n <= upTo; n += 1) yield n;
    },
    async sum(items) {
      let sum = 0;
      for await (const n of items) sum += n;
      return sum;
    },
    async *echo(items) {
      for await (const n of items) yield n;
    },
    *raw(bytes) {
      for (const byte of bytes) yield Buffer.from([byte]);
    },
  };
}

const serveOn = (
  { near }: World,
  implementation: Parameters<typeof near.serve<typeof numbers.methods>>[1],
): (() => void) => near.serve(numbers, implementation);

/** Waits for a promise while the simulated clock runs. */
async function within<T>(clock: StallingClock, task: Promise<T>, ms = 50): Promise<T> {
  let settled = false;
  const watch = async (): Promise<void> => {
    await task.catch(() => {});
    settled = true;
  };
  void watch();
  for (let waited = 0; waited < ms && !settled; waited += 1) await clock.advance(1);
  if (!settled) throw new Error(`not settled within ${ms} simulated ms`);
  return task;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function fails(
  t: ExecutionContext,
  clock: StallingClock,
  task: Promise<unknown>,
  code: ErrorCode,
  ms = 50,
): Promise<DwcpError> {
  const error: unknown = await within(clock, task, ms).then(
    (value) => new Error(`came to ${String(value)}`),
    (cause: unknown) => cause,
  );
  if (!isDwcpError(error, code)) throw error;
  t.is(error.code, code);
  return error;
}

test('all five kinds of method, through a link and on the node itself', async (t) => {
  const w = await world();
  const noted: number[] = [];
  serveOn(w, plain(noted));
  await w.clock.advance(100);
  for (const caller of [w.caller, w.near]) {
    const client = numbers.client(caller);
    t.is(await within(w.clock, client.double(21)), 42);
    await within(w.clock, client.note(7));
    t.deepEqual(
      await within(w.clock, all(client.count({ upTo: 100 }))),
      [...Array(101).keys()].slice(1),
    );
    t.deepEqual(await within(w.clock, all(client.count({ upTo: 0 }))), []);
    t.is(await within(w.clock, client.sum([1, 2, 3])), 6);
    t.is(await within(w.clock, client.sum([])), 0);
    t.deepEqual(await within(w.clock, all(client.echo([1, 2, 3]))), [1, 2, 3]);
    const raw = await within(w.clock, all(client.raw(Buffer.from('ab'))));
    t.deepEqual(raw, [Buffer.from('a'), Buffer.from('b')]);
  }
  await w.clock.advance(10);
  t.deepEqual(noted, [7, 7]);
  t.like(w.caller.stats(), { inFlight: 0, streams: 0, failed: 0 });
  t.is(w.near.stats().handling, 0);
  t.is(
    w.caller
      .stats()
      .services.flatMap(({ endpoints }) => endpoints.map((e) => e.inFlight))
      .reduce((a, b) => a + b, 0),
    0,
  );
});

test('each side of a bidirectional stream goes at its own pace', async (t) => {
  const w = await world();
  serveOn(w, plain());
  await w.clock.advance(100);
  const asked: number[] = [];
  const source = (async function* () {
    for (const n of [1, 2, 3]) {
      asked.push(n);
      yield n;
    }
  })();
  const replies = numbers.client(w.caller).echo(source);
  await w.clock.advance(10);
  t.deepEqual(asked, [], 'nothing begins before the first item is asked for');
  t.deepEqual(await within(w.clock, replies.next()), { done: false, value: 1 });
  t.deepEqual(await within(w.clock, replies.next()), { done: false, value: 2 });
  t.deepEqual(await within(w.clock, replies.next()), { done: false, value: 3 });
  t.true((await within(w.clock, replies.next())).done);
});

test('an error in mid-stream comes after the items before it, with the handler’s code and detail', async (t) => {
  const w = await world();
  serveOn(w, {
    ...plain(),
    async *count() {
      yield 1;
      throw new HandlerError('OUT_OF_NUMBERS', 'no more', { left: 0 });
    },
    sum: () => Promise.reject(new HandlerError('NO', 'thanks')),
  });
  await w.clock.advance(100);
  const client = numbers.client(w.caller);
  const items = client.count({ upTo: 9 });
  t.deepEqual(await within(w.clock, items.next()), { done: false, value: 1 });
  const error = await fails(t, w.clock, items.next(), 'ERR_DWCP_REMOTE');
  t.true(isRemoteError(error, 'OUT_OF_NUMBERS'));
  t.false(isRemoteError(error, 'OTHER'));
  t.like(error.detail, { code: 'OUT_OF_NUMBERS', detail: { left: 0 }, nodeId: 'n' });
  t.true((await items.next()).done);
  const refused = await fails(t, w.clock, client.sum([1]), 'ERR_DWCP_REMOTE');
  t.true(isRemoteError(refused, 'NO'));
});

test('leaving the loop early cancels the producer, and gives everything back', async (t) => {
  const w = await world();
  let context: CallContext | undefined;
  let closed = false;
  serveOn(w, {
    ...plain(),
    async *count(_request, given) {
      context = given;
      void given.signal;
      try {
        for (let n = 0; ; n += 1) {
          yield n;
          await new Promise<void>((resolve) => w.clock.setTimer(resolve, 1));
        }
      } finally {
        closed = true;
      }
    },
  });
  await w.clock.advance(100);
  const seen: number[] = [];
  await within(
    w.clock,
    (async () => {
      for await (const n of numbers.client(w.caller).count({ upTo: 0 })) {
        seen.push(n);
        if (n === 3) break;
      }
    })(),
  );
  t.deepEqual(seen, [0, 1, 2, 3]);
  await w.clock.advance(10);
  t.true(closed, 'the generator was closed');
  t.is((context!.signal.reason as DwcpError).code, 'ERR_DWCP_ABORTED');
  t.is(w.near.stats().handling, 0);
  t.is(w.caller.stats().streams, 0);
});

test('an AbortSignal and a deadline end a stream here and at the handler', async (t) => {
  const w = await world();
  const reasons: string[] = [];
  serveOn(w, {
    ...plain(),
    async *count(_request, { signal }) {
      signal.addEventListener('abort', () => reasons.push((signal.reason as DwcpError).code));
      yield 1;
      await new Promise((_resolve, reject) => signal.addEventListener('abort', reject));
    },
  });
  await w.clock.advance(100);
  const client = numbers.client(w.caller);
  const controller = new AbortController();
  const aborted = client.count({ upTo: 1 }, { signal: controller.signal });
  await within(w.clock, aborted.next());
  controller.abort(new Error('enough'));
  const error = await fails(t, w.clock, aborted.next(), 'ERR_DWCP_ABORTED');
  t.is((error.cause as Error).message, 'enough');
  const late = client.count({ upTo: 1 }, { deadlineMs: 20 });
  await within(w.clock, late.next());
  await fails(t, w.clock, late.next(), 'ERR_DWCP_DEADLINE');
  await w.clock.advance(30);
  t.deepEqual(reasons.toSorted(), ['ERR_DWCP_ABORTED', 'ERR_DWCP_DEADLINE']);
  t.is(w.near.stats().handling, 0);
});

test('a stream refused by a full node goes to the next, and the source is asked only once', async (t) => {
  const w = await world({ maxHandlersInFlight: 1 });
  for (const node of [w.near, w.far]) node.serve(numbers, plain());
  w.near.handle('busy', () => new Promise(() => {}));
  await w.clock.advance(100);
  w.caller.call('busy', Buffer.alloc(0), { deadlineMs: 1_000 }).catch(() => {});
  await w.clock.advance(5);
  const asked: number[] = [];
  const source = (function* () {
    for (const n of [1, 2]) {
      asked.push(n);
      yield n;
    }
  })();
  t.is(await within(w.clock, numbers.client(w.caller).sum(source), 300), 3);
  t.deepEqual(asked, [1, 2]);
  t.is(w.caller.stats().retried, 1);
  t.is(w.near.stats().refused, 1);
});

test('a killed node ends its streams in the same turn; one not taken yet moves if idempotent', async (t) => {
  const w = await world();
  const forever = { ...plain(), count: () => endless() };
  for (const node of [w.near, w.far]) node.serve(numbers, forever);
  await w.clock.advance(100);
  const client = numbers.client(w.caller);
  const taken = client.count({ upTo: 1 });
  await within(w.clock, taken.next());
  const moving = client.count({ upTo: 1 }, { idempotent: true });
  const first = moving.next();
  const staying = client.count({ upTo: 1 });
  const lost = staying.next();
  w.net.kill(w.links.near);
  await fails(t, w.clock, taken.next(), 'ERR_DWCP_LINK_DOWN', 2);
  await fails(t, w.clock, lost, 'ERR_DWCP_LINK_DOWN', 2);
  t.deepEqual(await within(w.clock, first, 100), { done: false, value: 0 });
  await moving.return!();
});

test('a frozen node: an idempotent opening moves on, a taken stream ends by its idle timeout', async (t) => {
  const w = await world();
  for (const node of [w.near, w.far]) node.serve(numbers, { ...plain(), count: () => endless() });
  await w.clock.advance(100);
  const client = numbers.client(w.caller);
  const taken = client.count({ upTo: 1 }, { idleTimeoutMs: 200 });
  await within(w.clock, taken.next());
  await w.clock.advance(2);
  w.net.freeze(w.links.near);
  const moved = client.count({ upTo: 1 }, { idempotent: true });
  t.deepEqual(await within(w.clock, moved.next(), 200), { done: false, value: 0 });
  await moved.return!();
  await fails(t, w.clock, all(taken), 'ERR_DWCP_DEADLINE', 300);
  const stuck = client.count({ upTo: 1 }, { exclude: ['f'] });
  await fails(t, w.clock, stuck.next(), 'ERR_DWCP_DEADLINE', 5_100);
});

test('a source that throws fails its caller with that very error, and the handler hears of it', async (t) => {
  const w = await world();
  const heard: string[] = [];
  serveOn(w, {
    ...plain(),
    async sum(items) {
      try {
        for await (const n of items) void n;
      } catch (error) {
        heard.push((error as DwcpError).code);
      }
      return 0;
    },
  });
  await w.clock.advance(100);
  const broken = (function* () {
    yield 1;
    throw new RangeError('broken source');
  })();
  await t.throwsAsync(within(w.clock, numbers.client(w.caller).sum(broken)), {
    instanceOf: RangeError,
  });
  await w.clock.advance(10);
  t.deepEqual(heard, ['ERR_DWCP_ABORTED']);
  t.is(w.near.stats().handling, 0);
});

test('a handler that replies before it read everything stops the source', async (t) => {
  const w = await world();
  serveOn(w, {
    ...plain(),
    async sum(items) {
      for await (const n of items) return n;
      return 0;
    },
  });
  await w.clock.advance(100);
  let closed = false;
  async function* source(): AsyncGenerator<number> {
    try {
      for (let n = 5; ; n += 1) {
        yield n;
        await new Promise<void>((resolve) => w.clock.setTimer(resolve, 1));
      }
    } finally {
      closed = true;
    }
  }
  t.is(await within(w.clock, numbers.client(w.caller).sum(source())), 5);
  await w.clock.advance(10);
  t.true(closed);
  t.is(w.near.stats().handling, 0);
});

test('closing a node ends its own streams at once and tells handlers to end theirs', async (t) => {
  const w = await world();
  serveOn(w, {
    ...plain(),
    async *count(_request, { signal }) {
      yield 1;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      yield 2;
    },
  });
  await w.clock.advance(100);
  const client = numbers.client(w.caller);
  const [a, b] = [client.count({ upTo: 1 }), client.count({ upTo: 1 })];
  await within(w.clock, Promise.all([a.next(), b.next()]));
  const closing = w.near.close();
  t.deepEqual(await within(w.clock, all(a)), [2], 'the handler ended in order');
  await within(w.clock, closing);
  const closed = w.caller.close();
  await within(w.clock, closed);
  t.throws(() => client.count({ upTo: 1 }), { code: 'ERR_DWCP_CLOSED' });
});

test('a peer of an older release is passed over; alone, it is a typed error before any work', async (t) => {
  const w = await world();
  serveOn(w, plain());
  await w.clock.advance(100);
  Object.assign(w.links.caller.get('n')!.peer, { wireMax: 1 });
  const client = numbers.client(w.caller);
  t.is(await within(w.clock, client.double(2)), 4, 'unary calls go on in version 1');
  const old = await fails(t, w.clock, all(client.count({ upTo: 1 })), 'ERR_DWCP_FRAME_VERSION');
  t.like(old.detail, { nodeId: 'n' });
  const withMetadata = client.double(2, { metadata: { a: 'b' } });
  await fails(t, w.clock, withMetadata, 'ERR_DWCP_FRAME_VERSION');
  t.is(w.near.stats().malformed, 0);
  w.far.serve(numbers, plain());
  await w.clock.advance(100);
  t.deepEqual(await within(w.clock, all(client.count({ upTo: 2 })), 300), [1, 2]);
});

async function* endless(): AsyncGenerator<number> {
  yield 0;
  await new Promise(() => {});
}
