/** A table of rights: what rows mean, and what is no row. */
import test from 'ava';
import { type Right, Rights } from '../../lib/links/rights.ts';

const eu1 = { cluster: 'prod', region: 'eu', nodeId: 'eu-1' };

test('without a row nothing is given, not even the link', (t) => {
  const rights = new Rights([]);
  for (const verb of ['link', 'call', 'state.read', 'state.write']) {
    t.false(rights.permits(eu1, verb, ''));
  }
});

test('a row gives its verbs on its namespaces to its peers, and the link with them', (t) => {
  const rights = new Rights([
    { peers: 'dwcp://prod/eu/*', verbs: ['call'], namespaces: ['shop/*', 'ping'] },
    { peers: ['dwcp://prod/us/us-1', 'dwcp://prod/us/us-2'], verbs: ['state.read'] },
  ]);
  t.true(rights.permits(eu1, 'call', 'shop/buy'));
  t.true(rights.permits(eu1, 'call', 'ping'));
  t.true(rights.permits(eu1, 'link', ''));
  t.false(rights.permits(eu1, 'call', 'pings'));
  t.false(rights.permits(eu1, 'call', 'shop'));
  t.false(rights.permits(eu1, 'state.read', 'shop/buy'));
  const us = (nodeId: string): typeof eu1 => ({ cluster: 'prod', region: 'us', nodeId });
  t.true(rights.permits(us('us-2'), 'state.read', 'anything'));
  t.false(rights.permits(us('us-2'), 'state.write', 'anything'));
  t.false(rights.permits(us('us-3'), 'link', ''));
  t.false(rights.permits({ ...eu1, cluster: 'test' }, 'link', ''));
});

test('an empty list of namespaces gives the link and nothing on any namespace', (t) => {
  const rights = new Rights([{ peers: 'dwcp://prod/eu/*', verbs: ['call'], namespaces: [] }]);
  t.true(rights.permits(eu1, 'link', ''));
  t.false(rights.permits(eu1, 'call', 'x'));
});

test('what is no row is refused and named', (t) => {
  const good: Right = { peers: 'dwcp://prod/eu/*', verbs: ['call'] };
  const wrong: readonly [unknown, RegExp][] = [
    ['all', /^rights must be/],
    [[undefined], /^rights\[0\] must be/],
    [[good, { verbs: ['call'] }], /^rights\[1\]\.peers/],
    [[{ ...good, peers: [] }], /^rights\[0\]\.peers/],
    [[{ ...good, peers: '*' }], /^rights\[0\]\.peers\[0\]/],
    [[{ ...good, peers: 'dwcp://prod/eu' }], /^rights\[0\]\.peers\[0\]/],
    [[{ ...good, peers: 'dwcp://prod/*u/eu-1' }], /^rights\[0\]\.peers\[0\]/],
    [[{ ...good, peers: ['dwcp://prod/eu/**'] }], /^rights\[0\]\.peers\[0\]/],
    [[{ ...good, verbs: [] }], /^rights\[0\]\.verbs/],
    [[{ ...good, verbs: 'call' }], /^rights\[0\]\.verbs/],
    [[{ ...good, verbs: ['calls'] }], /^rights\[0\]\.verbs\[0\]/],
    [[{ ...good, verbs: ['link'] }], /^rights\[0\]\.verbs\[0\]/],
    [[{ ...good, namespaces: 'shop' }], /^rights\[0\]\.namespaces/],
    [[{ ...good, namespaces: [''] }], /^rights\[0\]\.namespaces\[0\]/],
    [[{ ...good, namespaces: ['*/buy'] }], /^rights\[0\]\.namespaces\[0\]/],
    [[{ ...good, namespace: ['shop'] }], /^rights\[0\]\.namespace/],
  ];
  for (const [table, message] of wrong) {
    t.throws(() => new Rights(table as Right[]), { code: 'ERR_DWCP_INVALID_ARG', message });
  }
});
