/**
 * Sends records of one session: what was queued in one turn leaves together, small records in shared
 * messages on the session's stream, a large update alone on a stream of its own and of class bulk, so
 * that it never holds up others. Order between streams does not matter to the session.
 */
import type { DwcpError } from '../errors.ts';
import { Channel } from '../links/link.ts';
import type { Link } from '../links/link.ts';
import { Priority } from '../transport/frame-pipe.ts';
import type { Stream } from '../transport/stream.ts';
import type { Dot } from '../conflict/index.ts';
import { encodeRecordParts, messageHead } from './wire.ts';
import type { WireRecord } from './wire.ts';

/** Records share a message up to this size; larger ones go alone, bytes. */
const SHARED_BYTES = 64 * 1024;

/** What an {@link Outbox} tells while it is open. */
export interface OutboxEvents {
  /** The session's stream ended. */
  onBroken(error: DwcpError | undefined): void;
  /** A record that went alone did not arrive, e.g. because it is larger than the peer takes. */
  onLost(record: WireRecord, error: unknown): void;
}

/** Sends over one link. */
export class Outbox {
  readonly #link: Link;
  readonly #events: OutboxEvents;
  readonly #stream: Stream;
  #records: WireRecord[] = [];
  #closed = false;

  constructor(link: Link, events: OutboxEvents) {
    this.#link = link;
    this.#events = events;
    this.#stream = link.open(Channel.state);
    this.#stream.onMessage(() => undefined);
    this.#stream.onClose((error) => {
      if (this.#closed) return;
      this.#closed = true;
      events.onBroken(error);
    });
  }

  /** Queues a record for the end of the turn; its frame is borrowed until it was sent. */
  push(record: WireRecord): void {
    if (this.#closed) return;
    if (this.#records.length === 0) process.nextTick(() => this.#flush());
    this.#records.push(record);
  }

  /** Sends nothing more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.end();
  }

  #flush(): void {
    const records = joinAcks(this.#records);
    this.#records = [];
    if (this.#closed) return;
    let shared: Buffer[] = [messageHead];
    let sizeBytes = 0;
    const send = (): void => {
      // One copy here is cheaper than hundreds of small parts through stream and socket.
      if (shared.length > 1) this.#send(this.#stream, [Buffer.concat(shared)], Priority.state);
      shared = [messageHead];
      sizeBytes = 0;
    };
    for (const record of records) {
      const parts = encodeRecordParts(record);
      const recordBytes = parts.reduce((sum, part) => sum + part.length, 0);
      if (recordBytes > SHARED_BYTES) {
        this.#sendAlone(record, [messageHead, ...parts]);
        continue;
      }
      if (sizeBytes + recordBytes > SHARED_BYTES) send();
      shared.push(...parts);
      sizeBytes += recordBytes;
    }
    send();
  }

  #sendAlone(record: WireRecord, parts: Buffer[]): void {
    const lost = (error: unknown): void => {
      if (!this.#closed) this.#events.onLost(record, error);
    };
    try {
      const stream = this.#link.open(Channel.state);
      stream.onMessage(() => undefined);
      stream.onClose((error) => error && lost(error));
      this.#send(stream, parts, Priority.bulk, true);
    } catch (error) {
      lost(error);
    }
  }

  #send(stream: Stream, parts: readonly Buffer[], priority: Priority, end = false): void {
    // A failure ends the stream, and with it the session: `onBroken` or the link's `down` tells.
    stream.send(parts, { priority, end }).catch(() => undefined);
  }
}

/** One ack per namespace, first: it lets the peer go on. */
function joinAcks(records: readonly WireRecord[]): WireRecord[] {
  const acks = new Map<number, Dot[]>();
  const rest: WireRecord[] = [];
  for (const record of records) {
    if (record.type !== 'ack') rest.push(record);
    else if (acks.has(record.ns)) acks.get(record.ns)!.push(...record.dots);
    else acks.set(record.ns, [...record.dots]);
  }
  return [...[...acks].map(([ns, dots]): WireRecord => ({ type: 'ack', ns, dots })), ...rest];
}
