/** What the sessions of a replicator share. */
import type { Clock } from '../clock.ts';
import type { Links } from '../links/link.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { FrameSource } from './frame-source.ts';
import type { NamespaceStore } from './namespace-store.ts';
import type { PutTimings } from './put-timings.ts';
import type { UpdateCounters } from './replication-stats.ts';
import type { Store } from './store.ts';

/** Shared by all sessions. */
export interface ReplicatorParts {
  readonly store: Store;
  readonly links: Links;
  readonly frames: FrameSource;
  readonly timings: PutTimings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Counters of a namespace over all peers. */
  readonly countersOf: (store: NamespaceStore) => {
    readonly sent: UpdateCounters;
    readonly received: UpdateCounters;
  };
}
