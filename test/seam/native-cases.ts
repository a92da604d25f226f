/** What the kits of the binding share: the shape of a case, sample data, inputs that no function may take. */
import assert from 'node:assert/strict';
import { type ErrorCode, isDwcpError } from '../../lib/errors.ts';
import type { CodecAbilities, CodecBinding } from '../../lib/native/contract.ts';
import { seededRandom } from '../../lib/random.ts';

/** One case; it runs where `needs` holds. */
export interface BindingCase {
  readonly name: string;
  readonly needs: (abilities: CodecAbilities) => boolean;
  readonly run: (codec: CodecBinding) => void | Promise<void>;
}

/** Bytes of a seeded generator; few `symbols` make them compressible. */
export function sample(sizeBytes: number, seed: number, symbols = 256): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, () => random.next() * symbols));
}

/** A check that an error has `code`. */
export const coded = (code: ErrorCode) => (error: unknown) => {
  assert.ok(isDwcpError(error, code), String(error));
  return true;
};

/** Inputs no function may take as bytes. */
export function badInputs(): unknown[] {
  const detached = new Uint8Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const resizable: ArrayBuffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]);
  const views = [detached, new Uint8Array(resizable), new Uint8Array(new SharedArrayBuffer(8))];
  const others = [new Uint16Array(4), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8)];
  return [undefined, null, 'text', 7, {}, [1, 2], ...others, ...views];
}

/** A value where the types allow none: what callers without types can do. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
export const as = (value: unknown): never => value as never;
