/**
 * The `Discovery` seam: where the first addresses come from. Gossip finds everyone else, so a discovery
 * needs to name one live member. Seeds are the embedded implementation; adapters to etcd, DNS or the like
 * fit the same interface.
 */
import type { Address } from '../transport/frame-pipe.ts';

/** What a node tells a discovery about itself. */
export interface Announcement {
  readonly nodeId: string;
  readonly region: string;
  readonly address: Address | undefined;
}

/** Finds members to dial. */
export interface Discovery {
  /**
   * Calls back with the whole current set of addresses, now or soon, and again at each change.
   * Returns how to stop. Addresses that vanish are not dialled again.
   */
  watch(onAddresses: (addresses: readonly Address[]) => void): () => void;
  /** Makes this node known to others, until `signal` fires. Rejects when it could not. */
  announce(self: Announcement, signal: AbortSignal): Promise<void>;
}

/**
 * A fixed list of addresses that are kept dialled for ever. The own address may be in it.
 * @example seeds([{ host: '10.0.0.5', port: 7000 }])
 */
export function seeds(addresses: readonly Address[]): Discovery {
  return {
    watch(onAddresses) {
      onAddresses(addresses);
      return () => {};
    },
    announce: () => Promise.resolve(),
  };
}
