/** The streams of one connection by id. The dialer opens odd ids, the acceptor even ones. */
import { DwcpError } from '../errors.ts';
import type { ConnectionStream } from './connection-stream.ts';

/** Ids, parity and the limit on open streams. */
export class StreamTable {
  readonly #streams = new Map<number, ConnectionStream>();
  readonly #parity: number;
  readonly #maxStreams: number;
  #nextId: number;
  /** Newest id of the peer, compared as a serial number (RFC 1982), since ids wrap. */
  #newestPeerId = 0;
  #own = 0;
  #opened = 0;
  #accepted = 0;

  constructor(role: 'dialer' | 'acceptor', maxStreams: number) {
    this.#parity = role === 'dialer' ? 1 : 0;
    this.#nextId = role === 'dialer' ? 1 : 2;
    this.#maxStreams = maxStreams;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Streams this side opened, ever. */
  get opened(): number {
    return this.#opened;
  }

  /** Streams the peer opened, ever. */
  get accepted(): number {
    return this.#accepted;
  }

  /** A snapshot, safe to iterate while streams close. */
  all(): readonly ConnectionStream[] {
    return [...this.#streams.values()];
  }

  get(id: number): ConnectionStream | undefined {
    return this.#streams.get(id);
  }

  /** A free id of this side. @throws ERR_DWCP_LIMIT at `maxStreams` */
  allocate(): number {
    if (this.#own >= this.#maxStreams) throw tooMany(this.#maxStreams);
    let id: number;
    do {
      id = this.#nextId;
      this.#nextId = (id + 2) >>> 0 || 2;
    } while (this.#streams.has(id));
    return id;
  }

  add(stream: ConnectionStream): void {
    this.#streams.set(stream.id, stream);
    if (this.#isOwn(stream.id)) {
      this.#own++;
      this.#opened++;
    } else {
      this.#accepted++;
      this.saw(stream.id);
    }
  }

  remove(id: number): void {
    if (this.#streams.delete(id) && this.#isOwn(id)) this.#own--;
  }

  /** Why the peer may not open this stream; undefined when it may. */
  refuse(id: number): DwcpError | undefined {
    if (this.#isOwn(id)) {
      return new DwcpError('ERR_DWCP_PROTOCOL', 'The stream id has the wrong parity');
    }
    const peers = this.#streams.size - this.#own;
    return peers >= this.#maxStreams ? tooMany(this.#maxStreams) : undefined;
  }

  /** Notes an id the peer used. */
  saw(id: number): void {
    if (!this.#isOwn(id) && !this.mayBePast(id)) this.#newestPeerId = id;
  }

  /** True for an id that may have been in use earlier. */
  mayBePast(id: number): boolean {
    const newest = this.#isOwn(id) ? (this.#nextId - 2) >>> 0 : this.#newestPeerId;
    return (newest - id) >>> 0 < 0x80000000;
  }

  #isOwn(id: number): boolean {
    return (id & 1) === this.#parity;
  }
}

function tooMany(maxStreams: number): DwcpError {
  return new DwcpError('ERR_DWCP_LIMIT', `More than maxStreams (${maxStreams}) streams`, {
    detail: { limit: 'maxStreams' },
  });
}
