/**
 * `fault()`: a pipe that breaks what passes through it, for tests of whoever receives. Faults strike
 * outgoing frames with a seeded probability each; unlike `shape()`, they break what TCP promises.
 */
import { DwcpError } from '../errors.ts';
import { type Random, seededRandom } from '../random.ts';
import type { FramePipe, OutgoingFrame } from '../transport/frame-pipe.ts';

/** Probability of each fault per outgoing frame, 0 to 1. */
export interface FaultRates {
  /** One bit of the payload flips. */
  readonly corrupt?: number | undefined;
  /** The payload loses its tail. */
  readonly truncate?: number | undefined;
  /** The frame trades places with the one before it in the batch. */
  readonly reorder?: number | undefined;
  /** The frame comes twice. */
  readonly duplicate?: number | undefined;
  /** The frame is lost. */
  readonly lose?: number | undefined;
  /** The link is cut here. */
  readonly cut?: number | undefined;
}

/** A pipe with faults. */
export interface FaultyPipe extends FramePipe {
  setFaults(rates: FaultRates): void;
  /** Faults that struck so far. */
  readonly struck: number;
}

/**
 * Wraps a pipe in faults. The wrapper owns the pipe.
 * @example const pipe = fault(inner, { reorder: 0.01 }, seededRandom(seed));
 */
export function fault(
  pipe: FramePipe,
  rates: FaultRates,
  random: Random = seededRandom(1),
): FaultyPipe {
  let current = rates;
  let struck = 0;
  const strikes = (rate: number | undefined): boolean => {
    if (rate === undefined || random.next() >= rate) return false;
    struck++;
    return true;
  };
  const cut = (): boolean => {
    pipe.destroy(new DwcpError('ERR_DWCP_LINK_DOWN', 'Cut by fault()'));
    return false;
  };
  return {
    tier: pipe.tier,
    remoteAddress: pipe.remoteAddress,
    identity: pipe.identity,
    secure: pipe.secure,
    start: (handler) => pipe.start(handler),
    send: (frames) => {
      if (strikes(current.cut)) return cut();
      return pipe.send(distort(frames, current, strikes, random));
    },
    close: () => pipe.close(),
    destroy: (error) => pipe.destroy(error),
    stats: () => pipe.stats(),
    identified: (peer) => pipe.identified?.(peer),
    setFaults: (next) => {
      current = next;
    },
    get struck() {
      return struck;
    },
  };
}

function distort(
  frames: readonly OutgoingFrame[],
  rates: FaultRates,
  strikes: (rate: number | undefined) => boolean,
  random: Random,
): OutgoingFrame[] {
  const out: OutgoingFrame[] = [];
  for (const frame of frames) {
    if (strikes(rates.lose)) continue;
    let next = frame;
    if (strikes(rates.corrupt)) next = withPayload(next, (bytes) => flipBit(bytes, random));
    if (strikes(rates.truncate)) {
      next = withPayload(next, (bytes) => bytes.subarray(0, random.next() * bytes.length));
    }
    out.push(next);
    if (strikes(rates.duplicate)) out.push(next);
    if (out.length > 1 && strikes(rates.reorder)) {
      [out[out.length - 2], out[out.length - 1]] = [out.at(-1)!, out.at(-2)!];
    }
  }
  return out;
}

function withPayload(frame: OutgoingFrame, change: (bytes: Buffer) => Buffer): OutgoingFrame {
  return { ...frame, payload: [change(Buffer.concat(frame.payload))] };
}

function flipBit(bytes: Buffer, random: Random): Buffer {
  if (bytes.length > 0) {
    bytes[Math.floor(random.next() * bytes.length)]! ^= 1 << Math.floor(random.next() * 8);
  }
  return bytes;
}
