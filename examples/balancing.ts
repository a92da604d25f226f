/** The balancer alone: three endpoints, one of which fails fast. Run: `node dist/examples/balancing.js` */
import { Picker } from 'dwcp/balancing';
import { systemClock, systemRandom } from 'dwcp/rpc';

const picker = new Picker({ clock: systemClock, random: systemRandom, region: 'eu' });
picker.add({ id: 'eu-1', region: 'eu', state: 'alive', rttMs: 1 });
picker.add({ id: 'eu-2', region: 'eu', state: 'alive', rttMs: 1 });
picker.add({ id: 'us-1', region: 'us', state: 'alive', rttMs: 80 });

const served = new Map<string, number>();
for (let i = 0; i < 1_000; i += 1) {
  const lease = picker.pick();
  if (!lease) throw new Error('no endpoint');
  const { id } = lease.endpoint;
  served.set(id, (served.get(id) ?? 0) + 1);
  // eu-1 answers in no time, with an error; eu-2 takes 3 ms and succeeds.
  if (id === 'eu-1') lease.done(false, 1);
  else lease.done(true, id === 'eu-2' ? 3 : 82);
}
console.log(Object.fromEntries(served));
