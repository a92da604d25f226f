/** Interceptors, metadata, codecs of the user's own, and limits per caller and service. */
import { deserialize, serialize } from 'node:v8';
import test from 'ava';
import { isDwcpError } from '../../lib/errors.ts';
import {
  bidiStream,
  clientStream,
  defineService,
  serverStream,
  unary,
  type Codec,
  type Interceptor,
} from '../../lib/rpc/index.ts';
import type { StallingClock } from '../fakes/clock.ts';
import { failedWith, follow, world } from '../fakes/rpc-world.ts';

const v8Codec: Codec = { name: 'v8', encode: serialize, decode: deserialize };
const service = defineService({
  name: 's',
  methods: {
    one: unary<string, string>(),
    many: serverStream<string, string>(),
    up: clientStream<string, string>(),
    both: bidiStream<string, string>(),
    dates: unary<Map<string, Date>, Date>({ codec: v8Codec }),
    single: unary<void, void>({ maxInFlight: 1 }),
  },
});

async function drive<T>(clock: StallingClock, task: Promise<T>): Promise<T> {
  await Promise.all([task.catch(() => {}), clock.advance(200)]);
  return task;
}

async function joined(items: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const item of items) text += item;
  return text;
}

test('interceptors wrap every kind on both sides, outermost first, and metadata crosses', async (t) => {
  const { clock, caller, near } = await world();
  const seen: string[] = [];
  near.serve(service, {
    one: (text, { metadata }) => `${text}${metadata['trace'] ?? '-'}`,
    *many(text, { metadata }) {
      yield text;
      yield metadata['trace'] ?? '-';
    },
    up: joined,
    both: (items) => items,
    dates: (map) => map.get('day')!,
    single: () => {},
  });
  await clock.advance(100);
  const tagging = (name: string): Interceptor => ({
    call: async (request, next) => {
      seen.push(`${name} ${request.side} ${request.kind}`);
      const trace = `${request.metadata['trace'] ?? ''}${name}`;
      return next({ ...request, metadata: { ...request.metadata, trace } });
    },
    async *stream(request, next) {
      seen.push(`${name} ${request.side} ${request.kind}`);
      const trace = `${request.metadata['trace'] ?? ''}${name}`;
      for await (const item of next({ ...request, metadata: { trace } })) yield item;
      yield '!';
    },
  });
  const remove = [
    caller.intercept('client', tagging('a')),
    caller.intercept('client', tagging('b')),
    near.intercept('server', tagging('c')),
  ];
  const client = service.client(caller);
  t.is(await drive(clock, client.one('x')), 'xab');
  t.is(await drive(clock, joined(client.many('x'))), 'xab!!!');
  t.is(await drive(clock, client.up(['x', 'y'])), 'xy');
  t.is(await drive(clock, joined(client.both(['x', 'y']))), 'xy!!!');
  t.deepEqual(
    seen,
    ['unary', 'serverStream', 'clientStream', 'bidiStream'].flatMap((kind) => [
      `a client ${kind}`,
      `b client ${kind}`,
      `c server ${kind}`,
    ]),
  );
  for (const each of remove) each();
  t.is(await drive(clock, client.one('x', { metadata: { trace: 'own' } })), 'xown');
  t.throws(() => caller.intercept('client', { calls: 1 } as never), {
    code: 'ERR_DWCP_INVALID_ARG',
  });
});

test('an interceptor refuses by throwing, and answers in the handler’s place', async (t) => {
  const { clock, caller, near } = await world();
  near.handle('work', () => t.fail());
  await clock.advance(100);
  const remove = near.intercept('server', {
    call: async () => {
      throw Object.assign(new Error('not you'), { code: 'NO_TOKEN' });
    },
  });
  const refused = follow(clock, caller.call('work', Buffer.alloc(0)));
  await clock.advance(5);
  failedWith(t, refused, 'ERR_DWCP_REMOTE');
  t.is(refused.outcome?.error?.detail?.['code'], 'NO_TOKEN');
  remove();
  near.intercept('server', { call: async () => Buffer.from('cached') });
  const answered = follow(clock, caller.call('work', Buffer.alloc(0)));
  await clock.advance(5);
  t.is(answered.outcome?.value?.toString(), 'cached');
});

test('a codec of the user’s own carries what JSON cannot; another name is refused before any work', async (t) => {
  const { clock, caller, near } = await world();
  near.handle('day', (map) => (map as Map<string, Date>).get('day'), { codec: v8Codec });
  await clock.advance(100);
  const day = new Date(0);
  const map = new Map([['day', day]]);
  t.deepEqual(await drive(clock, caller.call('day', map, { codec: v8Codec })), day);
  const other = { ...v8Codec, name: 'v9' };
  await t.throwsAsync(drive(clock, caller.call('day', map, { codec: other })), {
    code: 'ERR_DWCP_INVALID_ARG',
    message: /codec/,
  });
  const throwing: Codec = {
    ...v8Codec,
    encode: () => {
      throw new RangeError('x');
    },
  };
  await t.throwsAsync(caller.call('day', map, { codec: throwing }), {
    code: 'ERR_DWCP_INVALID_ARG',
  });
});

test('limits per service and per caller refuse with a code, and the call moves to another node', async (t) => {
  const { clock, caller, near, far } = await world({ maxHandlersPerPeer: 2 });
  const held: (() => void)[] = [];
  const hold = (): Promise<void> => new Promise((resolve) => held.push(resolve));
  near.handle('slow', hold, { maxInFlight: 1 });
  near.handle('other', hold);
  await clock.advance(100);
  const first = follow(clock, caller.call('slow', Buffer.alloc(0)));
  await clock.advance(5);
  const second = follow(clock, caller.call('slow', Buffer.alloc(0)));
  await clock.advance(5);
  failedWith(t, second, 'ERR_DWCP_LIMIT');
  const third = follow(clock, caller.call('other', Buffer.alloc(0)));
  await clock.advance(5);
  const fourth = follow(clock, caller.call('other', Buffer.alloc(0)));
  await clock.advance(5);
  failedWith(t, fourth, 'ERR_DWCP_LIMIT');
  far.handle('other', () => Buffer.from('far'));
  await clock.advance(100);
  const fifth = follow(clock, caller.call('other', Buffer.alloc(0)));
  await clock.advance(200);
  t.is(fifth.outcome?.value?.toString(), 'far');
  for (const release of held) release();
  await clock.advance(10);
  for (const box of [first, third]) t.truthy(box.outcome?.value);
  t.true(isDwcpError(second.outcome?.error));
  t.is(near.stats().handling, 0);
});
