/** Handlers, hooks and listeners of the user's that throw, reject or never answer: none takes the node down. */
import { getEventListeners } from 'node:events';
import test from 'ava';
import { sleep, systemClock } from '../../lib/clock.ts';
import { isDwcpError } from '../../lib/errors.ts';
import type { LocalOptions } from '../../lib/node/index.ts';
import { createNode, local } from '../../lib/node/index.ts';
import { seededRandom } from '../../lib/random.ts';
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

test('listeners that throw are logged, and the node goes on', async (t) => {
  const errors: string[] = [];
  const quiet = (): void => {};
  const logger = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (_particulars: object, message: string) => void errors.push(message),
  };
  const cluster = await local({ regions: ['a', 'b', 'c'], node: () => ({ logger }) });
  t.teardown(() => cluster.close());
  const [a, b, c] = cluster.nodes;
  const throws = thrower(() => undefined);
  let heard = 0;
  for (const event of ['peerUp', 'peerDown', 'peerSuspect', 'peerAlive', 'linkRefused'] as const) {
    a!.on(event, throws);
    a!.on(event, () => heard++);
  }
  await c!.close();
  await eventually('b alone is left', () => a!.status().regions.length >= 2 && heard > 0);
  const [here, there] = [a!.keyspace('k'), b!.keyspace('k')];
  there.subscribe(throws);
  // What a user's own listener may well do.
  // oxlint-disable-next-line typescript/no-misused-promises
  there.subscribe(() => Promise.reject(new Error('asynchronous')));
  await here.put('key', nothing);
  await eventually('it arrives', async () => (await there.get('key')) !== undefined);
  await eventually(
    'both are logged',
    () => errors.filter((text) => text === 'a watcher threw').length === 2,
  );
  t.true(errors.includes('a listener threw'));
});

test('one signal serves any number of calls and watches, and nothing stays on it', async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const cluster = await local({ regions: ['a', 'b'] });
  const [a, b] = cluster.nodes;
  const { signal } = new AbortController();
  const keyspace = b!.keyspace('k');
  b!.handle('work', (payload) => payload);
  await eventually('announced', () => a!.serving('work').length === 1);
  const watches = Array.from({ length: 1_000 }, () => keyspace.watch('', { signal }));
  const next = watches.map((watch) => watch.next());
  for (let i = 0; i < 50; i++) keyspace.subscribe(() => {}, { signal });
  await Promise.all(Array.from({ length: 100 }, () => a!.call('work', nothing, { signal })));
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => keyspace.put(`key ${i}`, nothing, { signal })),
  );
  t.true((await Promise.all(next)).every(({ done }) => !done));
  await Promise.all(watches.slice(500).map(async (watch) => watch.return?.()));
  await cluster.close();
  await sleep(systemClock, 10);
  t.is(getEventListeners(signal, 'abort').length, 0);
  t.deepEqual(warnings, []);
});

test('overlapping calls of next on a watch are served in turn, and all end with it', async (t) => {
  const cluster = await local({ regions: ['a'] });
  const keyspace = cluster.in('a').keyspace('k', { codec: 'json' });
  const watch = keyspace.watch();
  const [first, second, third] = [watch.next(), watch.next(), watch.next()];
  await keyspace.put('one', 1);
  await keyspace.put('two', 2);
  t.is((await first).value?.key, 'one');
  t.is((await second).value?.key, 'two');
  await cluster.close();
  t.true((await third).done);
});

test('a node with thousands of keyspaces still links', async (t) => {
  const cluster = await local({ regions: ['a'] });
  t.teardown(() => cluster.close());
  const [a] = cluster.nodes;
  for (let i = 0; i < 2_000; i++) a!.keyspace(`a-name-as-long-as-those-of-tenants-are-${i}`);
  const late = await createNode({ region: 'b', seeds: [a!.address!] });
  t.teardown(() => late.close());
  await late.linked(1, { signal: AbortSignal.timeout(5_000) });
  t.deepEqual(
    late.status().peers.map(({ nodeId, state }) => [nodeId, state]),
    [[a!.nodeId, 'alive']],
  );
});

test('an option that is unknown or of the wrong type is refused by name', async (t) => {
  const cluster = await local({ regions: ['a'] });
  t.teardown(() => cluster.close());
  const node = cluster.in('a');
  const keyspace = node.keyspace('k', { codec: 'json' });
  node.handle('work', (payload) => payload);
  const key = 'a';
  const wrong: readonly (readonly [
    name: string,
    attempt: (value: never) => unknown,
    values: unknown[],
  ])[] = [
    ['options', (value) => node.keyspace('x', value), [null, 5, { polcy: 'lww' }]],
    ['options', (value) => keyspace.put(key, 1, value), [null, 5, { ctx: 1 }]],
    ['context', (context) => keyspace.put(key, 1, { context }), [5, {}, null, new Map([['a', 5]])]],
    ['signal', (signal) => keyspace.delete(key, { signal }), [5, {}, null]],
    ['prefix', (value) => keyspace.watch(value), [5, null]],
    ['signal', (signal) => keyspace.watch('', { signal }), [5, null]],
    ['listener', (value) => keyspace.subscribe(value), [undefined, 5, {}]],
    ['prefix', (prefix) => keyspace.subscribe(() => {}, { prefix }), [5, null]],
    ['prefix', (value) => keyspace.scan(value).next(), [5, null]],
    ['key', (value) => keyspace.audit({ key: value }).next(), [5, null]],
    ['key', (value) => keyspace.get(value), [5, null, '', '\ud800', 'x'.repeat(1_025)]],
    ['options', (value) => node.call('work', nothing, value), [null, 5, { deadline: 5 }]],
    [
      'deadlineMs',
      (deadlineMs) => node.call('work', nothing, { deadlineMs }),
      ['9', NaN, -1, null],
    ],
    ['idempotent', (idempotent) => node.call('work', nothing, { idempotent }), ['yes', 1]],
    ['exclude', (exclude) => node.call('work', nothing, { exclude }), ['abc', 5, [5]]],
    ['signal', (signal) => node.call('work', nothing, { signal }), [5, {}, null]],
    ['codec', (codec) => node.handle('other', () => {}, { codec }), ['xml', 5]],
    ['count', (value) => node.linked(value), [NaN, '1', -1, 0.5]],
    ['regions', (regions) => local({ regions }), ['a', [], ['a', 'a']]],
    ['readyTimeoutMs', (ms) => local({ regions: ['a'], readyTimeoutMs: ms }), [NaN, -1, '9']],
  ];
  for (const [name, attempt, values] of wrong) {
    for (const value of values) {
      const what = `${name}: ${JSON.stringify(value)}`;
      const error = await t.throwsAsync(async () => attempt(value as never), undefined, what);
      t.true(isDwcpError(error, 'ERR_DWCP_INVALID_ARG'), `${what}: ${String(error)}`);
      t.true(error?.message.includes(name), `${what}: ${String(error)}`);
    }
  }
  t.is(await keyspace.get(key), undefined);
});

test('a value too large for one peer is reported and tried again; everything else goes on', async (t) => {
  const warnings: string[] = [];
  const quiet = (): void => {};
  const warn = (_particulars: object, message: string): void => void warnings.push(message);
  const logger = { debug: quiet, info: quiet, warn, error: quiet };
  const small = { link: { maxMessageBytes: 700_000 }, state: { maxValueBytes: 100_000 } };
  const limits = { ...small, call: { maxPayloadBytes: 100_000 } };
  const cluster = await local({
    regions: ['a', 'b'],
    node: ({ region }) => (region === 'b' ? { limits } : { logger }),
  });
  t.teardown(() => cluster.close());
  const [here, there] = cluster.nodes.map((node) => node.keyspace('k'));
  await here!.put('large', Buffer.from(seededRandom(1).bytes(900_000)));
  await here!.put('small', nothing);
  await eventually('small arrives', async () => (await there!.get('small')) !== undefined);
  await eventually('large is reported', () => warnings.includes('an update could not be sent'));
  const session = cluster.in('a').status().replication.peers[0]?.session;
  t.like(session, { inFlight: 0, inFlightBytes: 0, waitingKeys: 1 });
});
