/** What both sides of the rpc suite offer, so that one driver measures either. */

/** PEM texts of one end; without them both ends speak plaintext. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** A server under measurement: answers a request with its payload, and with items without end. */
export interface RunningServer {
  readonly port: number;
}

/** A client under measurement. */
export interface RunningClient {
  /** One call; settles with the reply. */
  call(payload: Buffer): Promise<unknown>;
  /** Streams items until `onItem` returns false, then cancels; resolves when it stopped. */
  stream(onItem: (item: Uint8Array) => boolean): Promise<void>;
  close(): unknown;
}

/** One of the two libraries. */
export interface Party {
  serve(identity: Identity | undefined, item: Buffer): Promise<RunningServer>;
  connect(port: number, identity: Identity | undefined): Promise<RunningClient>;
}
