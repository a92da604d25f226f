/** The cursor over the engine's rows. One object serves all batches of a listener. */
import { CommandType, Field, noSlab, rowFields } from '../engine/layout.ts';
import { headerSizeBytes } from '../envelope.ts';
import type { Engine } from '../engine/engine.ts';
import type { DwcpError } from '../../errors.ts';
import { FrameFlag, FrameKind } from '../frame-pipe.ts';
import type { Batch, MessageConnection, RetainedMessage } from './batch.ts';
import { EngineConnection } from './engine-connection.ts';

/** {@link Batch} over rows `first` to `end - 1`, all with data. */
export class EngineBatch implements Batch {
  readonly #engine: Engine;
  readonly #rows: Uint32Array;
  readonly #connections: readonly (EngineConnection | undefined)[];
  readonly #framed: boolean;
  #at = -rowFields;
  #end = 0;
  /** The message whose bytes the user may have changed. */
  #viewedAt = -1;
  #current: EngineConnection | undefined;
  /** The message under the cursor when it came in several frames. */
  #whole: Buffer | undefined;

  constructor(
    engine: Engine,
    connections: readonly (EngineConnection | undefined)[],
    framed: boolean,
  ) {
    this.#engine = engine;
    this.#rows = engine.rows;
    this.#connections = connections;
    this.#framed = framed;
  }

  /** Puts the cursor before row `first`. */
  begin(first: number, end: number): this {
    this.#at = (first - 1) * rowFields;
    this.#end = end * rowFields;
    this.#viewedAt = -1;
    this.#current = undefined;
    return this;
  }

  next(): boolean {
    do {
      this.#at += rowFields;
      if (this.#at >= this.#end) return false;
      this.#current = this.#connections[this.#rows[this.#at + Field.slot]!];
      this.#whole = undefined;
      // What came for a connection that was closed in this batch is dropped.
    } while (this.#current?.state !== 'open' || this.#isPart(this.#current));
    return true;
  }

  /** Takes a frame that is not a message of its own; true unless it completes one. */
  #isPart(connection: EngineConnection): boolean {
    const { join } = connection;
    if (!join || this.kind !== FrameKind.data) return false;
    if (!join.underWay && (this.flags & FrameFlag.end) !== 0) return false;
    try {
      this.#whole = join.take(this, this.#payload());
    } catch (error) {
      connection.destroy(error as DwcpError);
      return true;
    }
    return this.#whole === undefined;
  }

  #payload(): Buffer {
    const sizeBytes = this.#rows[this.#at + Field.length]!;
    if (sizeBytes === 0) return Buffer.alloc(0);
    return this.#engine.bytes(this.#rows[this.#at + Field.address]!, sizeBytes);
  }

  get connection(): MessageConnection {
    return this.#current!;
  }

  get kind(): FrameKind {
    const kind = (this.#rows[this.#at + Field.what]! >>> 8) & 0xff;
    return (this.#framed ? kind : 1) as FrameKind;
  }

  get flags(): number {
    return this.#rows[this.#at + Field.flags]!;
  }

  get channel(): number {
    return this.#rows[this.#at + Field.what]! >>> 16;
  }

  get stream(): number {
    return this.#rows[this.#at + Field.stream]!;
  }

  get sizeBytes(): number {
    return this.#whole?.length ?? this.#rows[this.#at + Field.length]!;
  }

  byteAt(offset: number): number {
    if (this.#whole) return this.#whole[offset] ?? 0;
    const address = this.#rows[this.#at + Field.address]!;
    return offset >= 0 && offset < this.sizeBytes ? this.#engine.byteAt(address + offset) : 0;
  }

  view(): Buffer {
    this.#viewedAt = this.#at;
    return this.#whole ?? this.#payload();
  }

  copy(): Buffer {
    return Buffer.from(this.#whole ?? this.#payload());
  }

  retain(): RetainedMessage {
    if (this.#whole) return { payload: this.#whole, release: () => {} };
    const payload = this.view();
    const slab = this.#rows[this.#at + Field.slab]!;
    // Kept before, or nothing to keep.
    if (slab === noSlab) {
      const copied = Buffer.from(payload);
      return { payload: copied, release: () => {} };
    }
    this.#rows[this.#at + Field.slab] = noSlab;
    return new RetainedSlab(this.#engine, payload, slab);
  }

  forward(to: MessageConnection = this.#current!): boolean {
    const slab = this.#rows[this.#at + Field.slab]!;
    const { sizeBytes } = this;
    if (this.#whole) return to.send(this.#whole, this);
    if (!(to instanceof EngineConnection) || (slab === noSlab && sizeBytes > 0)) {
      return to.send(this.view(), this);
    }
    to.check(sizeBytes);
    const what = this.#rows[this.#at + Field.what]! & ~0xff;
    const type = !this.#framed
      ? CommandType.bytes
      : this.#viewedAt === this.#at
        ? CommandType.forward
        : CommandType.relay;
    this.#engine.forward(to.slot, to.generation, what | type, this.#at);
    return to.handed(sizeBytes + (this.#framed ? headerSizeBytes : 0));
  }
}

/** A slab kept beyond its batch. */
class RetainedSlab implements RetainedMessage {
  readonly payload: Buffer;
  readonly #engine: Engine;
  #slab: number;

  constructor(engine: Engine, payload: Buffer, slab: number) {
    this.#engine = engine;
    this.payload = payload;
    this.#slab = slab;
  }

  release(): void {
    if (this.#slab === noSlab) return;
    this.#engine.release(this.#slab);
    this.#slab = noSlab;
  }
}
