/** Who must go when a bounded place is full, and whom an address stands for. */
import test from 'ava';
import { addressGroup, Crowd } from '../../lib/transport/crowd.ts';

test('an IPv4 address is its own group, mapped or not; an IPv6 one its /64', (t) => {
  t.is(addressGroup('10.1.2.3:50000'), '10.1.2.3');
  t.is(addressGroup('::ffff:10.1.2.3:50000'), '10.1.2.3');
  t.is(addressGroup('2001:db8:1:2:3:4:5:6:443'), '2001:db8:1:2');
  t.is(addressGroup('2001:db8::7:443'), '2001:db8:0:0');
  t.is(addressGroup('::1:443'), '0:0:0:0');
  t.is(addressGroup('?:0'), '?');
});

test('the oldest of the address at its cap goes, then the oldest of the largest group', (t) => {
  const crowd = new Crowd<string>(4, 3);
  t.is(crowd.admit('a1', '10.0.0.1:1'), undefined);
  t.is(crowd.admit('b1', '10.0.0.2:1'), undefined);
  t.is(crowd.admit('b2', '10.0.0.2:2'), undefined);
  t.is(crowd.admit('b3', '10.0.0.2:3'), undefined);
  t.deepEqual(crowd.admit('b4', '10.0.0.2:4'), { who: 'b1', limit: 'maxHalfOpenPerAddress' });
  t.deepEqual(crowd.admit('c1', '10.0.0.3:1'), { who: 'b2', limit: 'maxHalfOpen' });
  crowd.release('a1');
  crowd.release('a1');
  t.is(crowd.admit('a2', '10.0.0.1:2'), undefined);
  t.deepEqual([...crowd.all()], ['b3', 'b4', 'c1', 'a2']);
});

test('an address may fill the place alone, and one place is enough to go on', (t) => {
  const crowd = new Crowd<number>(1, 1);
  t.is(crowd.admit(1, 'a:1'), undefined);
  t.deepEqual(crowd.admit(2, 'b:1'), { who: 1, limit: 'maxHalfOpen' });
  t.deepEqual(crowd.admit(3, 'b:2'), { who: 2, limit: 'maxHalfOpenPerAddress' });
  t.is(crowd.size, 1);
});
