/** Bulk over links whose real sockets are reset again and again: all of it arrives, once and in order. */
import { createHash } from 'node:crypto';
import test from 'ava';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { Channel, type Hello, type NodeLinks } from '../../lib/links/link.ts';
import { type Random, seededRandom, systemRandom } from '../../lib/random.ts';
import {
  ioTransport,
  netTransport,
  type PipeTransport,
  Priority,
  tlsTransport,
} from '../../lib/transport/index.ts';
import { anyPort, helloOf, linked, linksOf, until } from '../fakes/node-rig.ts';
import { cuttingRelay } from '../seam/cutting-relay.ts';
import { pause } from '../seam/hostile-peer.ts';

const MESSAGES = 60;
const MESSAGE_BYTES = 256 * 1024;
const DELAY_MS = 10;

const day = 86_400_000;
const valid = { notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
const authority = createAuthority({ name: 'root', random: systemRandom, ...valid });

function identityOf({ cluster, region, nodeId }: Hello): Parameters<typeof tlsTransport>[0] {
  const identity = { cluster, region, nodeId };
  const credentials = issueCertificate(authority, { identity, random: systemRandom, ...valid });
  return { identity: { ...credentials, ca: authority.cert } };
}

const transports: Readonly<Record<string, (hello: Hello) => PipeTransport>> = {
  'node:net': () => netTransport({ allowPlaintext: true }),
  'the engine': () => ioTransport({ allowPlaintext: true }),
  'node:tls': (hello) => tlsTransport(identityOf(hello)),
  'TLS of the engine': (hello) => ioTransport(identityOf(hello)),
};

/** Resets come early, late, and in bursts; the first socket has none until the test wants it. */
function allowances(random: Random): () => number {
  let connections = 0;
  return () => {
    connections += 1;
    if (connections === 1) return Infinity;
    // What joins may be cut in its handshake, too.
    if (random.next() < 0.3) return Math.floor(random.next() * 4_000);
    return Math.floor(random.next() * 3_000_000);
  };
}

/** Sends all messages, numbered, and says what arrived. */
async function transfer(
  from: NodeLinks,
  to: NodeLinks,
  cut: () => void,
): Promise<{ readonly numbers: number[]; readonly sent: string; readonly received: string }> {
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const numbers: number[] = [];
  const all = until<void>(60_000, 'the last message', (done) =>
    to.handle(Channel.state, (_link, stream) =>
      stream.onMessage((message) => {
        numbers.push(message.readUInt32LE(0));
        received.update(message);
        if (numbers.length === MESSAGES) done();
      }),
    ),
  );
  const stream = from.get('a')!.open(Channel.state);
  const random = seededRandom(9);
  for (let number = 0; number < MESSAGES; number++) {
    const message = Buffer.alloc(MESSAGE_BYTES, Math.floor(random.next() * 256));
    message.writeUInt32LE(number, 0);
    sent.update(message);
    void stream.send(message, { priority: Priority.bulk }).catch(() => {});
    // Until both ends know that they number, a link ends with its socket: several turns of acknowledgements.
    for (let turn = 0; number === 0 && turn < 10; turn++) await pause(30);
    if (number === 0) cut();
  }
  await all;
  return { numbers, sent: sent.digest('hex'), received: received.digest('hex') };
}

for (const [name, transportOf] of Object.entries(transports)) {
  for (const seed of [1, 2]) {
    test.serial(
      `${name}, seed ${seed}: sockets reset at any byte lose nothing and repeat nothing`,
      async (t) => {
        const [a, b] = ['a', 'b'].map((nodeId) => {
          const hello = helloOf(nodeId);
          const transport = transportOf(hello);
          return linksOf(hello, { transport, limits: { resumeTimeoutMs: 20_000 } });
        }) as [NodeLinks, NodeLinks];
        let downs = 0;
        for (const links of [a, b]) links.on('down', () => (downs += 1));
        const target = await a.listen(anyPort);
        const allowance = allowances(seededRandom(seed));
        const relay = await cuttingRelay({ target, delayMs: DELAY_MS, allowance });
        try {
          b.dial(relay.address);
          await linked(b, 'a');
          const { numbers, sent, received } = await transfer(b, a, () => relay.limit(300_000));
          t.deepEqual(
            numbers,
            Array.from({ length: MESSAGES }, (_, n) => n),
          );
          t.is(received, sent);
          t.is(downs, 0);
          t.true(relay.cuts >= 3, `${relay.cuts} sockets were cut`);
          t.true(b.get('a')!.stats().cuts! >= 3);
        } finally {
          await Promise.all([a.close(0), b.close(0)]);
          relay.close();
        }
      },
    );
  }
}
