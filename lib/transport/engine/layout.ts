/**
 * The tables the I/O engine shares with TypeScript: native/core/io/table.h, number by number. A row and
 * a command have eight u32 each; the first entry of the command table is the number of commands.
 */

/** Fields of a row or command. */
export const rowFields = 8;
/** Offsets of the fields. */
export const Field = {
  slot: 0,
  generation: 1,
  /** Type, kind << 8, channel << 16. */
  what: 2,
  flags: 3,
  stream: 4,
  /** Counted from the first byte of region 0. */
  address: 5,
  length: 6,
  /** Whose memory it is; {@link noSlab} in a row keeps the slab beyond the batch. */
  slab: 7,
} as const;

/** What a row tells. */
export const RowType = {
  opened: 1,
  preface: 2,
  frame: 3,
  chunk: 4,
  broken: 5,
  ended: 6,
  writable: 7,
  closed: 8,
  secured: 9,
  refused: 10,
} as const;

/** What a command asks for. */
export const CommandType = {
  frame: 1,
  bytes: 2,
  forward: 3,
  pause: 4,
  resume: 5,
  finish: 6,
  destroy: 7,
  wantWritable: 8,
  release: 9,
  /** A forward of bytes nobody may have changed since they were read. */
  relay: 10,
} as const;

/** Commands one table holds. */
export const maxCommands = 8192;
/** Set by the engine while it is in a batch: commands are carried out when the batch returns. */
export const inBatchField = 1;

/** No slab. */
export const noSlab = 0xffff_ffff;
/** log2 of the size of a slab. */
export const slabBits = 17;
/** Size of a slab, bytes. */
export const slabBytes: number = 1 << slabBits;
/** log2 of the size of a region. */
export const regionBits = 21;
/** Size of a region, bytes. */
export const regionBytes: number = 1 << regionBits;

/** Names of the counters, in their order. */
export const counterNames = [
  'regions',
  'slabs',
  'slabsUsed',
  'slabRefusals',
  'connections',
  'accepted',
  'acceptFailures',
  'rows',
  'bytesIn',
  'bytesOut',
  'evictions',
  'wakes',
  'lostWakes',
  'tlsHandshakes',
  'tlsResumed',
  'tlsFaults',
  'ticketRotations',
  /** Of `slabsUsed`, as the watchdog saw it last: those that hold bytes of somebody. The rest stands ready. */
  'slabsHeld',
] as const;
