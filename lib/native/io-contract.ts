/**
 * What the I/O engine of the addon offers. Calls are per engine, socket or tick; messages go through
 * tables that both sides see (lib/transport/engine/layout.ts). Failures of the kernel are negative errnos.
 */

/** A table the engine shares: rows out, commands in, bytes sent by slot, counters. */
export interface IoTables {
  readonly rows: ArrayBuffer;
  readonly commands: ArrayBuffer;
  readonly sent: ArrayBuffer;
  readonly counters: ArrayBuffer;
}

/** A socket to open. */
export interface IoSocketOptions {
  /** Numeric IPv4 or IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** Whether it speaks link frames; plain bytes otherwise. */
  readonly framed: boolean;
  /** Silence before the kernel asks whether the peer is there, ms. */
  readonly keepAliveMs: number;
  /** TCP_USER_TIMEOUT, ms; 0 leaves the kernel's. */
  readonly userTimeoutMs: number;
  /** TCP_NOTSENT_LOWAT, bytes; 0 leaves the kernel's. */
  readonly notsentLowatBytes: number;
  /** TCP_CONGESTION; empty leaves the kernel's. */
  readonly congestion: string;
  /** SO_REUSEPORT on a listener. */
  readonly reusePort: boolean;
  /** Number of a TLS context; 0 for plaintext. */
  readonly tls: number;
}

/** An identity for TLS. */
export interface IoTlsIdentity {
  /** DER certificates end to end: the own one, then its issuers. */
  readonly certificates: Uint8Array;
  /** DER, PKCS #8. */
  readonly key: Uint8Array;
  /** DER certificates end to end. */
  readonly roots: Uint8Array;
  /** How long ticket keys are used for new tickets, ms. */
  readonly ticketIntervalMs: number;
}

/** The engine of this thread; one per environment. */
export interface IoBinding {
  /** Starts it; `onBatch` is called once per wake-up with the number of rows. */
  open(
    tier: 'uring' | 'epoll',
    budgetBytes: number,
    maxConnections: number,
    onBatch: (rows: number) => void,
  ): IoTables | number;
  /** The memory of one region; asked for once each. */
  region(index: number): ArrayBuffer;
  /** Carries out the commands in the table. */
  flush(): void;
  /** A new slab to write payloads into, after a flush; -1 at the memory budget. */
  stage(): number;
  listen(options: IoSocketOptions): readonly [id: number, port: number] | number;
  unlisten(id: number): void;
  connect(options: IoSocketOptions): readonly [slot: number, generation: number] | number;
  /** `host:port` of the peer. */
  peer(slot: number, generation: number): string | undefined;
  /** Bytes that came in over a connection; 0 when it is gone. */
  received(slot: number, generation: number): number;
  /** Numbers of TCP_INFO: RTT, its variance, least RTT (us), cwnd, retransmits, delivery rate, unsent, acked. */
  path(slot: number, generation: number): readonly number[] | undefined;
  /** 0 when sockets may use a congestion control, or a negative errno. */
  probeCongestion(name: string): number;
  /** Sets TCP_CONGESTION (kept when empty) and TCP_NOTSENT_LOWAT of a live connection; 0 or a negative errno. */
  tune(slot: number, generation: number, congestion: string, notsentLowatBytes: number): number;
  /** Name of the congestion control in use. */
  congestion(slot: number, generation: number): string | undefined;
  /** Meets itself in memory with an identity of its own making; what does not work, or undefined. */
  tlsProbe(identity: IoTlsIdentity): string | undefined;
  /** Number of a new context, or why there is none. */
  tlsAdd(identity: IoTlsIdentity): number | string;
  /** Sockets that `listener` accepts from now on use another context. */
  tlsUse(listener: number, context: number): void;
  /** Gives up a context; connections that began with it keep it. */
  tlsDrop(context: number): void;
}
