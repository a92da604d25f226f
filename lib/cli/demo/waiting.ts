/** Waiting for a state of the cluster, with a deadline that names what did not come. */
import { sleep, systemClock } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';

/** Plain pause, ms. */
export function pause(ms: number): Promise<void> {
  return sleep(systemClock, ms);
}

/**
 * Asks until the answer is defined.
 * @param what named when it does not come
 * @throws ERR_DWCP_DEADLINE
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  probe: () => Promise<T | undefined>,
  everyMs = 50,
): Promise<T> {
  const endMs = systemClock.monotonic() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (systemClock.monotonic() > endMs) {
      throw new DwcpError('ERR_DWCP_DEADLINE', `${what} did not happen within ${deadlineMs} ms`);
    }
    await pause(everyMs);
  }
}
