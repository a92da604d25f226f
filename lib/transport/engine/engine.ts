/**
 * The I/O engine of this thread, seen from TypeScript: hands rows to whoever owns their connection, and
 * collects commands and payloads for the end of the tick. Handlers run inside the batch; what they throw is
 * rethrown outside of it, so one connection's fault costs the others nothing. The tables are not marked
 * untransferable: Node 24 and later abort when a worker ends that marked external memory so. Each side holds a
 * share of it, and transferring it by mistake stops the engine but corrupts nothing.
 */
import type { IoBinding, IoSocketOptions, IoTables } from '../../native/io-contract.ts';
import { ViewBuffer } from '../../view-buffer.ts';
import { headerSizeBytes } from '../envelope.ts';
import type { Knock } from '../half-open.ts';
import {
  CommandType,
  counterNames,
  Field,
  inBatchField,
  maxCommands,
  noSlab,
  regionBits,
  regionBytes,
  rowFields,
  RowType,
  slabBits,
  slabBytes,
} from './layout.ts';

/** Who owns connections; one object may own many. */
export interface EngineOwner {
  /** Rows `first` to `end - 1` are of its connections. */
  onRows(first: number, end: number): void;
}

/** Numbers of the engine; monotonic except `slabsUsed` and `connections`. */
export type EngineCounters = Readonly<Record<(typeof counterNames)[number], number>>;

/** Called with the slot and generation of an accepted connection; returns its owner. */
export type OnAccept = (slot: number, generation: number) => EngineOwner;

/** The engine of this thread. */
export class Engine {
  readonly tier: 'uring' | 'epoll';
  /** The rows of the batch in hand. */
  readonly rows: Uint32Array;
  readonly #binding: IoBinding;
  readonly #commands: Uint32Array;
  readonly #sent: Float64Array;
  readonly #counters: Float64Array;
  readonly #memory: ArrayBuffer[] = [];
  readonly #regions: Buffer[] = [];
  readonly #owners: (EngineOwner | undefined)[] = [];
  readonly #listeners = new Map<number, OnAccept>();
  #staged = 0;
  #stagedEnd = 0;
  #flushDue = false;

  private constructor(tier: 'uring' | 'epoll', binding: IoBinding, tables: IoTables) {
    this.tier = tier;
    this.#binding = binding;
    this.rows = new Uint32Array(tables.rows);
    this.#commands = new Uint32Array(tables.commands);
    this.#sent = new Float64Array(tables.sent);
    this.#counters = new Float64Array(tables.counters);
  }

  /** Starts the engine of this thread, or returns the negative errno that forbids it. */
  static open(
    tier: 'uring' | 'epoll',
    binding: IoBinding,
    limits: { readonly memoryBytes: number; readonly maxConnections: number },
  ): Engine | number {
    let engine: Engine | undefined;
    const onBatch = (count: number): void => engine!.#onBatch(count);
    const tables = binding.open(tier, limits.memoryBytes, limits.maxConnections, onBatch);
    if (typeof tables === 'number') return tables;
    engine = new Engine(tier, binding, tables);
    return engine;
  }

  /** Numbers of the engine now. */
  counters(): EngineCounters {
    const entries = counterNames.map((name, i) => [name, this.#counters[i]!] as const);
    return Object.fromEntries(entries) as EngineCounters;
  }

  listen(options: IoSocketOptions, onAccept: OnAccept): readonly [number, number] | number {
    const opened = this.#binding.listen(options);
    if (typeof opened !== 'number') this.#listeners.set(opened[0], onAccept);
    return opened;
  }

  unlisten(id: number): void {
    this.#listeners.delete(id);
    this.#binding.unlisten(id);
  }

  connect(
    options: IoSocketOptions,
    own: (slot: number, generation: number) => EngineOwner,
  ): number | undefined {
    const opened = this.#binding.connect(options);
    if (typeof opened === 'number') return opened;
    this.#owners[opened[0]] = own(...opened);
    return undefined;
  }

  /** What secured connections need of the engine. */
  get tls(): Pick<IoBinding, 'tlsProbe' | 'tlsAdd' | 'tlsUse' | 'tlsDrop'> {
    return this.#binding;
  }

  peer(slot: number, generation: number): string | undefined {
    return this.#binding.peer(slot, generation);
  }

  /** What is known of an accepted connection. */
  knock(slot: number, generation: number): Knock {
    return {
      remoteAddress: this.peer(slot, generation) ?? '?:0',
      heard: () => this.#binding.received(slot, generation) > 0,
    };
  }

  path(slot: number, generation: number): readonly number[] | undefined {
    return this.#binding.path(slot, generation);
  }

  /** 0 when sockets may use a congestion control, or a negative errno. */
  probeCongestion(name: string): number {
    return this.#binding.probeCongestion(name);
  }

  tune(slot: number, generation: number, congestion: string, notsentLowatBytes: number): number {
    return this.#binding.tune(slot, generation, congestion, notsentLowatBytes);
  }

  congestion(slot: number, generation: number): string | undefined {
    return this.#binding.congestion(slot, generation);
  }

  /** Bytes of the connection in `slot` that the kernel took. */
  sentBytes(slot: number): number {
    return this.#sent[slot]!;
  }

  /** The memory at an address of a row. */
  bytes(address: number, lengthBytes: number): Buffer {
    const index = address >>> regionBits;
    this.#region(index);
    return new ViewBuffer(this.#memory[index]!, address & (regionBytes - 1), lengthBytes);
  }

  /** The same as a plain array: quicker to make than a Buffer. */
  view(address: number, lengthBytes: number): Uint8Array {
    const index = address >>> regionBits;
    this.#region(index);
    return new Uint8Array(this.#memory[index]!, address & (regionBytes - 1), lengthBytes);
  }

  /** One byte, without a view. */
  byteAt(address: number): number {
    return this.#region(address >>> regionBits)[address & (regionBytes - 1)]!;
  }

  /** A command without payload. */
  control(type: number, slot: number, generation: number, length = 0): void {
    const start = this.#command(type, slot, generation);
    this.#commands[start + Field.length] = length;
  }

  /** Sends what the row whose fields start at `row` holds to a connection; `what` is the command's. */
  forward(slot: number, generation: number, what: number, row: number): void {
    const start = this.#command(what, slot, generation);
    const commands = this.#commands;
    for (let field = Field.flags; field < rowFields; field++) {
      commands[start + field] = this.rows[row + field]!;
    }
  }

  /** Gives back a slab that was kept. */
  release(slab: number): void {
    const start = this.#command(CommandType.release, 0, 0);
    this.#commands[start + Field.slab] = slab;
  }

  /**
   * Queues one frame whose payload the caller writes at the address returned, at once; -1 at the memory budget.
   * `what` has its kind and channel as a command does.
   */
  frame(
    slot: number,
    generation: number,
    what: number,
    flags: number,
    stream: number,
    sizeBytes: number,
  ): number {
    const address = this.#stage(headerSizeBytes + sizeBytes);
    if (address < 0) return -1;
    const start = this.#command(CommandType.frame | what, slot, generation);
    const commands = this.#commands;
    commands[start + Field.flags] = flags;
    commands[start + Field.stream] = stream;
    commands[start + Field.address] = address;
    commands[start + Field.length] = sizeBytes;
    commands[start + Field.slab] = address >>> slabBits;
    return address + headerSizeBytes;
  }

  /** Writes into memory that was given for it. */
  write(address: number, bytes: Uint8Array): void {
    this.#region(address >>> regionBits).set(bytes, address & (regionBytes - 1));
  }

  /** Queues plain bytes, at most a slab; they are copied now. False at the memory budget. */
  send(slot: number, generation: number, bytes: Uint8Array): boolean {
    const address = this.#stage(bytes.length);
    if (address < 0) return false;
    this.#region(address >>> regionBits).set(bytes, address & (regionBytes - 1));
    const start = this.#command(CommandType.bytes, slot, generation);
    this.#commands[start + Field.address] = address;
    this.#commands[start + Field.length] = bytes.length;
    this.#commands[start + Field.slab] = address >>> slabBits;
    return true;
  }

  /** Room for `sizeBytes` in the slab that is written to; -1 at the memory budget. */
  #stage(sizeBytes: number): number {
    // A frame never begins at the very end of a slab: its address would name the next one.
    if (this.#staged + sizeBytes >= this.#stagedEnd) {
      // Whoever calls has checked; more would be written over the next slab.
      if (sizeBytes >= slabBytes) throw new RangeError(`${sizeBytes} bytes do not fit a slab`);
      const slab = this.#binding.stage();
      if (slab < 0) return -1;
      this.#staged = slab * slabBytes;
      this.#stagedEnd = this.#staged + slabBytes;
    }
    const address = this.#staged;
    this.#staged += sizeBytes;
    return address;
  }

  /** Begins a command; returns where its fields start. */
  #command(what: number, slot: number, generation: number): number {
    const table = this.#commands;
    if (table[0]! >= maxCommands) this.#binding.flush();
    const count = table[0]! + 1;
    table[0] = count;
    const start = count * rowFields;
    table[start + Field.slot] = slot;
    table[start + Field.generation] = generation;
    table[start + Field.what] = what;
    table[start + Field.slab] = noSlab;
    if (table[inBatchField] === 0 && !this.#flushDue) {
      this.#flushDue = true;
      process.nextTick(this.#flush);
    }
    return start;
  }

  readonly #flush = (): void => {
    this.#flushDue = false;
    if (this.#commands[0]! > 0) this.#binding.flush();
  };

  #region(index: number): Buffer {
    while (this.#regions.length <= index) {
      const memory = this.#binding.region(this.#regions.length);
      this.#memory.push(memory);
      this.#regions.push(Buffer.from(memory));
    }
    return this.#regions[index]!;
  }

  /** Rows of one owner lie side by side as far as they can; each run is one call. */
  #onBatch(count: number): void {
    const { rows } = this;
    let first = 0;
    while (first < count) {
      const owner = this.#ownerOf(first);
      let end = first + 1;
      while (end < count && (this.#goesOn(end) || this.#ownerOf(end) === owner)) end++;
      if (owner) this.#deliver(owner, first, end);
      for (let row = first; row < end; row++) {
        const at = row * rowFields;
        if ((rows[at + Field.what]! & 0xff) === RowType.closed) {
          this.#owners[rows[at + Field.slot]!] = undefined;
        }
      }
      first = end;
    }
  }

  /** A row with data of the connection whose row is before it: the owner is the same. */
  #goesOn(row: number): boolean {
    const at = row * rowFields;
    const { rows } = this;
    const type = rows[at + Field.what]! & 0xff;
    if (type !== RowType.frame && type !== RowType.chunk) return false;
    return rows[at + Field.slot] === rows[at - rowFields + Field.slot];
  }

  #ownerOf(row: number): EngineOwner | undefined {
    const at = row * rowFields;
    const slot = this.rows[at + Field.slot]!;
    if ((this.rows[at + Field.what]! & 0xff) === RowType.opened && this.rows[at + Field.length]) {
      const generation = this.rows[at + Field.generation]!;
      const onAccept = this.#listeners.get(this.rows[at + Field.length]!);
      // Asked twice when a run ends before it; the owner of a fresh slot is made once.
      if (this.#owners[slot] === undefined) {
        if (onAccept) this.#owners[slot] = onAccept(slot, generation);
        else this.control(CommandType.destroy, slot, generation);
      }
    }
    return this.#owners[slot];
  }

  #deliver(owner: EngineOwner, first: number, end: number): void {
    try {
      owner.onRows(first, end);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}
