/** Which sockets are switched to bbr, and what is said where it is not allowed. */
import test from 'ava';
import type { Engine } from '../../lib/transport/engine/engine.ts';
import {
  longPathCongestion,
  samplePath,
  tuneLongPath,
} from '../../lib/transport/engine/long-path.ts';

/** An engine with one connection. */
function engineWith(minRttUs: number, errno = 0): { engine: Engine; tuned: unknown[][] } {
  const tuned: unknown[][] = [];
  const engine = {
    probeCongestion: () => errno,
    path: (slot: number) => (slot === 1 ? [minRttUs, 0, minRttUs, 10, 7, 5000, 0, 0] : undefined),
    congestion: () => 'cubic',
    tune: (...args: unknown[]) => tuned.push(args),
  };
  return { engine: engine as unknown as Engine, tuned };
}

test('a connection over a long path gets bbr, one nearby keeps what the system gave it', (t) => {
  const far = engineWith(5000);
  tuneLongPath(far.engine, 1, 3);
  t.deepEqual(far.tuned, [[1, 3, 'bbr', 128 * 1024]]);
  const near = engineWith(4999);
  tuneLongPath(near.engine, 1, 3);
  t.deepEqual(near.tuned, []);
});

test('where bbr is not allowed the default stays, and the reason names the setting', (t) => {
  const { engine, tuned } = engineWith(80_000, -1);
  tuneLongPath(engine, 1, 3);
  t.deepEqual(tuned, [[1, 3, '', 128 * 1024]]);
  t.regex(longPathCongestion(engine).reason, /tcp_allowed_congestion_control/);
  t.regex(longPathCongestion(engineWith(0, -2).engine).reason, /the kernel has no bbr/);
});

test('the kernel is asked for bbr once per engine', (t) => {
  let asked = 0;
  const engine = { probeCongestion: () => ((asked += 1), 0) } as unknown as Engine;
  t.is(longPathCongestion(engine), longPathCongestion(engine));
  t.is(asked, 1);
});

test('a sample is in ms and bytes per second, and undefined once the connection is gone', (t) => {
  const { engine } = engineWith(80_000);
  t.deepEqual(samplePath(engine, 1, 0), {
    congestion: 'cubic',
    rttMs: 80,
    minRttMs: 80,
    retransmits: 7,
    deliveryBytesPerSecond: 5000,
  });
  t.is(samplePath(engine, 2, 0), undefined);
});
