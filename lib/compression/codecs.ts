/**
 * Which codecs a tier can make and read in compiled code, for `Hello` and for choosing. What is stored is
 * read on every tier, whatever its codec.
 */
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { bindingOf } from './tier.ts';
import { Codec } from './types.ts';

/** Codec ids by direction, best first. */
export interface CodecSet {
  readonly encode: readonly Codec[];
  readonly decode: readonly Codec[];
}

/** {@link codecsOf} by binding. */
export function codecSetOf(binding: CodecBinding): CodecSet {
  const { zstd, prefixEncode, prefixDecode, deltaEncode, deltaDecode } = binding.abilities;
  const always = [Codec.chunk, Codec.brotli, Codec.raw];
  const plain = zstd ? [Codec.zstd] : [];
  return {
    encode: [...bases(deltaEncode, prefixEncode), ...plain, ...always],
    decode: [...bases(deltaDecode, prefixDecode), ...plain, ...always],
  };
}

function bases(delta: boolean, prefix: boolean): Codec[] {
  return [...(delta ? [Codec.delta] : []), ...(prefix ? [Codec.prefix] : [])];
}

/**
 * The codecs of a tier, the loaded one if none is given; `decode` is what `Hello` announces.
 * @example const { decode } = codecsOf();
 */
export function codecsOf(native?: NativeBinding): CodecSet {
  return codecSetOf(bindingOf(native));
}

/**
 * The name of a codec id, for people.
 * @throws RangeError for a number that is no codec
 * @example codecName(readFrameInfo(frame).codec) // 'chunk'
 */
export function codecName(codec: Codec): keyof typeof Codec {
  for (const [name, id] of Object.entries(Codec)) {
    if (id === codec) return name as keyof typeof Codec;
  }
  throw new RangeError(`codec id ${codec as number}`);
}
