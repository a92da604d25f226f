/**
 * What was last known of each peer process, so that one which comes back as somebody else is noticed: a running
 * process (same node id, same incarnation) keeps its region, and once it proved who it is, it has to prove it again.
 */
import { DwcpError } from '../errors.ts';
import type { Hello } from './link.ts';

/** The longest unseen peers are forgotten beyond this many. */
const maxKnown = 16_384;

interface Known {
  readonly incarnation: number;
  readonly region: string;
  readonly secure: boolean;
}

/** See the file header. */
export class KnownPeers {
  readonly #known = new Map<string, Known>();
  #changed = 0;

  /** Handshakes refused because the peer had changed. */
  get changed(): number {
    return this.#changed;
  }

  /** A link to the peer stands. */
  remember({ nodeId, incarnation, region }: Hello, secure: boolean): void {
    this.#known.delete(nodeId);
    this.#known.set(nodeId, { incarnation, region, secure });
    if (this.#known.size <= maxKnown) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest!);
  }

  /** @throws ERR_DWCP_IDENTITY when the same process now says that it is another */
  check({ nodeId, incarnation, region }: Hello, secure: boolean): void {
    const known = this.#known.get(nodeId);
    if (known?.incarnation !== incarnation) return;
    if (known.region === region && (secure || !known.secure)) return;
    this.#changed += 1;
    const field = known.region === region ? 'secure' : 'region';
    const what = field === 'region' ? `in region ${known.region}` : 'proven by a certificate';
    throw new DwcpError('ERR_DWCP_IDENTITY', `${nodeId} was ${what} and is not any more`, {
      detail: { reason: 'changed', field, nodeId },
    });
  }
}
