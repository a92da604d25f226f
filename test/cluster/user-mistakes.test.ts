/** What users get wrong ends in a coded error where it was done, and costs nobody else anything. */
import { EventEmitter, on } from 'node:events';
import test from 'ava';
import { sleep, systemClock } from '../../lib/clock.ts';
import type { DwcpError } from '../../lib/errors.ts';
import { createNode, local } from '../../lib/node/index.ts';
import { clientStream, defineService, serverStream, unary } from '../../lib/rpc/index.ts';
import {
  connect,
  ioTransport,
  listen,
  netTransport,
  type PipeTransport,
} from '../../lib/transport/index.ts';
import { eventually } from './replication-rig.ts';

const service = defineService({
  name: 'mistakes',
  methods: {
    ask: unary<number, number>(),
    add: clientStream<number, number>(),
    count: serverStream<number, number>(),
    listen: serverStream<undefined, unknown>({ maxInFlight: 1 }),
  },
});

/** Yields for ever, in one turn of the event loop if it may. */
function* endless(): Generator<number> {
  for (let i = 0; ; i++) yield i;
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason as DwcpError,
  );
  return error?.code;
}

test('an endless stream that a node serves to itself leaves timers their turn, and ends by its deadline', async (t) => {
  const cluster = await local({ regions: ['a'] });
  t.teardown(() => cluster.close());
  const node = cluster.in('a');
  const sums: number[] = [];
  node.serve(service, {
    ask: (value) => value,
    async add(items) {
      let sum = 0;
      for await (const item of items) sum += item;
      sums.push(sum);
      return sum;
    },
    count: () => endless(),
    listen: () => [],
  });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  t.teardown(() => clearInterval(timer));
  const down = async (): Promise<void> => {
    let expected = 0;
    for await (const item of service.client(node).count(0, { deadlineMs: 200 })) {
      if (item !== expected++) throw new Error(`item ${item} came as number ${expected - 1}`);
    }
  };
  t.is(await codeOf(down()), 'ERR_DWCP_DEADLINE');
  t.true(ticks > 2, `${ticks} ticks`);
  t.is(await codeOf(service.client(node).add(endless(), { deadlineMs: 200 })), 'ERR_DWCP_DEADLINE');
  t.deepEqual(sums, []);
  t.is(await service.client(node).add([1, 2, 3]), 6);
});

test('promises of a closed node reject, and nothing is thrown past them', async (t) => {
  const cluster = await local({ regions: ['a'] });
  const client = service.client(cluster.in('a'));
  await cluster.close();
  const ended = [client.ask(1), client.add([1])];
  for (const each of ended) t.is(await codeOf(each), 'ERR_DWCP_CLOSED');
  t.throws(() => client.count(1), { code: 'ERR_DWCP_CLOSED' });
});

test('options that are no object are refused where a promise is given', async (t) => {
  const cluster = await local({ regions: ['a'] });
  t.teardown(() => cluster.close());
  const client = service.client(cluster.in('a'));
  t.is(await codeOf(client.ask(1, null as never)), 'ERR_DWCP_INVALID_ARG');
  t.is(await codeOf(client.add([1], 5 as never)), 'ERR_DWCP_INVALID_ARG');
});

for (const kinds of [['call'], ['call', 'stream']]) {
  test(`a reader that leaves frees the place of its handler behind interceptors of ${kinds.join(' and ')}`, async (t) => {
    const cluster = await local({ regions: ['a', 'b'] });
    t.teardown(() => cluster.close());
    const [near, far] = [cluster.in('a'), cluster.in('b')];
    const emitter = new EventEmitter();
    far.serve(service, {
      ask: (value) => value,
      add: () => 0,
      count: () => [],
      // An iterator whose `return` ends the `next` that waits.
      listen: () => on(emitter, 'news'),
    });
    far.intercept('server', {
      call: (request, next) => next(request),
      ...(kinds.includes('stream') && { stream: (request, next) => next(request) }),
    });
    const items = service.client(near).listen(undefined);
    const first = items.next();
    await eventually('the handler', () => emitter.listenerCount('news') === 1);
    emitter.emit('news', 1);
    await first;
    await items.return?.();
    await eventually('its end', () => far.status().calls.handling === 0);
    t.is(emitter.listenerCount('news'), 0);
  });
}

test('times that no timer takes are refused, whoever names them', async (t) => {
  const cluster = await local({ regions: ['a', 'b'] });
  t.teardown(() => cluster.close());
  const [near, far] = [cluster.in('a'), cluster.in('b')];
  far.handle('echo', (bytes) => bytes);
  for (const deadlineMs of [Infinity, 2 ** 31, Number.NaN, 0, -1]) {
    const call = near.call('echo', Buffer.of(1), { deadlineMs });
    t.is(await codeOf(call), 'ERR_DWCP_INVALID_ARG', `${deadlineMs}`);
    t.throws(() => service.client(near).count(1, { idleTimeoutMs: deadlineMs }), {
      code: 'ERR_DWCP_INVALID_ARG',
    });
    t.throws(() => unary({ deadlineMs }), { code: 'ERR_DWCP_INVALID_ARG' });
  }
  for (const defaultDeadlineMs of [Infinity, 2 ** 40]) {
    const options = { region: 'a', limits: { call: { defaultDeadlineMs } } };
    t.is(await codeOf(createNode(options)), 'ERR_DWCP_INVALID_ARG');
  }
});

test('services, implementations, identities and options that are none are refused', async (t) => {
  const cluster = await local({ regions: ['a'] });
  t.teardown(() => cluster.close());
  const node = cluster.in('a');
  const refused = { code: 'ERR_DWCP_INVALID_ARG' };
  for (const name of [undefined, 5, '']) {
    t.throws(() => defineService({ name: name as never, methods: {} }), refused);
  }
  for (const wrong of [undefined, null, {}]) {
    t.throws(() => node.serve(wrong as never, {}), refused);
    t.throws(() => node.setIdentity(wrong as never), refused);
    t.throws(() => ioTransport({ identity: {} as never }), refused);
    t.is(await codeOf(listen(wrong as never)), 'ERR_DWCP_INVALID_ARG');
    t.is(await codeOf(connect(wrong as never)), 'ERR_DWCP_INVALID_ARG');
  }
  t.throws(() => node.serve(service, undefined as never), refused);
});

test('a folder that cannot be made is told as such', async (t) => {
  const opened = createNode({ region: 'a', storage: { path: '/proc/nope/deeper' } });
  const late = sleep(systemClock, 10_000).then(() => 'nothing');
  t.is(await Promise.race([codeOf(opened), late]), 'ERR_DWCP_STORAGE_UNAVAILABLE');
});

const transports: readonly PipeTransport[] = [netTransport(), ioTransport()];
for (const [i, transport] of transports.entries()) {
  test(`listeners without a callback and addresses that are none are refused: ${i} ${transport.tier}`, async (t) => {
    const loopback = { host: '127.0.0.1', port: 0 };
    t.is(await codeOf(transport.listen(loopback, undefined as never)), 'ERR_DWCP_INVALID_ARG');
    for (const wrong of [undefined, null, {}, { ...loopback, port: 'x' }, { port: 9 }]) {
      t.is(await codeOf(transport.connect(wrong as never, {})), 'ERR_DWCP_INVALID_ARG');
      t.is(await codeOf(transport.listen(wrong as never, () => {})), 'ERR_DWCP_INVALID_ARG');
    }
  });
}
