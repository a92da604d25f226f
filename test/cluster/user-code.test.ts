/** Handlers, hooks and listeners of the user's that throw, reject or never answer: none takes the node down. */
import test from 'ava';
import { isDwcpError } from '../../lib/errors.ts';
import type { LocalOptions } from '../../lib/node/index.ts';
import { local } from '../../lib/node/index.ts';
import { eventually } from './replication-rig.ts';

const nothing = Buffer.alloc(0);

function thrower(change: (error: Error) => unknown): () => never {
  return () => {
    const error = new Error('x');
    change(error);
    throw error;
  };
}

function getter(error: Error, name: string): void {
  Object.defineProperty(error, name, {
    get: () => {
      throw new Error('a getter');
    },
  });
}

test('a handler may throw anything: the caller gets ERR_DWCP_REMOTE, near and far', async (t) => {
  const cluster = await local({ regions: ['a', 'b'] });
  t.teardown(() => cluster.close());
  const strange: Record<string, () => unknown> = {
    null: () => Promise.reject(null),
    symbol: () => Promise.reject(Symbol('s')),
    bare: () => Promise.reject(Object.create(null)),
    object: thrower((error) => Object.assign(error, { message: { a: 1 } })),
    code: thrower((error) => getter(error, 'code')),
    message: thrower((error) => getter(error, 'message')),
    long: thrower((error) =>
      Object.assign(error, { message: 'é'.repeat(50_000), code: 'C'.repeat(999) }),
    ),
    lone: thrower((error) => Object.assign(error, { message: '\ud800' })),
  };
  const [near, far] = [cluster.in('a'), cluster.in('b')];
  for (const [name, handler] of Object.entries(strange)) {
    near.handle(`near-${name}`, handler as () => undefined);
    far.handle(`far-${name}`, handler as () => undefined);
  }
  for (const name of Object.keys(strange).flatMap((each) => [`near-${each}`, `far-${each}`])) {
    const error = await t.throwsAsync(
      near.call(name, nothing, { deadlineMs: 3_000 }),
      undefined,
      name,
    );
    t.true(isDwcpError(error, 'ERR_DWCP_REMOTE'), `${name}: ${error?.message.slice(0, 99)}`);
    t.is(typeof error?.message, 'string');
  }
  t.is(near.status().calls.handling + far.status().calls.handling, 0);
});

test('an authorize hook that throws, or is asynchronous, refuses', async (t) => {
  for (const [name, answer] of [
    ['throws', thrower(() => undefined)],
    ['promises false', async () => false],
    ['says nothing', () => undefined],
  ] as const) {
    const authorize = ({ verb }: { verb: string }): boolean =>
      verb === 'link' || (answer() as unknown as boolean);
    const options: LocalOptions = {
      regions: ['a', 'b'],
      node: ({ region }) => (region === 'b' ? { authorize } : {}),
    };
    const cluster = await local(options);
    try {
      const [a, b] = [cluster.in('a'), cluster.in('b')];
      b.handle('work', () => t.fail('ran'));
      await eventually('announced', () => a.serving('work').length === 1);
      const error = await t.throwsAsync(a.call('work', nothing, { deadlineMs: 2_000 }));
      t.true(isDwcpError(error, 'ERR_DWCP_UNAUTHORIZED'), `${name}: ${String(error)}`);
      const [here, there] = [a.keyspace('secret'), b.keyspace('secret')];
      await Promise.all([here.put('from a', nothing), there.put('from b', nothing)]);
      await eventually('refused', () =>
        b.status().replication.peers.some(({ refused }) => refused > 0),
      );
      t.is(await here.get('from b'), undefined);
      t.is(await there.get('from a'), undefined);
    } finally {
      await cluster.close();
    }
  }
});
