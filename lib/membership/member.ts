/**
 * One member and the order of claims about it. A claim is named by (incarnation, version), both minted by
 * the member itself as in SWIM (Das et al., 2002, section 4.2); the higher pair wins. Equal pairs with
 * different content only come from a faulty sender; they are ordered by content, so that merging is
 * commutative, associative and idempotent whatever arrives.
 */
import type { Address } from '../transport/frame-pipe.ts';

/** What is known of a member; its content never changes for one (incarnation, version). */
export interface Member {
  readonly nodeId: string;
  /** Grows with every start of the node. */
  readonly incarnation: number;
  /** Grows with every change within an incarnation. */
  readonly version: number;
  readonly region: string;
  /** Where it can be dialled; undefined for a node that only dials. */
  readonly address: Address | undefined;
  readonly state: 'alive' | 'left';
}

/** Negative when `a` is older than `b`, zero when they are the same claim. */
export function compareClaims(a: Member, b: Member): number {
  return (
    a.incarnation - b.incarnation ||
    a.version - b.version ||
    // Left wins over alive: it is the safer reading, and the member can refute it.
    Number(a.state === 'left') - Number(b.state === 'left') ||
    compareText(contentOf(a), contentOf(b))
  );
}

/** The newer of two claims about one member. */
export function newerClaim(a: Member, b: Member): Member {
  return compareClaims(a, b) >= 0 ? a : b;
}

function contentOf({ region, address }: Member): string {
  return JSON.stringify([region, address?.host ?? null, address?.port ?? null]);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
