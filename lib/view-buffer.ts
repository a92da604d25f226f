/**
 * Buffers over memory that exists. `Buffer.from(memory, offset, length)` and `subarray` look at their arguments first; where
 * those are known to be right, the class both make is asked at once, in half the time: it is what typed arrays make
 * of what is cut from a Buffer (`Symbol.species`).
 */
import { markAsUntransferable } from 'node:worker_threads';

/** Makes a Buffer of `lengthBytes` at `offset` of `memory`; throws a RangeError when it has not so many. */
export const ViewBuffer: new (
  memory: ArrayBufferLike,
  offset: number,
  lengthBytes: number,
) => Buffer = (Buffer as unknown as Readonly<Record<symbol, never>>)[Symbol.species]!;

/**
 * Memory to cut many Buffers from, not zeroed. As of Node's own pool: who transferred one of them would take the others
 * along, so none can be.
 */
export function commonMemory(sizeBytes: number): ArrayBuffer {
  const { buffer } = Buffer.allocUnsafeSlow(sizeBytes);
  markAsUntransferable(buffer);
  return buffer;
}
