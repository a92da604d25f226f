/**
 * Sockets of long paths. Where packets are lost, loss-based congestion control fills a small part of a long path (at 80 ms and
 * 0.1 % about 2 % of 500 Mbit/s); bbr fills nearly all of it. So a connection whose round trip is long is switched to
 * bbr as soon as it stands, if this host has and allows it. What waits in the kernel unsent is kept short, so that
 * priorities still count.
 */
import { getSystemErrorName } from 'node:util';
import type { PathSample } from '../frame-pipe.ts';
import type { Engine } from './engine.ts';

/** A round trip from here on makes a path long, ms. */
export const longPathMs = 5;
const preferred = 'bbr';
/** Unsent bytes in the kernel: 2 ms at 500 Mbit/s; with several sockets each holds so many. */
const unsentBytes = 128 * 1024;

/** Which congestion control long paths get, and why. */
export interface LongPathCongestion {
  /** Empty for the system's default. */
  readonly name: string;
  readonly reason: string;
}

const choices = new WeakMap<Engine, LongPathCongestion>();

/** What this host allows, found out by asking for it. */
export function longPathCongestion(engine: Engine): LongPathCongestion {
  const known = choices.get(engine);
  if (known) return known;
  const errno = engine.probeCongestion(preferred);
  const choice =
    errno === 0
      ? { name: preferred, reason: `${preferred} is there and allowed` }
      : { name: '', reason: refusal(getSystemErrorName(errno)) };
  choices.set(engine, choice);
  return choice;
}

function refusal(error: string): string {
  if (error === 'EPERM') {
    return `EPERM: net.ipv4.tcp_allowed_congestion_control does not name ${preferred}`;
  }
  if (error === 'ENOENT') return `ENOENT: the kernel has no ${preferred}`;
  return error;
}

/** Prepares a connection that stands: does nothing unless its path is long. */
export function tuneLongPath(engine: Engine, slot: number, generation: number): void {
  const sample = samplePath(engine, slot, generation);
  if (!sample || sample.minRttMs < longPathMs) return;
  engine.tune(slot, generation, longPathCongestion(engine).name, unsentBytes);
}

/** What TCP_INFO tells of a connection; undefined once it is gone. */
export function samplePath(
  engine: Engine,
  slot: number,
  generation: number,
): PathSample | undefined {
  const path = engine.path(slot, generation);
  if (!path) return undefined;
  const [rttUs, , minRttUs, , retransmits, deliveryBytesPerSecond] = path;
  return {
    congestion: engine.congestion(slot, generation),
    rttMs: rttUs! / 1000,
    minRttMs: minRttUs! / 1000,
    retransmits: retransmits!,
    deliveryBytesPerSecond: deliveryBytesPerSecond!,
  };
}
