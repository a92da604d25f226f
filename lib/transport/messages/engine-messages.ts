/** The batch API over the I/O engine: one owner for all connections of a listener or dial. */
import type { Engine, EngineOwner } from '../engine/engine.ts';
import { dialOnEngine, listenOnEngine, type SocketSettings } from '../engine/engine-sockets.ts';
import { CommandType, Field, rowFields, RowType } from '../engine/layout.ts';
import { agreePreface } from '../engine/preface.ts';
import {
  brokenError,
  closedEarly,
  outOfMemory,
  prefaceLate,
  socketError,
} from '../engine/system-error.ts';
import { encodePreface, prefaceSizeBytes } from '../envelope.ts';
import { HalfOpen } from '../half-open.ts';
import { InboundRefusals } from '../inbound-refusals.ts';
import type { DwcpError } from '../../errors.ts';
import { deliver, type MessageConnection, type MessageListener } from './batch.ts';
import { EngineBatch } from './engine-batch.ts';
import { EngineConnection } from './engine-connection.ts';
import type { ResolvedOptions } from './options.ts';

/** Owner of connections that share handlers. */
export class EngineMessages implements EngineOwner {
  readonly #engine: Engine;
  readonly #options: ResolvedOptions;
  readonly #connections: (EngineConnection | undefined)[] = [];
  readonly #batch: EngineBatch;
  readonly #refused: InboundRefusals;
  readonly #halfOpen: HalfOpen;
  #listening = false;
  readonly #dials = new Map<EngineConnection, (error: DwcpError | undefined) => void>();

  constructor(engine: Engine, options: ResolvedOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#batch = new EngineBatch(engine, this.#connections, options.framed);
    this.#refused = new InboundRefusals(options.onRefused ?? (() => {}));
    this.#halfOpen = new HalfOpen(options.clock, options.limits, this.#refused.givenUp);
  }

  async listen(): Promise<MessageListener> {
    const engine = this.#engine;
    const onAccept = (slot: number, generation: number): EngineOwner => {
      const connection = this.#add(slot, generation);
      if (this.#options.framed) this.#halfOpen.admit(connection, engine.knock(slot, generation));
      return this;
    };
    const onClose = (): void => {
      this.#listening = false;
      this.#halfOpen.destroyAll();
    };
    this.#listening = true;
    const listener = await listenOnEngine(
      engine,
      this.#settings(),
      this.#options,
      onAccept,
      onClose,
    );
    return { ...listener, tier: engine.tier, halfOpen: () => this.#halfOpen.stats() };
  }

  async connect(signal: AbortSignal | undefined): Promise<MessageConnection> {
    const { clock, limits } = this.#options;
    const patience = { clock, limits, signal };
    return dialOnEngine(
      this.#engine,
      this.#settings(),
      this.#options,
      patience,
      (slot, generation, { onOpen, onGone }) => {
        const connection = this.#add(slot, generation);
        this.#dials.set(connection, (error) => (error ? onGone(error) : onOpen()));
        return { connection, owner: this };
      },
    );
  }

  onRows(first: number, end: number): void {
    const { rows } = this.#engine;
    let begun = first;
    for (let row = first; row < end; row++) {
      const type = rows[row * rowFields + Field.what]! & 0xff;
      if (type === RowType.frame || type === RowType.chunk) continue;
      if (row > begun) this.#deliver(begun, row);
      this.#onEvent(type, row * rowFields);
      begun = row + 1;
    }
    if (end > begun) this.#deliver(begun, end);
  }

  #settings(): SocketSettings {
    const { socket, framed, limits } = this.#options;
    return { ...socket, framed, keepAliveMs: limits.keepAliveMs, tls: 0 };
  }

  #add(slot: number, generation: number): EngineConnection {
    const connection = new EngineConnection(this.#engine, slot, generation, this.#options);
    this.#connections[slot] = connection;
    return connection;
  }

  /** What a handler throws is uncaught, and the rows after its own are still told. */
  #safely(action: () => void): void {
    try {
      action();
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #deliver(first: number, end: number): void {
    const batch = this.#batch.begin(first, end);
    this.#safely(() => deliver(batch, this.#options.handlers));
    // Parts a handler did not look at are put together all the same.
    if (this.#options.maxMessageBytes > 0) while (batch.next());
  }

  #onEvent(type: number, at: number): void {
    const { rows } = this.#engine;
    const connection = this.#connections[rows[at + Field.slot]!];
    if (!connection) return;
    switch (type) {
      case RowType.opened:
        return this.#onOpened(connection);
      case RowType.preface:
        return this.#onPreface(connection, rows[at + Field.stream]!, rows[at + Field.length]!);
      case RowType.broken: {
        const { maxFramePayloadBytes } = this.#options.limits;
        return connection.destroy(
          brokenError(rows, at, { maxPayloadBytes: maxFramePayloadBytes, checksum: true }),
        );
      }
      case RowType.ended:
        if (connection.state !== 'open') return;
        connection.state = 'closing';
        return connection.armDeadline(() => connection.control(CommandType.destroy));
      case RowType.writable:
        if (connection.state !== 'open') return;
        return this.#safely(() => this.#options.handlers.onDrain?.(connection));
      case RowType.closed:
        return this.#onClosed(connection, rows[at + Field.flags]!);
      default:
    }
  }

  #onOpened(connection: EngineConnection): void {
    if (connection.state !== 'opening') return;
    connection.state = 'open';
    const { slot, generation } = connection;
    connection.remoteAddress = this.#engine.peer(slot, generation) ?? connection.remoteAddress;
    connection.control(CommandType.resume);
    if (!this.#options.framed) return this.#announce(connection);
    if (!this.#engine.send(slot, generation, encodePreface())) {
      return connection.destroy(outOfMemory());
    }
    connection.handed(prefaceSizeBytes);
    // An accepted one is watched among the half-open.
    if (!this.#dials.has(connection)) return;
    const { handshakeTimeoutMs } = this.#options.limits;
    connection.armDeadline(() => connection.destroy(prefaceLate(handshakeTimeoutMs)));
  }

  #onPreface(connection: EngineConnection, low: number, high: number): void {
    if (connection.state !== 'open') return;
    const refusal = agreePreface(low, high);
    if (refusal) return connection.destroy(refusal);
    connection.deadline?.cancel();
    this.#halfOpen.release(connection);
    connection.control(CommandType.resume);
    this.#announce(connection);
  }

  /** The connection can be used. */
  #announce(connection: EngineConnection): void {
    connection.announced = true;
    this.#dials.get(connection)?.(undefined);
    this.#dials.delete(connection);
    this.#safely(() => this.#options.handlers.onOpen?.(connection));
  }

  #onClosed(connection: EngineConnection, errno: number): void {
    const own = connection.state === 'closed';
    connection.state = 'closed';
    connection.deadline?.cancel();
    if (!own && errno !== 0) connection.error = socketError(errno);
    this.#connections[connection.slot] = undefined;
    this.#halfOpen.release(connection);
    const { error, announced, remoteAddress } = connection;
    const dialled = this.#dials.get(connection);
    this.#dials.delete(connection);
    if (dialled) return dialled(error ?? closedEarly());
    this.#safely(() => {
      if (announced) this.#options.handlers.onClose?.(connection, error);
      else if (this.#listening) this.#refused.closed(connection, remoteAddress, error);
    });
  }
}
