/**
 * The types users see, held by the compiler: each `@ts-expect-error` below is an error again as soon as the
 * declaration accepts what it must not. The assertions only make AVA content.
 */
import test from 'ava';
import { local } from '../../lib/index.ts';
import type { DwcpNode, NodeOptions } from '../../lib/index.ts';
import {
  bidiStream,
  clientStream,
  defineService,
  isRemoteError,
  oneWay,
  serverStream,
  unary,
  type Codec,
  type ItemStream,
} from '../../lib/rpc/index.ts';
import type { Entry, JsonValue } from '../../lib/replication/index.ts';

/** Each assignable to the other. */
type Same<A, B> = [A, B] extends [B, A] ? true : false;
const same = <A, B>(yes: Same<A, B>): boolean => yes;

/** Never called: it must compile. */
async function compiled(node: DwcpNode): Promise<void> {
  const bytes = node.keyspace('bytes');
  same<Awaited<ReturnType<typeof bytes.get>>, Buffer | undefined>(true);
  // @ts-expect-error a keyspace of bytes takes no text
  await bytes.put('key', 'text');
  const json = node.keyspace('json', { codec: 'json', policy: 'siblings' });
  same<Awaited<ReturnType<typeof json.get>>, Entry<JsonValue>>(true);
  // @ts-expect-error undefined is not JSON
  await json.put('key', undefined);
  // @ts-expect-error an unknown policy
  node.keyspace('x', { policy: 'last' });
  // @ts-expect-error a misspelt option
  node.keyspace('x', { polcy: 'lww' });
  for await (const { key, value, origin } of json.watch('a')) {
    same<typeof key, string>(true);
    same<typeof value, JsonValue | undefined>(true);
    same<typeof origin, 'local' | 'remote'>(true);
  }
  const reply = await node.call('service', new Uint8Array(1), { deadlineMs: 5, idempotent: true });
  same<typeof reply, Buffer>(true);
  // @ts-expect-error bytes by default
  await node.call('service', { a: 1 });
  await node.call('service', { a: 1 }, { codec: 'json' });
  // @ts-expect-error a misspelt option
  await node.call('service', new Uint8Array(1), { deadline: 5 });
  node.handle('service', (payload, { signal, deadlineMs, peer }) => {
    same<typeof payload, Buffer>(true);
    same<typeof signal, AbortSignal>(true);
    return Buffer.from(`${peer.nodeId} ${deadlineMs}`);
  });
  node.on('peerDown', ({ nodeId, error }) => `${nodeId} ${error?.code ?? ''}`);
  // @ts-expect-error no such event
  node.on('peerGone', () => undefined);
  // @ts-expect-error the region is required
  const options: NodeOptions = { listen: false };
  await using cluster = await local({ regions: [options.region] });
  await cluster.in('a').close();
}

interface User {
  readonly id: string;
}
const custom: Codec = { name: 'c', encode: () => new Uint8Array(0), decode: () => ({}) };
const users = defineService({
  name: 'users',
  methods: {
    get: unary<{ id: string }, User>({ idempotent: true }),
    ping: unary<void, number>(),
    log: oneWay<string>(),
    list: serverStream<{ prefix: string }, User>({ codec: custom }),
    add: clientStream<User, { added: number }>(),
    chat: bidiStream<string, User>(),
    copy: unary({ codec: 'bytes' }),
    pour: bidiStream({ codec: 'bytes' }),
  },
});

/** Never called: it must compile. */
async function compiledService(node: DwcpNode): Promise<void> {
  const client = users.client(node);
  same<keyof typeof client, 'get' | 'ping' | 'log' | 'list' | 'add' | 'chat' | 'copy' | 'pour'>(
    true,
  );
  const user = await client.get({ id: '7' }, { deadlineMs: 5, metadata: { trace: 'a' } });
  same<typeof user, User>(true);
  same<Awaited<ReturnType<typeof client.ping>>, number>(true);
  await client.ping();
  await client.ping(undefined, { idempotent: true });
  // @ts-expect-error the request is required
  await client.get();
  // @ts-expect-error a request of the wrong type
  await client.get({ id: 7 });
  // @ts-expect-error no such method
  client.put({});
  // @ts-expect-error metadata are texts
  await client.get({ id: '7' }, { metadata: { a: 1 } });
  // @ts-expect-error calls have no idle timeout
  await client.get({ id: '7' }, { idleTimeoutMs: 5 });
  same<Awaited<ReturnType<typeof client.log>>, void>(true);
  const list = client.list({ prefix: 'a' }, { idleTimeoutMs: 5 });
  same<typeof list, ItemStream<User>>(true);
  for await (const each of list) same<typeof each, User>(true);
  const added = await client.add([{ id: '1' }]);
  same<typeof added, { added: number }>(true);
  // @ts-expect-error items of the wrong type
  await client.add([1]);
  for await (const each of client.chat(['a'])) same<typeof each, User>(true);
  same<Awaited<ReturnType<typeof client.copy>>, Buffer>(true);
  // @ts-expect-error bytes are not text
  await client.copy('text');
  // @ts-expect-error a method of bytes takes no types of values
  unary<string, string>({ codec: 'bytes' });
  // @ts-expect-error a misspelt option
  unary<string, string>({ idempotant: true });
  // @ts-expect-error a handler is missing
  node.serve(users, { get: () => ({ id: '1' }) });
  node.serve(users, {
    get: ({ id }, { metadata, signal }) => {
      same<typeof id, string>(true);
      same<typeof signal, AbortSignal>(true);
      return { id: metadata['trace'] ?? id };
    },
    ping: async () => 1,
    log: (text) => void same<typeof text, string>(true),
    async *list({ prefix }) {
      yield { id: prefix };
    },
    add: async (items) => {
      let count = 0;
      for await (const { id } of items) count += id.length;
      return { added: count };
    },
    async *chat(lines) {
      for await (const line of lines) yield { id: line };
    },
    copy: (bytes) => {
      same<typeof bytes, Buffer>(true);
      return new Uint8Array(bytes);
    },
    pour: (chunks) => chunks,
  });
  try {
    await client.ping();
  } catch (error) {
    if (isRemoteError(error, 'X')) same<typeof error.detail.nodeId, string>(true);
  }
}

test('the public types compile as users write them', (t) => {
  t.is(typeof compiled, 'function');
  t.is(typeof compiledService, 'function');
});
