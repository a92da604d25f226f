/** What the rest of the house sees of links: one authenticated connection per peer. */
import type { EventEmitter } from 'node:events';
import type { DwcpError, ErrorCode } from '../errors.ts';
import type { Address, FramePipe, PipeStats } from '../transport/frame-pipe.ts';
import type { HalfOpenStats } from '../transport/half-open.ts';
import type { Stream } from '../transport/stream.ts';
import type { Right } from './rights.ts';

/** Channel numbers: which room a stream belongs to. */
export const Channel = { rpc: 1, state: 2, membership: 3 } as const;
export type Channel = (typeof Channel)[keyof typeof Channel];

/** How further sockets may join a link. */
export interface SocketOffer {
  /** Sockets in all. */
  readonly max: number;
  /** Bytes this side puts in order. */
  readonly reorderBytes: number;
  /** 32 hexadecimal digits that only the two ends of this link know. */
  readonly token: string;
}

/** What each side says first on a link. */
export interface Hello {
  readonly wireMin: number;
  readonly wireMax: number;
  readonly cluster: string;
  readonly nodeId: string;
  /** Grows with every start of the node; the newer incarnation wins. */
  readonly incarnation: number;
  readonly region: string;
  /** Where others can dial this node; undefined for a node that only dials. */
  readonly advertise: Address | undefined;
  /** Codec ids this side can decode, see compression/frame.ts. */
  readonly codecs: readonly number[];
  /** Digest kinds this side can compute, see compression/digest.ts. */
  readonly digests: readonly number[];
  readonly maxMessageBytes: number;
  /** What this side takes beside the first socket; undefined on one that takes nothing, and on older peers. */
  readonly sockets?: SocketOffer | undefined;
  /** Policy hashes of keyspaces, as far as they are told here; a node tells them keyspace by keyspace. */
  readonly policies: Readonly<Record<string, string>>;
}

/** What an authorize hook is asked. `verb` is link, call, serve, state.read or state.write. */
export interface AuthorizeRequest {
  readonly peer: { readonly nodeId: string; readonly region: string; readonly secure: boolean };
  readonly verb: string;
  readonly namespace: string;
}

/**
 * Decides, in the same turn, whether a peer may do something. Only `true` permits: false, a promise or
 * a throw refuses the link, call or keyspace with ERR_DWCP_UNAUTHORIZED.
 */
export type Authorize = (request: AuthorizeRequest) => boolean;

/** Numbers of one link for `status()`. */
export interface LinkStats extends PipeStats {
  /** Smoothed round trip, ms; undefined before the first pong. */
  readonly rttMs: number | undefined;
  readonly streams: number;
  readonly sendQueueBytes: number;
  /** Congestion control of its sockets, segments they sent again, and what the kernel sees arriving; undefined off the I/O engine. */
  readonly congestion?: string | undefined;
  readonly retransmits?: number | undefined;
  readonly deliveryBytesPerSecond?: number | undefined;
  /** Sockets it has now. */
  readonly sockets?: number | undefined;
  /** What the peer confirmed, bytes per second over the last second; undefined until bulk went over a long path. */
  readonly goodputBytesPerSecond?: number | undefined;
  /** Chunks sent again over another socket, and sockets that were cut. */
  readonly resentChunks?: number | undefined;
  readonly cuts?: number | undefined;
}

/** One live link. */
export interface Link {
  /** What the peer said in its Hello. */
  readonly peer: Hello;
  readonly tier: FramePipe['tier'];
  readonly secure: boolean;
  readonly remoteAddress: string;
  /** Monotonic ms when anything was last heard from the peer. */
  readonly lastHeardMs: number;
  /** Monotonic ms since which the oldest unanswered ping waits; undefined when none does. */
  readonly pingPendingSinceMs: number | undefined;
  readonly rttMs: number | undefined;
  /** Opens a stream on a channel. Throws ERR_DWCP_LINK_DOWN. */
  open(channel: Channel): Stream;
  /** Closes this link; a dialled address is dialled again after backoff. */
  close(error?: DwcpError): void;
  stats(): LinkStats;
}

/** Numbers of all links for `status()`. */
export interface LinksStats {
  readonly links: number;
  /** Addresses kept dialled. */
  readonly addresses: number;
  /** Inbound pipes that have not finished the handshake, of `maxHalfOpen`. */
  readonly halfOpen: number;
  readonly dials: number;
  readonly dialsFailed: number;
  readonly accepted: number;
  /** Handshakes refused, by either side. */
  readonly refused: number;
  /** Pipes given up because the peer was linked already. */
  readonly duplicates: number;
  /** Inbound pipes dropped, oldest first, because too many were half-open. */
  readonly halfOpenDropped: number;
  /** Inbound sockets that have not spoken the protocol, and those given up before they did. */
  readonly sockets: HalfOpenStats;
  /** Links replaced by a newer one of the same peer. */
  readonly replaced: number;
  /** Links closed because the peer was silent for too long. */
  readonly silenced: number;
  /** Handshakes refused because a running process came back as another. */
  readonly identityChanged: number;
  /** Questions about rights answered with no. */
  readonly unauthorized: number;
  /** Rows of the table of rights; undefined without one. */
  readonly rights: number | undefined;
  /** Links closed because the rights of their peer changed. */
  readonly rightsChanged: number;
  /** `refused`, by the code of its error. */
  readonly refusedByCode: Readonly<Partial<Record<ErrorCode, number>>>;
}

/** Events of {@link Links}. */
export interface LinkEvents {
  up: [link: Link];
  down: [link: Link, error: DwcpError | undefined];
  /** A dial failed or a handshake was refused; it is tried again with backoff. */
  refused: [address: string, error: DwcpError];
}

/** All links of a node: dials, accepts, shakes hands, keeps one per peer, dispatches channels. */
export interface Links extends EventEmitter<LinkEvents> {
  listen(address: Address): Promise<Address>;
  /** Keeps a link to this address, with backoff, until `forget`. */
  dial(address: Address): void;
  forget(address: Address): void;
  /** Registers the room that gets inbound streams of a channel; one handler per channel. */
  handle(channel: Channel, onStream: (link: Link, stream: Stream) => void): void;
  /** Asks the hook; used by rooms at stream open and per namespace. */
  authorize(link: Link, verb: string, namespace: string): boolean;
  get(nodeId: string): Link | undefined;
  all(): readonly Link[];
  /** Sends goaway, waits up to `timeoutMs` for streams, closes. Idempotent. */
  close(timeoutMs?: number): Promise<void>;
}

/** {@link Links} of a node, with the numbers `status()` shows. */
export interface NodeLinks extends Links {
  stats(): LinksStats;
  /**
   * Replaces the table of rights, or removes it. Links to peers whose rights changed close and are made anew,
   * so that everything on them is asked for again.
   * @throws ERR_DWCP_INVALID_ARG for a wrong table; the old one stays
   */
  setRights(rights: readonly Right[] | undefined): void;
}
