/**
 * The types users see, held by the compiler: each `@ts-expect-error` below is an error again as soon as the
 * declaration accepts what it must not. The assertions only make AVA content.
 */
import test from 'ava';
import { local } from '../../lib/index.ts';
import type { DwcpNode, NodeOptions } from '../../lib/index.ts';
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

test('the public types compile as users write them', (t) => {
  t.is(typeof compiled, 'function');
});
