/** Messages of the rpc channel: they come back as they went, and nothing else decodes. */
import test from 'ava';
import * as fc from 'fast-check';
import { DwcpError } from '../../lib/errors.ts';
import {
  PayloadCodec,
  Refusal,
  decodeMessage,
  encodeAnnounce,
  encodeError,
  encodeRefused,
  encodeRequestHeader,
  okHeader,
  wireBounds,
  type Message,
} from '../../lib/rpc/wire.ts';

const seed = 20_261_122;
const limits = { maxPayloadBytes: 1_000, maxServices: 16 };

const text = (maxBytes: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength: 40 }).filter((s) => Buffer.byteLength(s) <= maxBytes);
const name = text(wireBounds.serviceBytes).filter((s) => s.length > 0);
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

const header = fc.record({
  service: name,
  codec: fc.constantFrom(PayloadCodec.bytes, PayloadCodec.json),
  idempotent: fc.boolean(),
  oneWay: fc.boolean(),
  deadlineMs: fc.integer({ min: 1, max: wireBounds.deadlineMs }),
  key: fc.option(text(wireBounds.keyBytes), { nil: undefined }),
});

const encoded: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .tuple(header, bytes(100))
    .map(([head, body]) => Buffer.concat([encodeRequestHeader(head), body])),
  bytes(100).map((body) => Buffer.concat([okHeader, body])),
  fc
    .tuple(text(wireBounds.codeBytes), text(1_000))
    .map(([code, message]) => encodeError(code, message)),
  fc.constantFrom(...Object.values(Refusal)).map((reason) => encodeRefused(reason)),
  fc.uniqueArray(name, { maxLength: 16 }).map((names) => encodeAnnounce(names)),
);

/** The bytes a decoded message would be sent as. */
function encodeAgain(message: Message): Buffer {
  if (message.type === 'request') {
    return Buffer.concat([encodeRequestHeader(message.header), message.payload]);
  }
  if (message.type === 'ok') return Buffer.concat([okHeader, message.payload]);
  if (message.type === 'error') return encodeError(message.code, message.text);
  if (message.type === 'refused') return encodeRefused(message.reason);
  return encodeAnnounce(message.services);
}

/** Decodes, or returns undefined for a typed refusal; anything else thrown fails the test. */
function tryDecode(input: Buffer): Message | undefined {
  try {
    return decodeMessage(input, limits);
  } catch (error) {
    if (error instanceof DwcpError) return undefined;
    throw error;
  }
}

test('a request comes back field by field', (t) => {
  fc.assert(
    fc.property(header, bytes(200), (head, body) => {
      const message = decodeMessage(Buffer.concat([encodeRequestHeader(head), body]), limits);
      t.deepEqual(message, { type: 'request', header: head, payload: body });
    }),
    { seed, numRuns: 300 },
  );
});

test('the encoding is canonical: whatever decodes encodes to the same bytes', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(encoded, fc.nat(), fc.integer({ min: 0, max: 255 }), (message, at, value) => {
        const changed = Buffer.from(message);
        if (changed.length > 0) changed[at % changed.length] = value;
        const decoded = tryDecode(changed);
        return decoded === undefined || encodeAgain(decoded).equals(changed);
      }),
      { seed, numRuns: 5_000 },
    ),
  );
});

test('arbitrary bytes decode or are refused with a typed error', (t) => {
  const shaped = fc
    .tuple(fc.integer({ min: 1, max: 5 }), bytes(300))
    .map(([type, rest]) => Buffer.concat([Buffer.from([1, type]), rest]));
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.oneof(bytes(300), shaped), (input) => {
        const decoded = tryDecode(input);
        return decoded === undefined || encodeAgain(decoded).equals(input);
      }),
      { seed, numRuns: 5_000 },
    ),
  );
});

test('every truncation of a message without payload is refused', (t) => {
  const messages = [encodeError('E_X', 'text'), encodeRefused(1), encodeAnnounce(['a', 'bc'])];
  for (const message of messages) {
    for (let length = 0; length < message.length; length += 1) {
      t.is(tryDecode(message.subarray(0, length)), undefined);
    }
    t.is(tryDecode(Buffer.concat([message, Buffer.from([0])])), undefined);
  }
});

test('limits are checked before anything is read', (t) => {
  const code = (input: Buffer): string | undefined =>
    t.throws(() => decodeMessage(input, limits), { instanceOf: DwcpError })?.code;
  t.is(code(Buffer.concat([okHeader, Buffer.alloc(1_001)])), 'ERR_DWCP_LIMIT');
  t.is(code(Buffer.from([1, 5, 0, 17])), 'ERR_DWCP_LIMIT');
  t.is(code(Buffer.from([2, 1])), 'ERR_DWCP_FRAME_VERSION');
  t.is(code(Buffer.from([1, 9])), 'ERR_DWCP_FRAME_KIND');
  t.is(code(Buffer.from([1, 1, 0x80])), 'ERR_DWCP_FRAME_FLAGS');
  t.is(code(Buffer.from([1, 1, 0, 7])), 'ERR_DWCP_FRAME_CODEC');
  t.is(code(encodeAnnounce(['b', 'b'])), 'ERR_DWCP_FRAME_CORRUPT');
  t.is(encodeError('x'.repeat(100), 'é'.repeat(9_000)).length, 5 + 64 + 4_096);
});
