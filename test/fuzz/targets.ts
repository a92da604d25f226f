/**
 * What is fuzzed in TypeScript: decoders of bytes that a peer sent. A target throws when an input shows a defect: an
 * error without a code, a message that does not survive being sent on, a view that leaves its message.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../lib/errors.ts';
import { encodeHello, decodeHello, parseObject } from '../../lib/links/hello.ts';
import type { Hello } from '../../lib/links/link.ts';
import { encodeVerdict, readVerdict, type Verdict } from '../../lib/links/verdict.ts';
import { encodeMetadata } from '../../lib/rpc/metadata.ts';
import {
  acceptedMessage,
  decodeMessage,
  doneHeader,
  encodeAnnounce,
  encodeError,
  encodeRefused,
  okHeader,
  Refusal,
} from '../../lib/rpc/wire.ts';
import {
  encodeOpen,
  encodeRequestHeader,
  PayloadCodec,
  StreamKind,
  type HeaderFields,
  type RequestHeader,
} from '../../lib/rpc/wire-request.ts';
import { chunksTarget } from './chunks-target.ts';
import { decoded, type FuzzTarget } from './decoded.ts';

function same(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`${what} changed on its way`);
}

const aHello: Hello = {
  wireMin: 1,
  wireMax: 2,
  cluster: 'prod',
  nodeId: 'eu-1',
  incarnation: 1_700_000_000_000,
  region: 'eu',
  advertise: { host: '10.0.0.1', port: 7_000 },
  codecs: [1, 2, 3],
  digests: [1, 2],
  maxMessageBytes: 1 << 24,
  policies: { prices: 'lww:json' },
};
const verdicts: readonly Verdict[] = [
  { verdict: 'accepted' },
  { verdict: 'duplicate' },
  { verdict: 'self' },
  { verdict: 'refused', code: 'ERR_DWCP_HANDSHAKE', reason: 'cluster differs' },
];
const helloCodes: ReadonlySet<ErrorCode> = new Set(['ERR_DWCP_HANDSHAKE']);

function runHello(input: Buffer): void {
  const before = Buffer.from(input);
  const hello = decoded(helloCodes, () => decodeHello(input));
  same('the input', input, before);
  if (hello) same('a Hello', decodeHello(encodeHello(hello)), hello);
  const raw = decoded(helloCodes, () => parseObject(input));
  const verdict = raw && decoded(helloCodes, () => readVerdict(raw));
  if (verdict) same('a verdict', readVerdict(parseObject(encodeVerdict(verdict))), verdict);
}

const limits = { maxPayloadBytes: 2_000, maxServices: 16 };
const rpcCodes: ReadonlySet<ErrorCode> = new Set([
  'ERR_DWCP_FRAME_VERSION',
  'ERR_DWCP_FRAME_KIND',
  'ERR_DWCP_FRAME_FLAGS',
  'ERR_DWCP_FRAME_CODEC',
  'ERR_DWCP_FRAME_CORRUPT',
  'ERR_DWCP_LIMIT',
]);
const aHeader: HeaderFields = {
  service: 'shop/buy',
  codec: PayloadCodec.json,
  codecName: undefined,
  idempotent: true,
  oneWay: false,
  deadlineMs: 5_000,
  key: 'k',
  metadata: undefined,
};
const richHeader: HeaderFields = {
  ...aHeader,
  codec: PayloadCodec.custom,
  codecName: 'msgpack',
  metadata: encodeMetadata('metadata', { tenant: 'a', 'trace-id': 'ü1' }),
};
const items = Buffer.from([2, 7, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 9]);

const fieldsOf = (header: RequestHeader): HeaderFields => ({
  ...header,
  metadata: encodeMetadata('metadata', header.metadata),
});

/** A view must lie inside the message it came from. */
function within(input: Buffer, view: Buffer): void {
  const inside =
    view.buffer === input.buffer &&
    view.byteOffset >= input.byteOffset &&
    view.byteOffset + view.length <= input.byteOffset + input.length;
  if (!inside && view.length > 0) throw new Error('a view leaves its message');
}

function runRpc(given: Buffer): void {
  const input = Buffer.from(given);
  const message = decoded(rpcCodes, () => decodeMessage(input, limits));
  if (!message) return;
  if ('payload' in message) {
    within(input, message.payload);
    if (message.payload.length > limits.maxPayloadBytes) throw new Error('a payload too large');
  }
  const again = (bytes: Buffer): unknown => decodeMessage(bytes, limits);
  switch (message.type) {
    case 'request':
    case 'open': {
      const fields = fieldsOf(message.header);
      const head =
        message.type === 'open'
          ? encodeOpen(message.kind, fields)
          : encodeRequestHeader(fields, message.version);
      return same('a request', again(Buffer.concat([head, message.payload])), message);
    }
    case 'error': {
      const { code, text, detail } = message;
      return same('an error', again(encodeError(code, text, detail, 2)), message);
    }
    case 'announce':
      return same('an announcement', again(encodeAnnounce(message.services)), message);
    case 'items':
      for (let total = 0; !message.items.empty; total += 1) {
        within(input, message.items.next());
        if (total > input.length) throw new Error('more items than bytes');
      }
      return;
    case 'refused':
      return same('a refusal', again(encodeRefused(message.reason, 2)), message);
    default:
  }
}

const text = (...words: readonly string[]): Buffer[] => words.map((word) => Buffer.from(word));

/** All targets, by the name `npm run fuzz` takes. */
export const targets: Readonly<Record<string, FuzzTarget>> = {
  hello: {
    seeds: [encodeHello(aHello), ...verdicts.map(encodeVerdict), Buffer.from('{}')],
    words: text(
      ...Object.keys(aHello).map((key) => `"${key}":`),
      '"verdict":',
      '"refused"',
      '"code":',
      '"reason":',
      '"host":',
      '"port":',
      '__proto__',
      'null',
      'true',
      '-0',
      '1e3',
      '9007199254740993',
      '1.5',
      '[]',
      '{}',
      ',',
      ':',
      '"',
      '\\',
      '\\u0000',
      '\\ud800',
      '\u00e9',
      'constructor',
      '[1,2]',
      '{"a":{"b":[]}}',
    ),
    files: /\/lib\/links\/(?:hello|verdict)\.js$|\/lib\/crypto\/peer-identity\.js$/,
    run: runHello,
  },
  rpc_header: {
    seeds: [
      Buffer.concat([encodeRequestHeader(aHeader, 1), Buffer.from('{}')]),
      Buffer.concat([encodeRequestHeader(richHeader, 2), Buffer.from('payload')]),
      Buffer.concat([encodeOpen(StreamKind.server, { ...richHeader, deadlineMs: 0 }), items]),
      encodeOpen(StreamKind.duplex, aHeader),
      Buffer.concat([okHeader(1), Buffer.from('ok')]),
      encodeError('OUT_OF_STOCK', 'only 2 left', '{"left":2}', 2),
      encodeError('E', 'text', '', 1),
      encodeRefused(Refusal.draining, 1),
      encodeAnnounce(['a', 'b/c', 'ü']),
      items,
      Buffer.concat([doneHeader, Buffer.from('x')]),
      acceptedMessage,
    ],
    words: [
      ...Array.from({ length: 10 }, (_, type) => Buffer.from([1 + (type & 1), type])),
      ...text('tenant', 'ü', '\u0000', '{"a":1}'),
      Buffer.from([0xff, 0xff]),
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([0xc3]),
    ],
    files: /\/lib\/rpc\/(?:wire|wire-request|reader|metadata|item-batch)\.js$/,
    run: runRpc,
  },
  chunks: chunksTarget,
};
