/** Chunks and what holds sockets together, as a peer may send them: headers, and sequences of them put in order. */
import type { ErrorCode } from '../../lib/errors.ts';
import { type Frame, FrameKind } from '../../lib/transport/frame-pipe.ts';
import { chunkHeaderBytes, decodeChunk } from '../../lib/transport/stripes/chunk.ts';
import { decodeControl, encodeControl } from '../../lib/transport/stripes/control.ts';
import { Reassembly } from '../../lib/transport/stripes/reassembly.ts';
import { SendWindow } from '../../lib/transport/stripes/send-window.ts';
import { decoded, type FuzzTarget } from './decoded.ts';

const MAX_BYTES = 2_048;
const headerCodes: ReadonlySet<ErrorCode> = new Set([
  'ERR_DWCP_FRAME_CORRUPT',
  'ERR_DWCP_FRAME_KIND',
  'ERR_DWCP_FRAME_FLAGS',
]);
const orderCodes: ReadonlySet<ErrorCode> = new Set(['ERR_DWCP_FRAME_CORRUPT', 'ERR_DWCP_LIMIT']);

/** Frames one after another: u8 kind, u8 flags, u8 stream, u8 bytes of payload, the payload. */
function* framesOf(input: Buffer): Generator<Frame> {
  for (let at = 0; at + 4 <= input.length;) {
    const [kind, flags, stream, size] = input.subarray(at, at + 4) as unknown as number[];
    const payload = input.subarray(at + 4, at + 4 + size!);
    yield { kind: kind as FrameKind, flags: flags!, channel: 1, stream: stream!, payload };
    at += 4 + size!;
  }
}

function written({ kind, flags, stream }: Frame, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([kind, flags, stream, payload.length]), payload]);
}

/** Puts chunks in order until one is refused; every chunk is handed on once at most, and what waits is bounded. */
class Order {
  readonly #reassembly = new Reassembly(MAX_BYTES);
  readonly #taken = new Set<number>();
  #handedOn = 0;

  begin(): boolean {
    return this.#run((out) => this.#reassembly.begin(out));
  }

  accept(frame: Frame): boolean {
    const chunk = decoded(headerCodes, () => decodeChunk(frame));
    if (!chunk) return false;
    this.#taken.add(chunk.offset);
    return this.#run((out) => this.#reassembly.accept(chunk, out));
  }

  #run(step: (out: Frame[]) => void): boolean {
    const out: Frame[] = [];
    const { base } = this.#reassembly;
    const went = decoded(orderCodes, () => (step(out), true)) ?? false;
    this.#handedOn += out.length;
    if (this.#handedOn > this.#taken.size) throw new Error('a chunk was handed on twice');
    if (!went) return false;
    if (this.#reassembly.base < base) throw new Error('what was complete is not any more');
    if (this.#reassembly.heldBytes > MAX_BYTES) throw new Error('more waits than may');
    let end = this.#reassembly.base;
    for (const range of this.#reassembly.ranges) {
      if (range.start <= end || range.end <= range.start) throw new Error('ranges touch');
      end = range.end;
    }
    return true;
  }
}

function run(input: Buffer): void {
  const order = new Order();
  for (const frame of framesOf(input)) {
    if (frame.kind !== FrameKind.bundle) {
      if (!order.accept(frame)) return;
      continue;
    }
    const control = decoded(headerCodes, () => decodeControl(frame));
    if (!control || (control.type === 'begin' && !order.begin())) return;
    if (control.type === 'ack') {
      const [again] = encodeControl(control).payload;
      if (Buffer.compare(again!, frame.payload) !== 0) throw new Error('an ack changed on its way');
    }
  }
}

function seeds(): Buffer[] {
  const window = new SendWindow(1 << 20);
  const add = (kind: FrameKind, stream: number, text: string): Buffer => {
    const payload = [Buffer.from(text)];
    const { frame } = window.add({ kind, flags: 0, channel: 1, stream, payload });
    return written({ ...frame, payload: frame.payload[0]! }, frame.payload[0]!);
  };
  const control = (words: Parameters<typeof encodeControl>[0]): Buffer => {
    const frame = encodeControl(words);
    return written({ ...frame, payload: frame.payload[0]! }, frame.payload[0]!);
  };
  const [a, b, c, goaway, d] = [
    add(FrameKind.data, 1, 'first'),
    add(FrameKind.data, 1, 'second'),
    add(FrameKind.credit, 2, 'four'),
    add(FrameKind.goaway, 0, ''),
    add(FrameKind.reset, 2, 'd'),
  ];
  const begin = control({ type: 'begin' });
  const ack = control({ type: 'ack', base: 21, ranges: [{ start: 40, end: 60 }] });
  return [
    Buffer.concat([begin, a, b, c, goaway, d]),
    Buffer.concat([d, c, goaway, b, begin, a]),
    Buffer.concat([begin, b, b, a, a]),
    Buffer.concat([control({ type: 'want', sockets: 4 }), ack, control({ type: 'bye' })]),
  ];
}

/** The target. */
export const chunksTarget: FuzzTarget = {
  seeds: seeds(),
  words: [
    Buffer.from([FrameKind.chunk, 0, 1, chunkHeaderBytes]),
    Buffer.from([FrameKind.bundle, 0, 0, 1, 1]),
    Buffer.from([0, 0, 0, 0, 0, 0]),
    Buffer.from([21, 0, 0, 0, 0, 0]),
    Buffer.from([FrameKind.goaway, 1, 0, 0]),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  ],
  files: /\/lib\/transport\/stripes\/(?:chunk|control|reassembly)\.js$/,
  run,
};
