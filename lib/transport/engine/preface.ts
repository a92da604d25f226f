/** The preface of a peer, as the engine hands it over: two numbers of a row. */
import type { DwcpError } from '../../errors.ts';
import { agreeVersion, prefaceSizeBytes } from '../envelope.ts';

/** What is wrong with the peer's preface, or undefined. */
export function agreePreface(low: number, high: number): DwcpError | undefined {
  const preface = Buffer.allocUnsafe(prefaceSizeBytes);
  preface.writeUInt32LE(low, 0);
  preface.writeUInt32LE(high, 4);
  try {
    agreeVersion(preface);
    return undefined;
  } catch (error) {
    return error as DwcpError;
  }
}
