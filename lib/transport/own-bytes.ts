/**
 * Copies of payloads for whoever receives them. Small ones are cut from chunks, one after another: a Buffer
 * made so costs half of one that is allocated for itself. A chunk stays while any of its copies does.
 */
import { ViewBuffer, commonMemory } from '../view-buffer.ts';

const chunkBytes = 16 * 1024;
/** Longer payloads get memory of their own, bytes. */
const maxCutBytes = 1024;
/** Where copies begin: memory of typed arrays is expected at such places. */
const alignBytes = 8;

/** The memory of typed arrays is expensive to ask for: it is kept, not the chunk. */
let chunk = commonMemory(0);
let usedBytes = 0;

/** A copy of `payload` that belongs to the caller. */
export function ownBytes(payload: Uint8Array): Buffer {
  const { length } = payload;
  if (length > maxCutBytes) return Buffer.from(payload);
  if (chunk.byteLength - usedBytes < length) {
    chunk = commonMemory(chunkBytes);
    usedBytes = 0;
  }
  const copy = new ViewBuffer(chunk, usedBytes, length);
  copy.set(payload);
  usedBytes += Math.ceil(length / alignBytes) * alignBytes;
  return copy;
}
