/** dwcp as it chooses for itself: links of two nodes, one stream of bulk messages, content known to both. */
import { createHash, type Hash } from 'node:crypto';
import {
  Channel,
  createLinks,
  type Hello,
  type Link,
  type NodeLinks,
} from '../../lib/links/index.ts';
import { systemClock } from '../../lib/clock.ts';
import { systemRandom } from '../../lib/random.ts';
import { ioStatus, ioTransport, Priority } from '../../lib/transport/index.ts';
import type { Stream } from '../../lib/transport/index.ts';
import type { Receiving, Sending, SendOrder } from './party-child.ts';
import { Tenths } from './tenths.ts';

const MESSAGES_UNDER_WAY = 4;

function linksOf(nodeId: string): NodeLinks {
  const self = (): Hello => ({
    wireMin: 1,
    wireMax: 1,
    cluster: 'bench',
    nodeId,
    incarnation: 1,
    region: nodeId,
    advertise: undefined,
    codecs: [],
    digests: [],
    maxMessageBytes: 1 << 24,
    policies: {},
  });
  const transport = ioTransport({ allowPlaintext: true });
  return createLinks({ self, transport, clock: systemClock, random: systemRandom });
}

/** Digests of what was sent and of what arrived must be equal, message by message in order. */
class Digest {
  readonly #hash: Hash = createHash('sha256');
  #messages = 0;

  add(message: Uint8Array): void {
    this.#hash.update(message);
    this.#messages++;
  }

  report(): { readonly messages: number; readonly digest: string } {
    return { messages: this.#messages, digest: this.#hash.copy().digest('hex') };
  }
}

export async function receiveDwcp(): Promise<Receiving> {
  const links = linksOf('far');
  const [tenths, digest] = [new Tenths(), new Digest()];
  let wanted = Infinity;
  let answer: Stream | undefined;
  links.handle(Channel.state, (_link, stream) => {
    stream.onMessage((message) => {
      // The first tells how many follow; 0 for a flow without end, which is not digested.
      if (answer === undefined) {
        answer = stream;
        wanted = message.readUInt32LE(0);
        return;
      }
      tenths.add(message.length);
      if (wanted === 0) return;
      digest.add(message);
      if (digest.report().messages === wanted) void stream.send(Buffer.from('all'));
    });
  });
  const { port } = await links.listen({ host: '0.0.0.0', port: 0 });
  return { port, report: () => ({ tenths: tenths.toJSON(), ...digest.report() }) };
}

export async function sendDwcp(order: SendOrder): Promise<Sending> {
  const links = linksOf('near');
  links.dial(order);
  const link = await new Promise<Link>((resolve) => links.once('up', resolve));
  const stream = link.open(Channel.state);
  const digest = new Digest();
  const done = new Promise<void>((resolve) => stream.onMessage(() => resolve()));
  const count = order.bytes === undefined ? 0 : Math.ceil(order.bytes / order.messageBytes);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(count);
  await stream.send(head);
  void sendMessages(stream, order.messageBytes, count, digest);
  const report = (): Readonly<Record<string, unknown>> => ({
    ...digest.report(),
    tier: ioStatus().tier,
    link: link.stats(),
  });
  return { done, report };
}

/** A few at a time, so that the link never waits for the next. */
async function sendMessages(
  stream: Stream,
  messageBytes: number,
  count: number,
  digest: Digest,
): Promise<void> {
  const flood = contentOf(0, messageBytes);
  const under: Promise<void>[] = [];
  for (let number = 0; count === 0 || number < count; number++) {
    const message = count === 0 ? flood : contentOf(number, messageBytes);
    if (count > 0) digest.add(message);
    under.push(stream.send(message, { priority: Priority.bulk }));
    if (under.length >= MESSAGES_UNDER_WAY) await under.shift();
  }
}

/** Every message differs from the one before in every word. */
function contentOf(number: number, sizeBytes: number): Buffer {
  const words = new Uint32Array(sizeBytes >>> 2);
  let word = (number * 0x9e3779b1) | 1;
  for (let i = 0; i < words.length; i++) {
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b) + i;
    words[i] = word;
  }
  return Buffer.from(words.buffer);
}
