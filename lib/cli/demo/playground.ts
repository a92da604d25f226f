/**
 * What runs after the acts with `--keep`: calls at a steady rate and one small write a second, so that
 * a visitor who kills, freezes or cuts something sees what it does.
 */
import { systemClock } from '../../clock.ts';
import type { Stage } from './act.ts';
import { writer } from './wan.ts';
import { pause } from './waiting.ts';

const perSecond = 50;
const writeEveryMs = 1_000;

/** Writes once, after starting the calls if they do not run; false when the writer could not. */
async function turn({ cluster }: Stage, calling: boolean): Promise<boolean> {
  // A visitor may have killed or frozen the writer: try again next time.
  if (cluster.stateOf(writer) !== 'alive') return false;
  try {
    if (!calling) await cluster.ask(writer, 'startCalls', { perSecond });
    const value = { at: systemClock.now() };
    await cluster.ask(writer, 'put', { keyspace: 'prices', key: 'tick', value }, writeEveryMs);
    return true;
  } catch {
    return false;
  }
}

/** Keeps traffic going until `ended` settles. */
export async function playground(stage: Stage, ended: Promise<void>): Promise<void> {
  const over = ended.then(() => true);
  let calling = false;
  do {
    calling = await turn(stage, calling);
  } while (!(await Promise.race([over, pause(writeEveryMs).then(() => false)])));
}
