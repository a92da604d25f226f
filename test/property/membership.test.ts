/** Membership: merging obeys the laws of a join, gossip converges in any order, decoding never surprises. */
import test from 'ava';
import * as fc from 'fast-check';
import { isDwcpError } from '../../lib/errors.ts';
import { decodeMembers, encodeMembers } from '../../lib/membership/codec.ts';
import { initialMembership, stepMembership } from '../../lib/membership/core.ts';
import type { MembershipState } from '../../lib/membership/core.ts';
import { newerClaim } from '../../lib/membership/member.ts';
import type { Member } from '../../lib/membership/member.ts';

const claimOf = (nodeId: fc.Arbitrary<string>): fc.Arbitrary<Member> =>
  fc.record({
    nodeId,
    incarnation: fc.nat(2),
    version: fc.nat(3),
    region: fc.constantFrom('eu', 'us'),
    address: fc.option(
      fc.record({ host: fc.constantFrom('a', 'b'), port: fc.constantFrom(1, 2) }),
      {
        nil: undefined,
      },
    ),
    state: fc.constantFrom('alive' as const, 'left' as const),
  });
const claim = claimOf(fc.constant('x'));
const anyClaim = claimOf(fc.constantFrom('m', 'n', 'o', 'p'));
const self: Member = {
  nodeId: 'self',
  incarnation: 1,
  version: 0,
  region: 'eu',
  address: undefined,
  state: 'alive',
};

/** The alive members a node sees after claims came in, each by itself. */
function viewAfter(claims: readonly Member[]): Member[] {
  let state: MembershipState = initialMembership(self);
  for (const one of claims) {
    state = stepMembership(state, { kind: 'claims', from: 'peer', members: [one] }).state;
  }
  return [...state.members.values()]
    .filter((member) => member.state === 'alive')
    .toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

test('merging claims is commutative, associative and idempotent', (t) => {
  fc.assert(
    fc.property(claim, claim, claim, (a, b, c) => {
      t.deepEqual(newerClaim(a, b), newerClaim(b, a));
      t.deepEqual(newerClaim(newerClaim(a, b), c), newerClaim(a, newerClaim(b, c)));
      t.deepEqual(newerClaim(a, a), a);
    }),
    { numRuns: 500 },
  );
});

test('the same claims in any order, split and repeated, give the same members', (t) => {
  const shuffled = fc
    .array(anyClaim, { maxLength: 12 })
    .chain((claims) =>
      fc.tuple(
        fc.constant(claims),
        fc.shuffledSubarray([...claims, ...claims], { minLength: claims.length * 2 }),
      ),
    );
  fc.assert(
    fc.property(shuffled, ([claims, other]) => t.deepEqual(viewAfter(claims), viewAfter(other))),
    { numRuns: 300 },
  );
});

test('a step never changes the state it was given', (t) => {
  fc.assert(
    fc.property(fc.array(anyClaim), anyClaim, (claims, more) => {
      const { state } = stepMembership(initialMembership(self), {
        kind: 'claims',
        from: 'peer',
        members: claims,
      });
      const before = encodeMembers(state.members.values());
      stepMembership(state, { kind: 'claims', from: 'peer', members: [more] });
      stepMembership(state, { kind: 'forget', nodeId: more.nodeId });
      stepMembership(state, { kind: 'leave' });
      t.deepEqual(encodeMembers(state.members.values()), before);
    }),
    { numRuns: 100 },
  );
});

test('no claim about oneself stands: it is refuted with a higher one', (t) => {
  fc.assert(
    fc.property(claimOf(fc.constant('self')), (wrong) => {
      const { state } = stepMembership(initialMembership(self), {
        kind: 'claims',
        from: 'peer',
        members: [wrong],
      });
      t.is(state.self.state, 'alive');
      t.is(state.self.region, 'eu');
      t.deepEqual(newerClaim(state.self, wrong), state.self);
    }),
    { numRuns: 300 },
  );
});

test('claims survive the wire, and equal tables give equal bytes', (t) => {
  const table = fc.uniqueArray(anyClaim, { selector: ({ nodeId }) => nodeId });
  fc.assert(
    fc.property(table, (members) => {
      const decoded = decodeMembers(encodeMembers(members));
      t.deepEqual(encodeMembers(decoded), encodeMembers(members.toReversed()));
      t.is(decoded.length, members.length);
    }),
    { numRuns: 200 },
  );
});

test('garbage gossip is refused with a typed error', (t) => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((json) => Buffer.from(json)),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify({ members: [value] }))),
    fc
      .tuple(
        anyClaim,
        fc.constantFrom('nodeId', 'incarnation', 'version', 'region', 'address', 'state'),
        fc.jsonValue(),
      )
      .map(([member, field, value]) =>
        Buffer.from(JSON.stringify({ members: [{ ...member, [field]: value }] })),
      ),
  );
  fc.assert(
    fc.property(payload, (bytes) => {
      try {
        for (const member of decodeMembers(bytes)) t.truthy(member.nodeId);
        return true;
      } catch (error) {
        return isDwcpError(error, 'ERR_DWCP_PROTOCOL');
      }
    }),
    { numRuns: 1000 },
  );
});

test('too many members or bytes are refused by limit', (t) => {
  const members = Array.from({ length: 1025 }, (_, i) => ({ ...self, nodeId: `n${i}` }));
  t.throws(() => decodeMembers(encodeMembers(members)), { code: 'ERR_DWCP_LIMIT' });
  t.throws(() => decodeMembers(Buffer.alloc(600 * 1024, 32)), { code: 'ERR_DWCP_LIMIT' });
});
