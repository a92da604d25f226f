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

/** Sends over one link. */
export class Outbox {
  readonly #link: Link;
  readonly #stream: Stream;
  #records: WireRecord[] = [];
  #closed = false;

  /** @param onBroken the session's stream ended while the outbox was open. */
  constructor(link: Link, onBroken: (error: DwcpError | undefined) => void) {
    this.#link = link;
    this.#stream = link.open(Channel.state);
    this.#stream.onMessage(() => undefined);
    this.#stream.onClose((error) => {
      if (this.#closed) return;
      this.#closed = true;
      onBroken(error);
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
        this.#sendAlone([messageHead, ...parts]);
        continue;
      }
      if (sizeBytes + recordBytes > SHARED_BYTES) send();
      shared.push(...parts);
      sizeBytes += recordBytes;
    }
    send();
  }

  #sendAlone(parts: Buffer[]): void {
    try {
      const stream = this.#link.open(Channel.state);
      stream.onMessage(() => undefined);
      this.#send(stream, parts, Priority.bulk, true);
    } catch {
      // The link is down: the session ends with it, and the next one sends what is lacking.
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
