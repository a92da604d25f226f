/** What a fuzz target is, and how it tells a refusal from a defect. */
import { isDwcpError, type ErrorCode } from '../../lib/errors.ts';

/** One thing to fuzz. */
export interface FuzzTarget {
  /** Inputs to begin with. */
  readonly seeds: readonly Buffer[];
  /** Pieces of the format. */
  readonly words: readonly Buffer[];
  /** Compiled files whose blocks count as progress. */
  readonly files: RegExp;
  /** Throws when the input shows a defect. */
  readonly run: (input: Buffer) => void;
}

/** Runs a decoder; undefined when it refused with one of the codes. Anything else it throws is a defect. */
export function decoded<T>(codes: ReadonlySet<ErrorCode>, decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (isDwcpError(error) && codes.has(error.code)) return undefined;
    throw new Error('the decoder threw what it does not document', { cause: error });
  }
}
