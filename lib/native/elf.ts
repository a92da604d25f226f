/**
 * Looks at an addon file before the loader maps it: a truncated ELF file can kill the process with SIGBUS
 * instead of failing, and the loader's own words for a foreign machine help nobody.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEADER_BYTES = 64;
const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

/** Why `path` cannot be a loadable addon on this machine, or undefined when nothing speaks against it. */
export function addonFileProblem(path: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const header = Buffer.alloc(HEADER_BYTES);
  let sizeBytes: number;
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    return `the file cannot be opened (${String(error)})`;
  }
  try {
    sizeBytes = fstatSync(file).size;
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return 'the file is broken';
  } finally {
    closeSync(file);
  }
  if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) {
    return 'the file is broken: not a 64-bit ELF library';
  }
  if (header.readUInt16LE(18) !== machines[process.arch]) {
    return `the file is for another CPU than ${process.arch}`;
  }
  const sectionsEnd =
    Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
  return sectionsEnd > sizeBytes ? 'the file is broken: truncated' : undefined;
}
