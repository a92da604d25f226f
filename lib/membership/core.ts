/**
 * Membership as a pure state machine: `step(state, input) -> {state, outputs}`. A table of claims is
 * exchanged whole when a link comes up and as deltas afterwards, over a full mesh of links; claims merge by
 * (incarnation, version), a wrong claim about oneself is refuted with a higher version (SWIM, section 4.2),
 * an orderly leave is a claim like any other. SWIM's indirect probing through third nodes is not built:
 * without a link to a member, this core says nothing about its health.
 */
import { membershipLimits } from './codec.ts';
import { compareClaims } from './member.ts';
import type { Member } from './member.ts';

/** Everything membership knows; treat as immutable. */
export interface MembershipState {
  readonly self: Member;
  /** All members but self, the left ones too until they are forgotten. */
  readonly members: ReadonlyMap<string, Member>;
  /** Claims at or below these were forgotten and are not learned again. */
  readonly forgotten: ReadonlyMap<string, Member>;
  /** Claims dropped because the table was full. */
  readonly overflows: number;
}

/** What happens to membership. */
export type MembershipInput =
  /** A link to a peer came up: tell it everything. */
  | { readonly kind: 'up'; readonly nodeId: string }
  /** A peer sent claims. */
  | { readonly kind: 'claims'; readonly from: string; readonly members: readonly Member[] }
  /** This node's own address or region changed. */
  | { readonly kind: 'announce'; readonly self: Pick<Member, 'address' | 'region'> }
  /** This node leaves in order. */
  | { readonly kind: 'leave' }
  /** A member was unreachable, or gone, for long enough. */
  | { readonly kind: 'forget'; readonly nodeId: string };

/** What the driver must do. */
export type MembershipOutput =
  /** Send claims to one peer, or to every linked peer but one. */
  | { readonly kind: 'send'; readonly to: string; readonly members: readonly Member[] }
  | {
      readonly kind: 'broadcast';
      readonly except: string | undefined;
      readonly members: readonly Member[];
    }
  /** The table changed. */
  | { readonly kind: 'join' | 'update' | 'leave'; readonly member: Member }
  /** Someone claimed something wrong about this node; it was refuted. */
  | { readonly kind: 'refuted'; readonly claim: Member };

/** The next state and what to do about it, in order. */
export interface MembershipStep {
  readonly state: MembershipState;
  readonly outputs: readonly MembershipOutput[];
}

/** A table that knows only this node. */
export function initialMembership(self: Member): MembershipState {
  return { self, members: new Map(), forgotten: new Map(), overflows: 0 };
}

/** Applies one input. Pure: the given state is not changed. */
export function stepMembership(state: MembershipState, input: MembershipInput): MembershipStep {
  switch (input.kind) {
    case 'up':
      return {
        state,
        outputs: [
          { kind: 'send', to: input.nodeId, members: [state.self, ...state.members.values()] },
        ],
      };
    case 'claims':
      return applyClaims(state, input.from, input.members);
    case 'announce':
      return changeSelf(state, { ...state.self, ...input.self });
    case 'leave':
      return state.self.state === 'left'
        ? { state, outputs: [] }
        : changeSelf(state, { ...state.self, state: 'left' });
    case 'forget':
      return forget(state, input.nodeId);
  }
}

/** This node changes its own claim. */
function changeSelf(state: MembershipState, wanted: Member): MembershipStep {
  const self = raise(wanted, state.self);
  return {
    state: { ...state, self },
    outputs: [{ kind: 'broadcast', except: undefined, members: [self] }],
  };
}

/** `wanted` with the lowest name above `claim`. */
function raise(wanted: Member, claim: Member): Member {
  return claim.version < membershipLimits.maxVersion
    ? { ...wanted, incarnation: claim.incarnation, version: claim.version + 1 }
    : { ...wanted, incarnation: claim.incarnation + 1, version: 0 };
}

function applyClaims(
  state: MembershipState,
  from: string,
  claims: readonly Member[],
): MembershipStep {
  const members = new Map(state.members);
  const forgotten = new Map(state.forgotten);
  const outputs: MembershipOutput[] = [];
  const news = new Map<string, Member>();
  let { self, overflows } = state;
  let refuted = false;
  for (const claim of claims) {
    if (claim.nodeId === self.nodeId) {
      if (compareClaims(claim, self) <= 0) continue;
      outputs.push({ kind: 'refuted', claim });
      self = raise(self, claim);
      refuted = true;
      continue;
    }
    const grave = forgotten.get(claim.nodeId);
    if (grave !== undefined && compareClaims(claim, grave) <= 0) {
      // Back from a long absence with its old claim: let it refute its death, so that all graves yield.
      const wrong: Member = { ...grave, state: 'left' };
      if (claim.nodeId === from) outputs.push({ kind: 'send', to: from, members: [wrong] });
      continue;
    }
    const known = members.get(claim.nodeId);
    if (known !== undefined && compareClaims(claim, known) <= 0) continue;
    if (known === undefined && claim.state === 'left') {
      bury(forgotten, claim);
      continue;
    }
    if (known === undefined && members.size >= membershipLimits.maxMembers - 1) {
      overflows += 1;
      continue;
    }
    forgotten.delete(claim.nodeId);
    members.set(claim.nodeId, claim);
    news.set(claim.nodeId, claim);
    const change = changeOf(known, claim);
    if (change !== undefined) outputs.push({ kind: change, member: claim });
  }
  if (news.size > 0) outputs.push({ kind: 'broadcast', except: from, members: [...news.values()] });
  // The refutation goes to the one who claimed it, too.
  if (refuted) outputs.push({ kind: 'broadcast', except: undefined, members: [self] });
  return { state: { self, members, forgotten, overflows }, outputs };
}

/** Oldest graves go first; the worst a lost grave costs is to learn and forget the member once more. */
function bury(forgotten: Map<string, Member>, member: Member): void {
  forgotten.delete(member.nodeId);
  forgotten.set(member.nodeId, member);
  const [oldest] = forgotten.keys();
  if (forgotten.size > membershipLimits.maxMembers && oldest !== undefined)
    forgotten.delete(oldest);
}

/** What a newer claim means to those who watch. */
function changeOf(
  known: Member | undefined,
  claim: Member,
): 'join' | 'update' | 'leave' | undefined {
  const wasAlive = known?.state === 'alive';
  if (claim.state === 'left') return wasAlive ? 'leave' : undefined;
  return wasAlive ? 'update' : 'join';
}

function forget(state: MembershipState, nodeId: string): MembershipStep {
  const member = state.members.get(nodeId);
  if (member === undefined) return { state, outputs: [] };
  const members = new Map(state.members);
  members.delete(nodeId);
  const forgotten = new Map(state.forgotten);
  bury(forgotten, member);
  return {
    state: { ...state, members, forgotten },
    outputs: member.state === 'alive' ? [{ kind: 'leave', member }] : [],
  };
}
