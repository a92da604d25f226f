/** Messages of the rpc channel: they come back as they went, and nothing else decodes. */
import test from 'ava';
import * as fc from 'fast-check';
import { DwcpError } from '../../lib/errors.ts';
import { BatchWriter } from '../../lib/rpc/item-batch.ts';
import { encodeMetadata, metadataBounds, type Metadata } from '../../lib/rpc/metadata.ts';
import {
  Refusal,
  acceptedMessage,
  decodeMessage,
  doneHeader,
  encodeAnnounce,
  encodeError,
  encodeRefused,
  errorBounds,
  okHeader,
  type Message,
} from '../../lib/rpc/wire.ts';
import {
  PayloadCodec,
  StreamKind,
  encodeOpen,
  encodeRequestHeader,
  headerBounds,
  type HeaderFields,
  type RequestHeader,
  type RpcVersion,
} from '../../lib/rpc/wire-request.ts';

const seed = 20_261_122;
const limits = { maxPayloadBytes: 1_000, maxServices: 16 };

const text = (maxBytes: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength: 40 }).filter((s) => Buffer.byteLength(s) <= maxBytes);
const name = text(headerBounds.serviceBytes).filter((s) => s.length > 0);
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

const metadata: fc.Arbitrary<Metadata> = fc.dictionary(
  fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,12}$/),
  text(100),
  { minKeys: 1, maxKeys: 5 },
);
const common = {
  service: name,
  idempotent: fc.boolean(),
  key: fc.option(text(headerBounds.keyBytes), { nil: undefined }),
};
const header1: fc.Arbitrary<RequestHeader> = fc.record({
  ...common,
  oneWay: fc.boolean(),
  codec: fc.constantFrom(PayloadCodec.bytes, PayloadCodec.json),
  codecName: fc.constant(undefined),
  deadlineMs: fc.integer({ min: 1, max: headerBounds.deadlineMs }),
  metadata: fc.constant(undefined),
});
const header2: fc.Arbitrary<RequestHeader> = fc
  .record({
    ...common,
    oneWay: fc.boolean(),
    codec: fc.constantFrom(...Object.values(PayloadCodec)),
    codecName: text(headerBounds.codecNameBytes).filter((s) => s.length > 0),
    deadlineMs: fc.integer({ min: 1, max: headerBounds.deadlineMs }),
    metadata: fc.option(metadata, { nil: undefined }),
  })
  .map((head) => (head.codec === PayloadCodec.custom ? head : { ...head, codecName: undefined }));
const headerOpen: fc.Arbitrary<RequestHeader> = fc
  .tuple(header2, fc.boolean())
  .map(([head, endless]) => ({
    ...head,
    oneWay: false,
    deadlineMs: endless ? 0 : head.deadlineMs,
  }));
const version = fc.constantFrom<RpcVersion>(1, 2);
const request = fc.oneof(
  header1.map((head) => [head, 1] as const),
  header2.map((head) => [head, 2] as const),
);
const items = fc.array(bytes(40), { minLength: 1, maxLength: 6 });

const fieldsOf = (head: RequestHeader): HeaderFields => ({
  ...head,
  metadata: encodeMetadata('metadata', head.metadata),
});
const requestBytes = (head: RequestHeader, v: RpcVersion, body: Buffer): Buffer =>
  Buffer.concat([encodeRequestHeader(fieldsOf(head), v), body]);
const openBytes = (kind: StreamKind, head: RequestHeader, body: Buffer): Buffer =>
  Buffer.concat([encodeOpen(kind, fieldsOf(head)), body]);
function itemBytes(list: readonly Uint8Array[]): Buffer {
  const writer = new BatchWriter();
  for (const item of list) writer.add(item);
  return writer.take();
}

const encoded: fc.Arbitrary<Buffer> = fc.oneof(
  fc.tuple(request, bytes(100)).map(([[head, v], body]) => requestBytes(head, v, body)),
  fc.tuple(version, bytes(100)).map(([v, body]) => Buffer.concat([okHeader(v), body])),
  fc
    .tuple(text(errorBounds.codeBytes), text(1_000), fc.json({ maxDepth: 2 }), version)
    .map(([code, message, detail, v]) => encodeError(code, message, detail, v)),
  fc
    .tuple(fc.constantFrom(...Object.values(Refusal)), version)
    .map(([reason, v]) => encodeRefused(reason, v)),
  fc.uniqueArray(name, { maxLength: 16 }).map((names) => encodeAnnounce(names)),
  fc.tuple(headerOpen, bytes(100)).map(([head, body]) => openBytes(StreamKind.server, head, body)),
  fc
    .tuple(fc.constantFrom(StreamKind.client, StreamKind.duplex), headerOpen)
    .map(([kind, head]) => openBytes(kind, head, Buffer.alloc(0))),
  items.map((list) => itemBytes(list)),
  bytes(100).map((body) => Buffer.concat([doneHeader, body])),
  fc.constant(acceptedMessage),
);

/** The bytes a decoded message would be sent as; `v` is the version it came in. */
function encodeAgain(message: Message, v: RpcVersion): Buffer {
  switch (message.type) {
    case 'request':
      return requestBytes(message.header, v, message.payload);
    case 'ok':
      return Buffer.concat([okHeader(v), message.payload]);
    case 'error':
      return encodeError(message.code, message.text, message.detail, v);
    case 'refused':
      return encodeRefused(message.reason, v);
    case 'announce':
      return encodeAnnounce(message.services);
    case 'open':
      return openBytes(message.kind, message.header, message.payload);
    case 'items': {
      const list: Buffer[] = [];
      while (!message.items.empty) list.push(message.items.next());
      return itemBytes(list);
    }
    case 'done':
      return Buffer.concat([doneHeader, message.payload]);
    case 'accepted':
      return acceptedMessage;
  }
}

const same = (input: Buffer): boolean => {
  const decoded = tryDecode(input);
  return decoded === undefined || encodeAgain(decoded, input[0] as RpcVersion).equals(input);
};

/** Decodes, or returns undefined for a typed refusal; anything else thrown fails the test. */
function tryDecode(input: Buffer): Message | undefined {
  try {
    return decodeMessage(input, limits);
  } catch (error) {
    if (error instanceof DwcpError) return undefined;
    throw error;
  }
}

test('a request comes back field by field, in both versions', (t) => {
  fc.assert(
    fc.property(request, bytes(200), ([head, v], body) => {
      const message = decodeMessage(requestBytes(head, v, body), limits);
      const wanted = head.metadata && Object.assign(Object.create(null), head.metadata);
      t.deepEqual(message, {
        type: 'request',
        version: v,
        header: { ...head, metadata: wanted },
        payload: body,
      });
    }),
    { seed, numRuns: 300 },
  );
});

test('items come back one by one, views of the message they came in', (t) => {
  fc.assert(
    fc.property(items, (list) => {
      const message = decodeMessage(itemBytes(list), limits);
      const back: Buffer[] = [];
      while (message.type === 'items' && !message.items.empty) back.push(message.items.next());
      t.deepEqual(back, list);
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
        return same(changed);
      }),
      { seed, numRuns: 5_000 },
    ),
  );
});

test('arbitrary bytes decode or are refused with a typed error', (t) => {
  const shaped = fc
    .tuple(version, fc.integer({ min: 1, max: 10 }), bytes(300))
    .map(([v, type, rest]) => Buffer.concat([Buffer.from([v, type]), rest]));
  t.notThrows(() =>
    fc.assert(fc.property(fc.oneof(bytes(300), shaped), same), { seed, numRuns: 5_000 }),
  );
});

test('every truncation of a message without payload is refused', (t) => {
  const messages = [
    encodeError('E_X', 'text', '', 1),
    encodeError('E_X', 'text', '{"a":1}', 2),
    encodeRefused(1, 2),
    encodeAnnounce(['a', 'bc']),
    acceptedMessage,
  ];
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
  t.is(code(Buffer.concat([okHeader(2), Buffer.alloc(1_001)])), 'ERR_DWCP_LIMIT');
  t.is(code(itemBytes([Buffer.alloc(1_001)])), 'ERR_DWCP_LIMIT');
  t.is(code(Buffer.from([2, 7, 0xff, 0xff, 0xff, 0xff])), 'ERR_DWCP_LIMIT');
  t.is(code(Buffer.from([2, 7])), 'ERR_DWCP_FRAME_CORRUPT');
  t.is(code(Buffer.from([1, 5, 0, 17])), 'ERR_DWCP_LIMIT');
  t.is(code(Buffer.from([3, 1])), 'ERR_DWCP_FRAME_VERSION');
  for (const unknown of [
    [1, 6],
    [1, 9],
    [2, 5],
    [2, 10],
  ]) {
    t.is(code(Buffer.from(unknown)), 'ERR_DWCP_FRAME_KIND');
  }
  t.is(code(Buffer.from([1, 1, 0x80])), 'ERR_DWCP_FRAME_FLAGS');
  t.is(code(Buffer.from([1, 1, 0x08])), 'ERR_DWCP_FRAME_FLAGS', 'metadata is of version 2');
  t.is(code(Buffer.from([2, 6, 1, 0x02])), 'ERR_DWCP_FRAME_FLAGS', 'no stream is one-way');
  t.is(code(Buffer.from([1, 1, 0, 2])), 'ERR_DWCP_FRAME_CODEC');
  t.is(code(Buffer.from([2, 1, 0, 3])), 'ERR_DWCP_FRAME_CODEC');
  t.is(code(encodeAnnounce(['b', 'b'])), 'ERR_DWCP_FRAME_CORRUPT');
  t.is(code(encodeError('E', 'text', '{', 2)), 'ERR_DWCP_FRAME_CORRUPT');
  t.is(encodeError('x'.repeat(100), 'é'.repeat(9_000), '', 1).length, 5 + 64 + 4_096);
});

test('metadata is refused before it is sent when it is no short text or too much of it', (t) => {
  const refused = (value: unknown): void => {
    t.throws(() => encodeMetadata('m', value), { code: 'ERR_DWCP_INVALID_ARG' });
  };
  for (const bad of [1, { A: 'upper' }, { '': 'x' }, { a: 1 }, { ['a'.repeat(65)]: '' }])
    refused(bad);
  refused({ a: 'x'.repeat(metadataBounds.totalBytes) });
  refused(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ''])));
  refused({ a: '\ud800' });
  t.is(encodeMetadata('m', {}), undefined);
  t.is(encodeMetadata('m', { a: undefined }), undefined);
});
