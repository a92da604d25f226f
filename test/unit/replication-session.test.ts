/** The session state machine, alone: inputs and outputs, no I/O, no time. */
import test from 'ava';
import { VersionVector } from '../../lib/conflict/index.ts';
import type { Dot, Version } from '../../lib/conflict/index.ts';
import { Session } from '../../lib/replication/session.ts';
import type { SessionInput, SessionOutput } from '../../lib/replication/session.ts';
import type { Job } from '../../lib/replication/session-namespace.ts';
import { NackReason, RefusedReason } from '../../lib/replication/wire.ts';
import type { UpdateRecord } from '../../lib/replication/wire.ts';

const mine = 'aaaaaaaaaaaaaaaa';
const theirs = 'bbbbbbbbbbbbbbbb';
const third = 'cccccccccccccccc';
const dot = (replica: string, seq: number): Dot => ({ replica, seq });

function vectorOf(...runs: readonly [string, number][]): VersionVector {
  return new VersionVector(new Map(runs.map(([replica, last]) => [replica, [[1, last]]])));
}

/** A session, what is here, and short words for inputs and outputs. */
class Rig {
  vector = new VersionVector();
  readonly denied = new Set<string>();
  readonly session: Session;
  readonly jobs = new Map<string, Job>();

  constructor(maxInFlightBytes = 1_000) {
    this.session = new Session({
      replica: () => mine,
      maxInFlightBytes,
      authorize: (verb) => !this.denied.has(verb),
    });
  }

  step(input: SessionInput): string[] {
    return this.session.step(input).flatMap((output) => this.#say(output));
  }

  declare(): string[] {
    const vector = (): VersionVector => this.vector;
    const namespace = { ns: 1, name: 'files', fingerprint: 'lww', vector };
    return this.step({ type: 'declare', namespace });
  }

  sync(vector: VersionVector, fingerprint = 'lww'): string[] {
    const record = { type: 'sync', ns: 7, name: 'files', fingerprint, vector } as const;
    return this.step({ type: 'record', record, nowMs: 0 });
  }

  /** A local put: the vector advances, then the session is told. */
  put(key: string, seq: number): string[] {
    this.vector.add(dot(mine, seq));
    return this.step({ type: 'changed', ns: 1, key, local: true });
  }

  /** The driver made updates of a key. */
  prepared(key: string, seqs: readonly number[], sizeBytes = 100, large = false): string[] {
    const updates = seqs.map((seq) => ({
      update: update(key, dot(mine, seq), 1),
      sizeBytes,
      large,
    }));
    return this.step({ type: 'prepared', ns: 1, job: this.jobs.get(key)!, updates, nowMs: 0 });
  }

  ack(...seqs: number[]): string[] {
    const record = { type: 'ack', ns: 1, dots: seqs.map((seq) => dot(mine, seq)) } as const;
    return this.step({ type: 'record', record, nowMs: 0 });
  }

  nack(seq: number, reason: NackReason): string[] {
    const record = { type: 'nack', ns: 1, dot: dot(mine, seq), reason } as const;
    return this.step({ type: 'record', record, nowMs: 0 });
  }

  tick(nowMs: number): string[] {
    return this.step({ type: 'tick', nowMs });
  }

  #say(output: SessionOutput): string[] {
    if (output.type === 'prepare') {
      this.jobs.set(output.job.key, output.job);
      return [`prepare ${output.job.key}${output.job.whole ? ' whole' : ''}`];
    }
    if (output.type === 'scan') {
      return [
        `scan ${output.runs.map(({ replica, first, last }) => `${replica[0]}${first}-${last}`).join()}`,
      ];
    }
    if (output.type === 'send') return [`send ${sent(output.record)}`];
    if (output.type === 'event') return output.event === 'acked' ? [] : [`event ${output.event}`];
    if (output.type === 'scanMore') return [];
    return [output.type === 'cover' ? 'cover' : `apply ${output.update.key}`];
  }
}

function sent(record: Extract<SessionOutput, { type: 'send' }>['record']): string {
  if (record.type === 'update') return `update ${record.key} ${record.version.dot.seq}`;
  if (record.type === 'ack') return `ack ${record.dots.map(({ seq }) => seq).join()}`;
  if (record.type === 'covered') {
    const runs = [...record.vector.dots].map(([id, ranges]) => `${id[0]}${ranges.join()}`);
    return `covered ${runs.join(' ')}`;
  }
  if (record.type === 'nack' || record.type === 'refused') return `${record.type} ${record.reason}`;
  return record.type;
}

function update(key: string, at: Dot, ns: number): UpdateRecord {
  const version: Version = {
    dot: at,
    hlc: { wallMs: 1, counter: 0 },
    context: new Map(),
    deleted: true,
    region: 'eu',
  };
  return { type: 'update', ns, key, putWallMs: 0, version, frame: undefined, base: undefined };
}

test('a new link exchanges vectors and sends exactly what the peer lacks', (t) => {
  const rig = new Rig();
  rig.vector = vectorOf([mine, 5], [third, 3]);
  t.deepEqual(rig.declare(), ['send sync']);
  t.deepEqual(rig.sync(vectorOf([mine, 2], [third, 3], [theirs, 9])), ['scan a3-5']);
  t.deepEqual(rig.step({ type: 'scanned', ns: 1, keys: ['x', 'y'], done: true }), [
    'prepare x',
    'prepare y',
  ]);
  t.deepEqual(rig.prepared('x', [4]), ['send update x 4']);
  t.deepEqual(rig.prepared('y', [5]), ['send update y 5']);
  t.deepEqual(rig.ack(4), []);
  t.deepEqual(rig.ack(5), ['send covered a1,5 c1,3']);
  t.true(rig.session.stats.synced);
});

test('a key that changes while it waits is sent once; the gap is covered when all is quiet', (t) => {
  const rig = new Rig();
  rig.declare();
  rig.sync(new VersionVector());
  t.deepEqual(rig.put('k', 1), ['prepare k']);
  t.deepEqual(rig.prepared('k', [1], 100, true), ['send update k 1']);
  t.deepEqual(rig.put('k', 2), []);
  t.deepEqual(rig.put('k', 3), []);
  t.deepEqual(rig.ack(1), ['prepare k']);
  t.deepEqual(rig.prepared('k', [3], 100, true), ['send update k 3']);
  t.deepEqual(rig.ack(3), ['send covered a1,3']);
});

test('what replaces a version while it is being listed goes along before anything is covered', (t) => {
  const rig = new Rig();
  rig.vector = vectorOf([third, 1]);
  rig.declare();
  t.deepEqual(rig.sync(new VersionVector()), ['scan c1-1']);
  rig.vector.add(dot(theirs, 1));
  t.deepEqual(rig.step({ type: 'changed', ns: 1, key: 'k', local: false }), ['prepare k']);
  t.deepEqual(rig.step({ type: 'scanned', ns: 1, keys: [], done: true }), []);
  t.deepEqual(rig.prepared('k', [1]), ['send update k 1']);
  t.deepEqual(rig.ack(1), ['send covered c1,1']);
});

test('bytes in flight are bounded; answers make room', (t) => {
  const rig = new Rig(250);
  rig.declare();
  rig.sync(new VersionVector());
  t.deepEqual(rig.put('a', 1), ['prepare a']);
  t.deepEqual(rig.prepared('a', [1], 300), ['send update a 1']);
  t.deepEqual(rig.put('b', 2), []);
  t.deepEqual(rig.put('c', 3), []);
  t.is(rig.session.stats.waitingKeys, 2);
  t.deepEqual(rig.ack(1), ['prepare b', 'prepare c']);
});

test('a missing base is answered with the whole value at once, a full peer after a while', (t) => {
  const rig = new Rig();
  rig.declare();
  rig.sync(new VersionVector());
  rig.put('k', 1);
  rig.prepared('k', [1]);
  t.deepEqual(rig.nack(1, NackReason.base), ['event nacked', 'prepare k whole']);
  rig.prepared('k', [1]);
  t.deepEqual(rig.nack(1, NackReason.limit), ['event nacked']);
  t.deepEqual(rig.tick(1_000), []);
  t.deepEqual(rig.tick(3_000), ['prepare k whole']);
});

test('an answer that never comes means the value is sent again, whole', (t) => {
  const rig = new Rig();
  rig.declare();
  rig.sync(new VersionVector());
  rig.put('k', 1);
  rig.prepared('k', [1]);
  t.deepEqual(rig.tick(70_000), ['event timeout', 'prepare k whole']);
});

test('a remote version is applied, then acknowledged; its origin is not sent it back', (t) => {
  const rig = new Rig();
  rig.declare();
  rig.sync(new VersionVector());
  const record = update('k', dot(theirs, 1), 7);
  t.deepEqual(rig.step({ type: 'record', record, nowMs: 0 }), ['apply k']);
  rig.vector.add(record.version.dot);
  t.deepEqual(rig.step({ type: 'changed', ns: 1, key: 'k', local: false }), []);
  t.deepEqual(rig.step({ type: 'applied', ns: 1, dot: record.version.dot }), ['send ack 1']);
  t.false(rig.session.lacks(1, record.version.dot));
});

test('different policies are refused on both sides and nothing is exchanged', (t) => {
  const rig = new Rig();
  rig.vector = vectorOf([mine, 1]);
  rig.declare();
  t.deepEqual(rig.sync(new VersionVector(), 'siblings'), [
    `send refused ${RefusedReason.policy}`,
    'event refused',
  ]);
  t.deepEqual(rig.put('k', 2), []);
  const record = update('k', dot(theirs, 1), 7);
  t.deepEqual(rig.step({ type: 'record', record, nowMs: 0 }), [
    `send nack ${NackReason.unauthorized}`,
  ]);
});

test('a peer that may not read is sent nothing; one that may not write is refused', (t) => {
  const rig = new Rig();
  rig.denied.add('state.read').add('state.write');
  rig.vector = vectorOf([mine, 1]);
  rig.declare();
  t.deepEqual(rig.sync(new VersionVector()), [
    `send refused ${RefusedReason.write}`,
    'event refused',
    `send refused ${RefusedReason.read}`,
    'event refused',
  ]);
  t.deepEqual(rig.put('k', 2), []);
});

test('what a peer lacks for two exchanges goes round through this node', (t) => {
  const rig = new Rig();
  rig.declare();
  rig.sync(new VersionVector());
  rig.vector.add(dot(third, 1));
  t.deepEqual(rig.step({ type: 'changed', ns: 1, key: 'k', local: false }), []);
  t.deepEqual(rig.tick(0), []);
  t.deepEqual(rig.tick(5_000), ['send sync']);
  t.deepEqual(rig.tick(10_000), []);
  t.deepEqual(rig.tick(15_000), ['scan c1-1']);
});

test('more waiting keys than the bound are found again by a scan', (t) => {
  const rig = new Rig(1);
  rig.declare();
  rig.sync(new VersionVector());
  rig.put('first', 1);
  rig.prepared('first', [1], 100);
  const out: string[] = [];
  for (let seq = 2; seq < 65_540; seq++) out.push(...rig.put(`k${seq}`, seq));
  t.deepEqual(out, ['scan a1-65538']);
  t.true(rig.session.stats.waitingKeys < 3);
});

test('writes of ours that only a peer knows show that this store is an older copy', (t) => {
  const rig = new Rig();
  rig.vector = vectorOf([mine, 3]);
  rig.declare();
  t.true(rig.sync(vectorOf([mine, 7])).includes('event spent'));
});
