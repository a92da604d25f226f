/** A table of rights never gives what no row gives, whatever the rows and whoever asks. */
import test from 'ava';
import * as fc from 'fast-check';
import { type Right, Rights, type RightVerb, rightVerbs } from '../../lib/links/rights.ts';

// Few names, so that patterns and names meet often.
const name = fc.constantFrom('a', 'ab', 'abc', 'b', 'b-1', 'B', 'a.b', 'eu', 'eu-1');
const pattern = fc.oneof(
  name,
  fc.constant('*'),
  name.map((text) => `${text}*`),
);
const peers = fc.tuple(pattern, pattern, pattern).map((parts) => `dwcp://${parts.join('/')}`);
const namespace = fc.constantFrom('a', 'ab', 'a/b', 'a/c', 'shop/buy', 'shop', 'é', '.', '?');
const right: fc.Arbitrary<Right> = fc.record(
  {
    peers: fc.oneof(peers, fc.array(peers, { minLength: 1, maxLength: 3 })),
    verbs: fc.array(fc.constantFrom(...rightVerbs), { minLength: 1, maxLength: 3 }),
    namespaces: fc.array(
      fc.oneof(
        namespace,
        fc.constant('*'),
        namespace.map((text) => `${text}*`),
      ),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['peers', 'verbs'] },
);
const identity = fc.record({ cluster: name, region: name, nodeId: name });

/** The rule, written another way: a pattern as a regular expression over the whole text. */
function fits(text: string, wanted: string): boolean {
  const literal = wanted.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replace(/\\\*$/, '.*')}$`, 's').test(text);
}

function names({ peers: wanted }: Right, who: { cluster: string; region: string; nodeId: string }) {
  const list = typeof wanted === 'string' ? [wanted] : wanted;
  return list.some((uri) => {
    const parts = uri.slice('dwcp://'.length).split('/');
    return [who.cluster, who.region, who.nodeId].every((text, i) => fits(text, parts[i]!));
  });
}

test('exactly what a row gives is given', (t) => {
  fc.assert(
    fc.property(
      fc.array(right, { maxLength: 5 }),
      identity,
      fc.constantFrom<RightVerb>(...rightVerbs),
      namespace,
      (table, who, verb, what) => {
        const given = table.some(
          (row) =>
            names(row, who) &&
            row.verbs.includes(verb) &&
            (row.namespaces === undefined || row.namespaces.some((each) => fits(what, each))),
        );
        const rights = new Rights(table);
        t.is(rights.permits(who, verb, what), given);
        // Asked again, from memory.
        t.is(rights.permits(who, verb, what), given);
        t.is(
          rights.permits(who, 'link', ''),
          table.some((row) => names(row, who)),
        );
        t.false(rights.permits(who, 'state.delete', what));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a row more never takes a right away, a row less never gives one', (t) => {
  fc.assert(
    fc.property(
      fc.array(right, { minLength: 1, maxLength: 5 }),
      identity,
      fc.constantFrom<RightVerb>(...rightVerbs),
      namespace,
      (table, who, verb, what) => {
        const less = new Rights(table.slice(1));
        const more = new Rights(table);
        t.true(!less.permits(who, verb, what) || more.permits(who, verb, what));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('equal digests mean equal rights', (t) => {
  fc.assert(
    fc.property(
      fc.array(right, { maxLength: 4 }),
      fc.array(right, { maxLength: 4 }),
      identity,
      fc.constantFrom<RightVerb>(...rightVerbs),
      namespace,
      (first, second, who, verb, what) => {
        const [a, b] = [new Rights(first), new Rights(second)];
        if (a.digestOf(who) !== b.digestOf(who)) return;
        t.is(a.permits(who, verb, what), b.permits(who, verb, what));
      },
    ),
    { numRuns: 2_000 },
  );
});
