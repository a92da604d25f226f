/**
 * What a reader sees of a sibling set, and what a policy decided by it. Pure functions of the set
 * and never of who holds it or in which order it came, so every replica answers the same. Automatic
 * policies write no version: the losers stay in the set until a write that has seen them replaces
 * them.
 */
import { invalidArg } from '../errors.ts';
import { compareVersions } from './hlc.ts';
import { contextOf } from './siblings.ts';
import type { SiblingSet } from './siblings.ts';
import type { AuditRecord, CausalContext, PolicyName, Version } from './types.ts';

/** The policies built so far. */
export const policyNames: readonly PolicyName[] = ['lww', 'siblings'];

/** What a read returns. */
export interface Visible {
  /** Versions whose values are visible, greatest first; empty when the key is absent or deleted. */
  readonly versions: readonly Version[];
  /** Hand this to the write that follows from the read. */
  readonly context: CausalContext;
  /** True when concurrent versions stand, visible or not. */
  readonly conflicted: boolean;
}

/**
 * The visible versions of a key. `lww`: the greatest version, none if that is a tombstone.
 * `siblings`: every value that is not a tombstone.
 * @throws ERR_DWCP_INVALID_ARG for an unknown policy.
 * @example const { versions, context } = visible(set, 'siblings');
 */
export function visible(set: SiblingSet, policy: PolicyName): Visible {
  checkPolicy(policy);
  const candidates = policy === 'lww' ? set.slice(0, 1) : set;
  return {
    versions: candidates.filter(({ deleted }) => !deleted),
    context: contextOf(set),
    conflicted: set.length > 1,
  };
}

/** What {@link audit} needs to know. */
export interface AuditInput {
  readonly namespace: string;
  readonly key: string;
  readonly policy: PolicyName;
  /** The set after the version was written or merged. */
  readonly set: SiblingSet;
  readonly version: Version;
  /** Wall time here, ms since the epoch. */
  readonly atMs: number;
}

/**
 * The pairs a policy decided when `version` came to stand beside others: one record for each,
 * winner and loser the same on every replica. Empty when nothing was decided: no concurrency, or a
 * policy that shows all values.
 * @throws ERR_DWCP_INVALID_ARG for an unknown policy
 * @example audit({ namespace: 'prices', key, policy: 'lww', set, version, atMs: clock.now() })
 */
export function audit(input: AuditInput): AuditRecord[] {
  const { namespace, key, policy, set, version, atMs } = input;
  checkPolicy(policy);
  if (policy !== 'lww' || set.length < 2) return [];
  const isSame = (other: Version): boolean => compareVersions(other, version) === 0;
  if (!set.some(isSame)) return [];
  return set
    .filter((other) => !isSame(other))
    .map((other) => {
      const [winner, loser] =
        compareVersions(other, version) > 0 ? [other, version] : [version, other];
      return { namespace, key, policy, winner, loser, atMs };
    });
}

/**
 * Canonical text of what two replicas must agree on to merge a namespace; exchanged in Hello.
 * @example
 * policyFingerprint({ policy: 'lww', codec: 'json' }); // 'dwcp-policy/1 codec=json policy=lww'
 */
export function policyFingerprint(terms: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(terms).map(([name, value]) => {
    const text = String(value);
    if (!/^[\w.-]+$/.test(name)) invalidArg('terms', 'names of letters, digits, . and -', name);
    if (!/^[\w.-]+$/.test(text)) invalidArg(`terms.${name}`, 'letters, digits, . and -', text);
    return `${name}=${text}`;
  });
  return ['dwcp-policy/1', ...words.toSorted()].join(' ');
}

function checkPolicy(policy: PolicyName): void {
  if (!policyNames.includes(policy)) invalidArg('policy', policyNames.join(' or '), policy);
}
