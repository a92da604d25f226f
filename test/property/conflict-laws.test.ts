/**
 * The laws of versions, vectors and sibling sets, over random histories: replicas write with fresh and
 * with stale contexts, and versions travel one by one, late, twice, out of order, or never.
 */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import {
  audit,
  contextOf,
  decodeDots,
  decodeSiblings,
  decodeVersion,
  encodeDots,
  encodeSiblings,
  encodeVersion,
  hadSeen,
  HybridClock,
  merge,
  mergeSets,
  noSiblings,
  VersionVector,
  visible,
  write,
} from '../../lib/conflict/index.ts';
import type { CausalContext, Dot, SiblingSet, Version } from '../../lib/conflict/index.ts';
import { isDwcpError } from '../../lib/errors.ts';
import { compareHlc } from '../../lib/conflict/hlc.ts';

const names = ['00000000000000aa', '0000000000000bbb', 'ffffffffffffffff', 'a1b2c3d4e5f60718'];
const name = (index: number): string => names[index]!;

/** One replica of one key in a namespace that also has other keys. */
class Replica {
  readonly id: string;
  readonly clock = new HybridClock({ maxDriftMs: 60_000 });
  set: SiblingSet = noSiblings;
  seq = 0;
  /** The context of an earlier read. */
  remembered: CausalContext = contextOf(noSiblings);

  constructor(id: string) {
    this.id = id;
  }

  write(wallMs: number, stale: boolean, deleted: boolean): Version {
    const result = write(this.set, {
      dot: { replica: this.id, seq: ++this.seq },
      hlc: this.clock.tick(wallMs),
      context: stale ? this.remembered : undefined,
      deleted,
      region: 'eu',
      maxSiblings: 1000,
    });
    this.set = result.set;
    return result.version;
  }

  receive(version: Version, wallMs: number): void {
    this.clock.receive(version.hlc, wallMs);
    this.set = merge(this.set, version).set;
  }
}

type Step =
  | { readonly do: 'write'; at: number; stale: boolean; deleted: boolean; skew: number }
  | { readonly do: 'otherKey' | 'remember'; at: number }
  | { readonly do: 'deliver'; at: number; pick: number };

const at = fc.nat({ max: names.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    at,
    stale: fc.boolean(),
    deleted: fc.boolean(),
    skew: fc.integer({ min: -5000, max: 5000 }),
  }),
  fc.record({ do: fc.constantFrom('otherKey' as const, 'remember' as const), at }),
  fc.record({ do: fc.constant('deliver' as const), at, pick: fc.nat() }),
);
const schedule = fc.array(step, { minLength: 1, maxLength: 40 });

/** Plays a schedule; every version ever acknowledged, and the replicas as they stand. */
function play(steps: readonly Step[]): { replicas: Replica[]; written: Version[] } {
  const replicas = names.map((id) => new Replica(id));
  const written: Version[] = [];
  let wallMs = 1_000_000;
  for (const one of steps) {
    const replica = replicas[one.at]!;
    wallMs += 1;
    if (one.do === 'write') {
      written.push(replica.write(wallMs + one.skew, one.stale, one.deleted));
    } else if (one.do === 'deliver') {
      const version = written[one.pick % Math.max(1, written.length)];
      if (version !== undefined) replica.receive(version, wallMs);
    } else if (one.do === 'remember') {
      replica.remembered = contextOf(replica.set);
    } else {
      replica.seq += 1;
    }
  }
  return { replicas, written };
}

const hex = (set: SiblingSet): string => Buffer.from(encodeSiblings(set)).toString('hex');
const dotText = ({ replica, seq }: Dot): string => `${replica}:${seq}`;

/** Versions nothing written has seen: what must be in every converged set, by definition. */
const undominated = (written: readonly Version[]): string[] =>
  written
    .filter((version) => !written.some((other) => hadSeen(other, version)))
    .map(({ dot }) => dotText(dot))
    .toSorted();

function holds<T>(t: ExecutionContext, property: fc.IProperty<T>, numRuns = 500): void {
  t.notThrows(() => fc.assert(property, { numRuns }));
}

function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`${what} differs`);
}

test('any schedule with partitions converges to equal bytes, and no undominated write vanishes', (t) => {
  const property = fc.property(schedule, fc.infiniteStream(fc.nat()), (steps, order) => {
    const { replicas, written } = play(steps);
    // Heal: everybody receives everything in an order of its own, some of it twice.
    for (const replica of replicas) {
      const left = [...written, ...written.slice(0, 3)];
      while (left.length > 0) {
        const [version] = left.splice(order.next().value % left.length, 1);
        replica.receive(version!, 1_000_100);
      }
    }
    const states = new Set(replicas.map(({ set }) => hex(set)));
    if (states.size !== 1) throw new Error('replicas differ');
    const kept = replicas[0]!.set.map(({ dot }) => dotText(dot)).toSorted();
    if (kept.join(' ') !== undominated(written).join(' ')) {
      throw new Error(`kept ${kept.join(' ')}, must keep ${undominated(written).join(' ')}`);
    }
    const winners = replicas.map(({ set }) => visible(set, 'lww').versions[0]?.dot);
    if (new Set(winners.map((dot) => dot && dotText(dot))).size !== 1) throw new Error('winner');
  });
  holds(t, property, 1500);
});

test('at every moment a set holds exactly what it received and nothing received has seen', (t) => {
  const property = fc.property(schedule, (steps) => {
    const { replicas } = play(steps);
    for (const { set } of replicas) {
      for (const a of set) {
        for (const b of set) if (a !== b && hadSeen(a, b)) throw new Error('not an antichain');
      }
    }
  });
  holds(t, property);
});

test('what a version has seen is transitive, so order of delivery cannot matter', (t) => {
  const property = fc.property(schedule, (steps) => {
    const { written } = play(steps);
    for (const c of written) {
      for (const b of written.filter((version) => hadSeen(c, version))) {
        for (const a of written.filter((version) => hadSeen(b, version))) {
          if (!hadSeen(c, a)) throw new Error(`${dotText(c.dot)} lost sight of ${dotText(a.dot)}`);
        }
      }
    }
  });
  holds(t, property);
});

test('merging sets is commutative, associative and idempotent', (t) => {
  const property = fc.property(schedule, (steps) => {
    const { replicas } = play(steps);
    const [a, b, c] = [replicas[0]!.set, replicas[1]!.set, replicas[2]!.set];
    const ab = mergeSets(a, b);
    same(hex(ab), hex(mergeSets(b, a)), 'the other order');
    same(hex(mergeSets(ab, c)), hex(mergeSets(a, mergeSets(b, c))), 'the other grouping');
    same(hex(mergeSets(a, a)), hex(a), 'a merged with itself');
    same(hex(mergeSets(ab, b)), hex(ab), 'merged again');
  });
  holds(t, property);
});

test('stamps rise along causality, so the greatest version is never one that was replaced', (t) => {
  const property = fc.property(schedule, (steps) => {
    const { written } = play(steps);
    for (const later of written) {
      for (const earlier of written) {
        if (hadSeen(later, earlier) && compareHlc(later.hlc, earlier.hlc) <= 0) {
          throw new Error(`${dotText(later.dot)} is stamped before ${dotText(earlier.dot)}`);
        }
      }
    }
  });
  holds(t, property);
});

test('an audited pair has the same winner on whichever side it is found', (t) => {
  const property = fc.property(schedule, (steps) => {
    const { replicas, written } = play(steps);
    const winnerOf = new Map<string, string>();
    const common = { namespace: 'n', key: 'k', policy: 'lww' as const, atMs: 0 };
    for (const replica of replicas) {
      for (const version of written) {
        const { set } = merge(replica.set, version);
        for (const { winner, loser } of audit({ ...common, set, version })) {
          const pair = [dotText(winner.dot), dotText(loser.dot)].toSorted().join('|');
          const known = winnerOf.get(pair) ?? dotText(winner.dot);
          if (known !== dotText(winner.dot)) throw new Error(`two winners of ${pair}`);
          winnerOf.set(pair, known);
        }
      }
    }
  });
  holds(t, property, 200);
});

test('decode(encode(x)) is x, with the same bytes again', (t) => {
  const property = fc.property(schedule, (steps) => {
    const { replicas, written } = play(steps);
    for (const { set } of replicas) {
      same(decodeSiblings(encodeSiblings(set)), set, 'set');
      const context = contextOf(set);
      same(decodeDots(encodeDots(context)), context, 'context');
    }
    for (const version of written) {
      const again = decodeVersion(encodeVersion(version));
      same(again, version, 'version');
      same(encodeVersion(again), encodeVersion(version), 'bytes');
    }
  });
  holds(t, property);
});

const dots = fc.array(fc.record({ replica: at.map(name), seq: fc.integer({ min: 1, max: 40 }) }), {
  maxLength: 60,
});
const vectorOf = (list: readonly Dot[]): VersionVector => {
  const vector = new VersionVector();
  for (const dot of list) vector.add(dot);
  return vector;
};

test('a version vector is the set of its dots, whatever the order of arrival', (t) => {
  const property = fc.property(dots, dots, (a, b) => {
    const set = new Set(a.map(dotText));
    const [va, vb] = [vectorOf(a), vectorOf(b)];
    for (const dot of [...a, ...b]) {
      if (va.contains(dot) !== set.has(dotText(dot))) throw new Error(`contains ${dotText(dot)}`);
    }
    const bytes = Buffer.from(va.encode());
    if (!bytes.equals(vectorOf(a.toReversed()).encode())) throw new Error('order shows');
    if (!VersionVector.decode(bytes).equals(va)) throw new Error('round trip');
    const union = va.clone().merge(vb);
    if (!union.equals(vb.clone().merge(va))) throw new Error('merge is not commutative');
    if (!union.equals(vectorOf([...a, ...b]))) throw new Error('merge is not union');
    if (!union.covers(va) || !union.covers(vb)) throw new Error('covers');
    const missing = new Set<string>();
    for (const { replica, first, last } of va.missing(vb)) {
      for (let seq = first; seq <= last; seq += 1) missing.add(dotText({ replica, seq }));
    }
    const expected = new Set(b.map(dotText).filter((dot) => !set.has(dot)));
    same(missing, expected, 'missing');
    if (va.covers(vb) !== (expected.size === 0)) throw new Error('covers and missing disagree');
    for (const id of names) {
      let base = 0;
      while (va.contains({ replica: id, seq: base + 1 })) base += 1;
      if (va.base(id) !== base) throw new Error('base');
    }
  });
  holds(t, property);
});

test('the hybrid clock only rises, whatever wall time does, and passes all it has received', (t) => {
  const event = fc.record({
    wallMs: fc.integer({ min: 0, max: 10_000 }),
    remote: fc.option(
      fc.record({ wallMs: fc.integer({ min: 0, max: 12_000 }), counter: fc.nat({ max: 0xffff }) }),
    ),
  });
  const property = fc.property(fc.array(event), (events) => {
    const clock = new HybridClock({ maxDriftMs: 1000 });
    for (const { wallMs, remote } of events) {
      const before = clock.last;
      if (remote !== null) {
        const tooFar = remote.wallMs - wallMs > 1000;
        try {
          clock.receive(remote, wallMs);
          if (tooFar) throw new Error('took a stamp too far ahead');
        } catch (error) {
          if (!tooFar || !isDwcpError(error, 'ERR_DWCP_CLOCK_DRIFT')) throw error;
          if (clock.last !== before)
            throw new Error('a refused stamp moved the clock', { cause: error });
        }
      }
      const floor = clock.last;
      if (compareHlc(clock.tick(wallMs), floor) <= 0) throw new Error('the clock did not rise');
      if (clock.last.wallMs < wallMs) throw new Error('behind wall time');
    }
  });
  holds(t, property);
});

const roundTrips: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
  (bytes) => encodeSiblings(decodeSiblings(bytes)),
  (bytes) => encodeVersion(decodeVersion(bytes)),
  (bytes) => encodeDots(decodeDots(bytes)),
  (bytes) => VersionVector.decode(bytes).encode(),
];

test('garbage, truncation and flipped bits give a coded error or the exact bytes back', (t) => {
  const codes = ['ERR_DWCP_FRAME_CORRUPT', 'ERR_DWCP_FRAME_VERSION', 'ERR_DWCP_LIMIT'] as const;
  const check = (bytes: Uint8Array): void => {
    for (const roundTrip of roundTrips) {
      let again: Uint8Array;
      try {
        again = roundTrip(bytes);
      } catch (error) {
        if (!codes.some((code) => isDwcpError(error, code))) throw error;
        continue;
      }
      const text = Buffer.from(again).toString('hex');
      if (!Buffer.from(again).equals(bytes)) throw new Error(`two encodings: ${text}`);
    }
  };
  const flip = fc.property(schedule, fc.nat(), fc.nat({ max: 255 }), (steps, where, byte) => {
    for (const { set } of play(steps).replicas) {
      for (const bytes of [encodeSiblings(set), encodeDots(contextOf(set))]) {
        check(bytes.subarray(0, where % bytes.length));
        const changed = Buffer.from(bytes);
        changed[where % bytes.length] = byte;
        check(changed);
      }
    }
  });
  holds(t, flip, 1000);
  const noise = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    check(bytes);
    check(Uint8Array.of(1, ...bytes));
    check(Uint8Array.of(1, 1, ...bytes));
  });
  holds(t, noise, 3000);
});
