/** Act order: one agreed order on every node with a liar among them. It waits for the replicated log. */
import type { ActResult } from './act.ts';

/** The act as long as the log does not exist. */
export const orderAct: ActResult = {
  id: 'order',
  title: 'Order',
  state: 'not built',
  headline: 'One log, one order, one lying replica',
  figures: [],
};
