/** Links over real sockets: one link per peer whatever happens, refusals with a reason, hostile dialers. */
import { connect } from 'node:net';
import test from 'ava';
import { DwcpError } from '../../lib/errors.ts';
import { Channel } from '../../lib/links/link.ts';
import type { Link, NodeLinks } from '../../lib/links/link.ts';
import { netTransport } from '../../lib/transport/index.ts';
import { anyPort, helloOf, linked, linksOf, refused, settled, until } from '../fakes/node-rig.ts';

/** Answers each message on the rpc channel with itself. */
function echo(links: NodeLinks): void {
  links.handle(Channel.rpc, (_, stream) => {
    stream.onMessage((message) => stream.send(message, { end: true }));
  });
}

function ask(link: Link, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = link.open(Channel.rpc);
    stream.onMessage((message) => resolve(message.toString()));
    stream.onClose((error) => reject(error ?? new Error('closed without an answer')));
    stream.send(Buffer.from(text), { end: true }).catch(reject);
  });
}

async function closeAll(...all: readonly NodeLinks[]): Promise<void> {
  await Promise.all(all.map((links) => links.close(100)));
}

test('two nodes link, carry a stream both ways, and part in order', async (t) => {
  const a = linksOf(helloOf('a', { region: 'us' }));
  const b = linksOf(helloOf('b'));
  echo(a);
  echo(b);
  a.dial(await b.listen(anyPort));
  const [toB, toA] = await Promise.all([linked(a, 'b'), linked(b, 'a')]);
  t.is(toA.peer.region, 'us');
  t.is(await ask(toB, 'to b'), 'to b');
  t.is(await ask(toA, 'to a'), 'to a');
  t.is(toB.stats().streams, 0);
  const down = until<DwcpError | undefined>(2_000, 'down', (done) =>
    b.once('down', (_, error) => done(error)),
  );
  await a.close();
  t.is(await down, undefined);
  t.is(b.get('a'), undefined);
  await b.close();
});

test('simultaneous dials end in one link on both sides, and its streams are served', async (t) => {
  for (let round = 0; round < 20; round++) {
    const a = linksOf(helloOf('a'));
    const b = linksOf(helloOf('b'));
    echo(a);
    echo(b);
    let ups = 0;
    const answers: Promise<string>[] = [];
    const onUp = (link: Link): void => {
      ups += 1;
      answers.push(ask(link, link.peer.nodeId));
    };
    a.on('up', onUp);
    b.on('up', onUp);
    const [atA, atB] = await Promise.all([a.listen(anyPort), b.listen(anyPort)]);
    a.dial(atB);
    b.dial(atA);
    await settled([a, b], 'one link', () => a.all().length === 1 && b.all().length === 1);
    // Streams opened the moment a link came up are answered: no link that came up was given up.
    t.deepEqual((await Promise.all(answers)).toSorted(), ['a', 'b']);
    t.is(ups, 2);
    t.is(a.stats().replaced + b.stats().replaced, 0);
    await closeAll(a, b);
  }
});

test('a node that dials itself finds out and stops', async (t) => {
  const a = linksOf(helloOf('a'));
  const b = linksOf(helloOf('b'));
  const address = await a.listen(anyPort);
  a.dial(address);
  a.dial(await b.listen(anyPort));
  await linked(a, 'b');
  await settled([a], 'the self-dial to end', () => a.stats().halfOpen === 0);
  t.is(a.stats().links, 1);
  t.is(a.stats().dials, 2);
  t.is(a.stats().refused, 0);
  await closeAll(a, b);
});

test('one address under two names makes one link', async (t) => {
  const a = linksOf(helloOf('a'));
  const b = linksOf(helloOf('b'));
  const { port } = await a.listen(anyPort);
  b.dial({ host: '127.0.0.1', port });
  await linked(b, 'a');
  b.dial({ host: 'localhost', port });
  await until<void>(2_000, 'duplicate', (done) => {
    const look = (): void => (a.stats().duplicates > 0 ? done() : void setImmediate(look));
    look();
  });
  t.is(a.all().length, 1);
  t.is(b.all().length, 1);
  await closeAll(a, b);
});

test('a restarted peer, newer incarnation, is linked again', async (t) => {
  const a = linksOf(helloOf('a'));
  const first = linksOf(helloOf('b'));
  const address = await first.listen(anyPort);
  a.dial(address);
  await linked(a, 'b');
  const down = until<void>(2_000, 'down', (done) => a.once('down', () => done()));
  await first.close(0);
  await down;
  const second = linksOf(helloOf('b', { incarnation: 2 }));
  await second.listen(address);
  t.is((await linked(a, 'b')).peer.incarnation, 2);
  await closeAll(a, second);
});

test('a newer incarnation takes the place of an older one at once, the older is refused', async (t) => {
  const a = linksOf(helloOf('a'));
  const address = await a.listen(anyPort);
  const older = linksOf(helloOf('b', { incarnation: 1 }));
  older.dial(address);
  await linked(a, 'b');
  const order: string[] = [];
  a.on('up', ({ peer }) => order.push(`up ${peer.incarnation}`));
  a.on('down', ({ peer }) => order.push(`down ${peer.incarnation}`));
  const newer = linksOf(helloOf('b', { incarnation: 2 }));
  const refusal = refused(older);
  newer.dial(address);
  const error = await refusal;
  t.is(error.code, 'ERR_DWCP_HANDSHAKE');
  t.regex(error.message, /started again/);
  t.deepEqual(order, ['down 1', 'up 2']);
  t.is(a.get('b')?.peer.incarnation, 2);
  await closeAll(a, older, newer);
});

test('the larger node id takes a restarted arbiter back', async (t) => {
  const b = linksOf(helloOf('b'));
  const address = await b.listen(anyPort);
  const older = linksOf(helloOf('a', { incarnation: 1 }));
  older.dial(address);
  await linked(b, 'a');
  const newer = linksOf(helloOf('a', { incarnation: 2 }));
  newer.dial(address);
  await settled([b], 'the newer link', () => b.get('a')?.peer.incarnation === 2);
  t.is(b.all().length, 1);
  await closeAll(older, newer, b);
});

for (const [what, other, code, reason] of [
  ['another cluster', helloOf('b', { cluster: 'other' }), 'ERR_DWCP_HANDSHAKE', /cluster differs/],
  [
    'no common wire version',
    helloOf('b', { wireMin: 8, wireMax: 9 }),
    'ERR_DWCP_HANDSHAKE',
    /no common wire version/,
  ],
  ['the same node id', helloOf('a', { incarnation: 9 }), 'ERR_DWCP_HANDSHAKE', /used by two/],
] as const) {
  test(`${what} is refused, and both sides learn why`, async (t) => {
    const a = linksOf(helloOf('a'));
    const b = linksOf(other);
    t.teardown(() => closeAll(a, b));
    const both = [refused(a), refused(b)];
    b.dial(await a.listen(anyPort));
    for (const error of await Promise.all(both)) {
      t.is(error.code, code);
      t.regex(error.message, reason);
    }
    t.is(a.all().length + b.all().length, 0);
  });
}

test('the authorize hook refuses a link, on either side', async (t) => {
  for (const refusing of ['a', 'b']) {
    const authorize = (own: string) => (request: { verb: string }) =>
      !(own === refusing && request.verb === 'link');
    const a = linksOf(helloOf('a'), { authorize: authorize('a') });
    const b = linksOf(helloOf('b'), { authorize: authorize('b') });
    let ups = 0;
    a.on('up', () => (ups += 1));
    b.on('up', () => (ups += 1));
    const both = [refused(a), refused(b)];
    b.dial(await a.listen(anyPort));
    for (const error of await Promise.all(both)) t.is(error.code, 'ERR_DWCP_UNAUTHORIZED');
    t.is(ups, 0);
    await closeAll(a, b);
  }
});

test('plaintext is refused where secured links are required', async (t) => {
  const a = linksOf(helloOf('a'), { requireSecure: true });
  const b = linksOf(helloOf('b'));
  const refusal = refused(b);
  b.dial(await a.listen(anyPort));
  t.is((await refusal).code, 'ERR_DWCP_PLAINTEXT_REFUSED');
  await closeAll(a, b);
});

test('a channel nobody serves costs the stream, not the link', async (t) => {
  const a = linksOf(helloOf('a'));
  const b = linksOf(helloOf('b'));
  b.dial(await a.listen(anyPort));
  const link = await linked(b, 'a');
  const error = await t.throwsAsync(ask(link, 'anyone?'));
  t.is((error as DwcpError).code, 'ERR_DWCP_STREAM_RESET');
  t.is(b.get('a'), link);
  await closeAll(a, b);
});

test('a dial is tried again until the address answers, and forgotten when told', async (t) => {
  const a = linksOf(helloOf('a'));
  const probe = await netTransport().listen(anyPort, (pipe) => pipe.destroy());
  await probe.close();
  const failed = refused(a);
  a.dial(probe.address);
  t.is((await failed).code, 'ERR_DWCP_CONNECT');
  const b = linksOf(helloOf('b'));
  await b.listen(probe.address);
  await linked(a, 'b');
  const down = until<void>(2_000, 'down', (done) => b.once('down', () => done()));
  a.forget(probe.address);
  await down;
  t.is(a.stats().addresses, 0);
  await closeAll(a, b);
});

test('a flood of half-open and garbage pipes does not keep an honest peer out', async (t) => {
  const a = linksOf(helloOf('a'), { limits: { maxHalfOpen: 16, handshakeTimeoutMs: 400 } });
  const address = await a.listen(anyPort);
  const transport = netTransport();
  // Pipes that say the preface and then nothing.
  const silent = await Promise.all(
    Array.from({ length: 64 }, () => transport.connect(address, {})),
  );
  // Sockets that say nothing at all, and sockets that say garbage.
  const sockets = Array.from({ length: 64 }, (_, i) => {
    const socket = connect(address.port, address.host);
    socket.on('error', () => {});
    socket.on('connect', () => void (i % 2 === 0 && socket.write(Buffer.alloc(100, i))));
    return socket;
  });
  const b = linksOf(helloOf('b'));
  echo(a);
  b.dial(address);
  t.is(await ask(await linked(b, 'a'), 'still here'), 'still here');
  t.true(a.stats().halfOpen <= 16);
  t.true(a.stats().halfOpenDropped >= 40);
  await settled([a], 'all half-open pipes to expire', () => a.stats().halfOpen === 0);
  for (const pipe of silent) pipe.destroy();
  for (const socket of sockets) socket.destroy();
  t.is(a.all().length, 1);
  await closeAll(a, b);
});

test('garbage in place of a Hello, or data before it, is refused', async (t) => {
  const a = linksOf(helloOf('a'));
  const address = await a.listen(anyPort);
  const transport = netTransport();
  const frame = { flags: 0, channel: 0, stream: 0 };
  for (const bad of [
    { ...frame, kind: 6 as const, payload: [Buffer.from('not json')] },
    { ...frame, kind: 6 as const, payload: [Buffer.from('{"nodeId":7}')] },
    { ...frame, kind: 6 as const, payload: [Buffer.from('{"verdict":"accepted"}')] },
    { ...frame, kind: 4 as const, payload: [Buffer.alloc(8)] },
    { ...frame, kind: 1 as const, stream: 1, flags: 3, payload: [Buffer.from('early')] },
  ]) {
    const refusal = refused(a);
    const pipe = await transport.connect(address, {});
    pipe.start({ onFrames: () => {}, onWritable: () => {}, onClose: () => {} });
    pipe.send([bad]);
    t.is((await refusal).code, 'ERR_DWCP_HANDSHAKE');
    pipe.destroy();
  }
  t.is(a.stats().links, 0);
  await a.close();
});

test('close is idempotent, ends every link, and refuses what comes later', async (t) => {
  const a = linksOf(helloOf('a'));
  const b = linksOf(helloOf('b'));
  b.dial(await a.listen(anyPort));
  await linked(b, 'a');
  await Promise.all([b.close(), b.close()]);
  await t.throwsAsync(b.listen(anyPort), { code: 'ERR_DWCP_CLOSED' });
  t.is(b.all().length, 0);
  await a.close();
});
