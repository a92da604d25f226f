/** Mutations of byte strings, drawn from a seeded generator: small changes, splices, and words of the format. */
import type { Random } from '../../lib/random.ts';

/** Largest input made, bytes. */
const maxBytes = 70_000;
const interesting = [0, 1, 2, 7, 8, 16, 63, 64, 127, 128, 255, 256, 1023, 1024, 32_767, 65_535];

/** Makes inputs from inputs. */
export class Mutator {
  readonly #random: Random;
  readonly #words: readonly Buffer[];

  /** `words` are pieces that the format knows. */
  constructor(random: Random, words: readonly Buffer[]) {
    this.#random = random;
    this.#words = words;
  }

  /** An integer in [0, end). */
  below(end: number): number {
    return Math.floor(this.#random.next() * end);
  }

  /** One to four mutations of an input, with `other` to splice from. */
  mutate(input: Buffer, other: Buffer): Buffer {
    let out = input;
    const rounds = 1 + this.below(4);
    for (let i = 0; i < rounds; i += 1) out = this.#once(out, other);
    return out.length > maxBytes ? out.subarray(0, maxBytes) : out;
  }

  #once(input: Buffer, other: Buffer): Buffer {
    // Formats have their say at the front.
    const at = Math.floor(this.#random.next() ** 2 * (input.length + 1));
    switch (this.below(9)) {
      case 0:
        return this.#changed(input, (out) => (out[at % out.length]! ^= 1 << this.below(8)));
      case 1:
        return this.#changed(input, (out) => (out[at % out.length] = this.below(256)));
      case 2:
        return this.#changed(input, (out) => this.#number(out));
      case 3:
        return this.#insert(input, at, this.#bytes(1 + this.below(16)));
      case 4:
        return Buffer.concat([input.subarray(0, at), input.subarray(at + 1 + this.below(16))]);
      case 5:
        return input.subarray(0, at);
      case 6:
        return this.#insert(input, at, this.#piece(other));
      case 7:
        return this.#insert(input, at, this.#words[this.below(this.#words.length)]!);
      default:
        // A piece again, many times: what grows with a count.
        return this.#insert(
          input,
          at,
          Buffer.concat(Array.from({ length: 1 + this.below(40) }, () => this.#piece(input))),
        );
    }
  }

  #changed(input: Buffer, change: (out: Buffer) => unknown): Buffer {
    if (input.length === 0) return this.#bytes(1);
    const out = Buffer.from(input);
    change(out);
    return out;
  }

  #number(out: Buffer): void {
    const value = interesting[this.below(interesting.length)]!;
    const at = this.below(out.length);
    const size = this.below(3);
    if (size === 0 || at + 2 > out.length) out[at] = value & 0xff;
    else if (size === 1 || at + 4 > out.length) out.writeUInt16BE(value, at);
    else out.writeUInt32BE((value * (1 + this.below(65_536))) >>> 0, at);
  }

  #insert(input: Buffer, at: number, piece: Buffer): Buffer {
    return Buffer.concat([input.subarray(0, at), piece, input.subarray(at)]);
  }

  #piece(input: Buffer): Buffer {
    const start = this.below(input.length + 1);
    return input.subarray(start, start + 1 + this.below(64));
  }

  #bytes(sizeBytes: number): Buffer {
    return Buffer.from(Array.from({ length: sizeBytes }, () => this.below(256)));
  }
}
