/** How many sockets a link gets, fed with models of paths. */
import test from 'ava';
import { type FlowSample, SocketCount } from '../../lib/transport/stripes/socket-count.ts';

/** Runs intervals of a path that carries `rateOf(sockets)`; returns the counts. */
function run(
  rateOf: (sockets: number) => number,
  sample: Partial<FlowSample>,
  intervals = 40,
): number[] {
  const count = new SocketCount({ max: 32, maxPaced: 4 });
  return Array.from({ length: intervals }, () =>
    count.next({
      sockets: count.wanted,
      bytesPerSecond: rateOf(count.wanted),
      backlogged: true,
      congestion: 'cubic',
      lossy: false,
      queueing: false,
      ...sample,
    }),
  );
}

test('where loss holds cubic down, sockets double up to the limit within some ten intervals', (t) => {
  const counts = run((sockets) => sockets, { lossy: true }, 12);
  t.deepEqual([counts[0], counts.at(-1)], [4, 32]);
});

test('where one socket fills the path, a step is taken back', (t) => {
  const counts = run(() => 100, { congestion: undefined, lossy: undefined });
  t.is(counts.at(-1), 1);
  t.true(Math.max(...counts) <= 2);
});

test('as many sockets as still bring a tenth more: a path that eight fill keeps eight', (t) => {
  const counts = run((sockets) => Math.min(sockets, 8), { congestion: undefined }, 60);
  t.is(counts.at(-1), 8);
  t.true(Math.max(...counts) <= 16);
});

test('bbr begins with one socket, and a second that brings nothing is taken back', (t) => {
  const counts = run(() => 100, { congestion: 'bbr', lossy: true }, 60);
  t.deepEqual([...new Set(counts.slice(0, 20))], [1]);
  t.true(Math.max(...counts) <= 2);
  t.is(counts.at(-1), 1);
});

test('bbr never has more than its own limit', (t) => {
  t.is(Math.max(...run((sockets) => sockets, { congestion: 'bbr' }, 200)), 4);
});

test('a link without backlog keeps what it has', (t) => {
  t.deepEqual([...new Set(run(() => 100, { backlogged: false, lossy: true }))], [1]);
});
