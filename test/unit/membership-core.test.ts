/** The membership core, input by input. */
import test from 'ava';
import { membershipLimits } from '../../lib/membership/codec.ts';
import { initialMembership, stepMembership } from '../../lib/membership/core.ts';
import type { MembershipInput, MembershipOutput } from '../../lib/membership/core.ts';
import type { Member } from '../../lib/membership/member.ts';

const member = (nodeId: string, more: Partial<Member> = {}): Member => ({
  nodeId,
  incarnation: 1,
  version: 0,
  region: 'eu',
  address: { host: '127.0.0.1', port: 7000 },
  state: 'alive',
  ...more,
});

/** A core fed input after input. */
function core(self = member('self')) {
  let state = initialMembership(self);
  return {
    feed(input: MembershipInput): readonly MembershipOutput[] {
      const step = stepMembership(state, input);
      state = step.state;
      return step.outputs;
    },
    hear(from: string, ...members: Member[]): readonly MembershipOutput[] {
      return this.feed({ kind: 'claims', from, members });
    },
    get state() {
      return state;
    },
  };
}

const kinds = (outputs: readonly MembershipOutput[]): string[] => outputs.map(({ kind }) => kind);

test('a link that comes up is told the whole table', (t) => {
  const node = core();
  node.hear('a', member('a'), member('b'));
  const [output] = node.feed({ kind: 'up', nodeId: 'c' });
  t.is(output?.kind, 'send');
  t.deepEqual(output?.kind === 'send' ? output.members.map(({ nodeId }) => nodeId) : [], [
    'self',
    'a',
    'b',
  ]);
});

test('news are passed on to everyone but the one who told them, once', (t) => {
  const node = core();
  const outputs = node.hear('a', member('b'));
  t.deepEqual(kinds(outputs), ['join', 'broadcast']);
  t.is(outputs[1]?.kind === 'broadcast' ? outputs[1].except : '', 'a');
  t.deepEqual(node.hear('c', member('b')), []);
});

test('join, update, leave and join again follow the claims', (t) => {
  const node = core();
  const seen: string[] = [];
  const hear = (more: Partial<Member>): void => {
    seen.push(kinds(node.hear('a', member('b', more)))[0] ?? '-');
  };
  hear({});
  hear({ version: 1, region: 'us' });
  hear({ version: 0 });
  hear({ version: 2, state: 'left' });
  hear({ version: 1 });
  hear({ incarnation: 2 });
  t.deepEqual(seen, ['join', 'update', '-', 'leave', '-', 'join']);
});

test('a left member that was never known is no news, and its older claims stay out', (t) => {
  const node = core();
  t.deepEqual(node.hear('a', member('b', { version: 5, state: 'left' })), []);
  t.deepEqual(node.hear('a', member('b', { version: 4 })), []);
  t.is(node.state.members.size, 0);
});

test('a claim that this node left is refuted to everyone, its author too', (t) => {
  const node = core();
  const wrong = member('self', { version: 7, state: 'left' });
  const outputs = node.hear('a', wrong);
  t.deepEqual(kinds(outputs), ['refuted', 'broadcast']);
  const told = outputs[1];
  t.is(told?.kind === 'broadcast' ? told.except : 'a', undefined);
  t.like(node.state.self, { version: 8, state: 'alive', incarnation: 1 });
});

test('versions that run out go on in the next incarnation', (t) => {
  const node = core();
  node.hear('a', member('self', { version: membershipLimits.maxVersion, state: 'left' }));
  t.like(node.state.self, { incarnation: 2, version: 0, state: 'alive' });
});

test('leaving is said once, to all', (t) => {
  const node = core();
  t.deepEqual(kinds(node.feed({ kind: 'leave' })), ['broadcast']);
  t.like(node.state.self, { version: 1, state: 'left' });
  t.deepEqual(node.feed({ kind: 'leave' }), []);
});

test('a forgotten member stays out until it says something newer', (t) => {
  const node = core();
  node.hear('a', member('b'));
  t.deepEqual(kinds(node.feed({ kind: 'forget', nodeId: 'b' })), ['leave']);
  t.deepEqual(node.hear('c', member('b')), []);
  t.is(kinds(node.hear('c', member('b', { version: 1 })))[0], 'join');
});

test('a forgotten member that comes back itself is made to refute its death', (t) => {
  const node = core();
  const returning = core(member('b'));
  node.hear('a', member('b'));
  node.feed({ kind: 'forget', nodeId: 'b' });
  const [answer] = node.hear('b', returning.state.self);
  t.is(answer?.kind, 'send');
  const claims = answer?.kind === 'send' ? answer.members : [];
  t.deepEqual(kinds(returning.hear('self', ...claims)), ['refuted', 'broadcast']);
  t.is(kinds(node.hear('b', returning.state.self))[0], 'join');
});

test('a full table takes no more members and counts them', (t) => {
  const node = core();
  for (let i = 0; i < membershipLimits.maxMembers + 5; i++) node.hear('a', member(`n${i}`));
  t.is(node.state.members.size, membershipLimits.maxMembers - 1);
  t.is(node.state.overflows, 6);
});
