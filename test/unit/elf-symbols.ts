/**
 * Reads the dynamic symbols of a 64-bit little-endian ELF library (System V ABI, gABI chapters 4 and 5), so
 * that the binary can be judged where no binutils are installed.
 */
import { readFileSync } from 'node:fs';

/** One dynamic symbol: imported when `defined` is false; `version` as in `GLIBC_2.14`. */
export interface DynamicSymbol {
  readonly name: string;
  readonly defined: boolean;
  readonly version: string | undefined;
}

/** What the dynamic linker would see. */
export interface DynamicInfo {
  readonly symbols: readonly DynamicSymbol[];
  readonly needed: readonly string[];
  /** DT_FLAGS_1. */
  readonly flags1: number;
}

const SECTION = { dynamic: 6, dynsym: 11, versionNeeds: 0x6ffffffe, versions: 0x6fffffff } as const;
const TAG = { needed: 1, flags1: 0x6ffffffb } as const;
export const DF_1_NODELETE = 0x8;

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

/** Parses the dynamic sections of the library at `path`. */
export function readDynamicInfo(path: string): DynamicInfo {
  const file = readFileSync(path);
  const u64 = (at: number): number => Number(file.readBigUInt64LE(at));
  const sections = Array.from({ length: file.readUInt16LE(60) }, (_, index): Section => {
    const at = u64(40) + index * file.readUInt16LE(58);
    const link = file.readUInt32LE(at + 40);
    return { type: file.readUInt32LE(at + 4), offset: u64(at + 24), size: u64(at + 32), link };
  });
  const find = (type: number): Section => sections.find((section) => section.type === type)!;
  const text = (table: Section, index: number): string => {
    const start = table.offset + index;
    return file.toString('latin1', start, file.indexOf(0, start));
  };

  const names = new Map<number, string>();
  const needs = find(SECTION.versionNeeds);
  for (let at = needs.offset, last = false; !last; at += file.readUInt32LE(at + 12)) {
    for (let aux = at + file.readUInt32LE(at + 8), end = false; !end;) {
      names.set(
        file.readUInt16LE(aux + 6),
        text(sections[needs.link]!, file.readUInt32LE(aux + 8)),
      );
      end = file.readUInt32LE(aux + 12) === 0;
      aux += file.readUInt32LE(aux + 12);
    }
    last = file.readUInt32LE(at + 12) === 0;
  }

  const table = find(SECTION.dynsym);
  const versions = find(SECTION.versions);
  const symbols = Array.from({ length: table.size / 24 }, (_, index): DynamicSymbol => {
    const at = table.offset + index * 24;
    const version = names.get(file.readUInt16LE(versions.offset + index * 2) & 0x7fff);
    const name = text(sections[table.link]!, file.readUInt32LE(at));
    return { name, defined: file.readUInt16LE(at + 6) !== 0, version };
  });

  const dynamic = find(SECTION.dynamic);
  const entries = Array.from({ length: dynamic.size / 16 }, (_, index) => {
    const at = dynamic.offset + index * 16;
    return { tag: u64(at), value: u64(at + 8) };
  });
  return {
    symbols: symbols.filter(({ name }) => name !== ''),
    needed: entries
      .filter(({ tag }) => tag === TAG.needed)
      .map(({ value }) => text(sections[dynamic.link]!, value)),
    flags1: entries.find(({ tag }) => tag === TAG.flags1)?.value ?? 0,
  };
}
