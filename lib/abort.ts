/**
 * Listening to AbortSignals that belong to the user. One signal may serve any number of calls and
 * watches at once, and outlive them all: nothing of ours stays on it once they ended.
 */
import { setMaxListeners } from 'node:events';
import { DwcpError } from './errors.ts';

/**
 * Calls `listener` once when the signal fires; returns how to stop listening. A signal that has fired
 * already calls nothing: look at `aborted` first.
 * @example const stop = onAbort(signal, () => give(up));
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {};
  // Node suspects a leak from the eleventh listener on.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** @throws ERR_DWCP_ABORTED when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

function aborted(signal: AbortSignal): DwcpError {
  return new DwcpError('ERR_DWCP_ABORTED', undefined, { cause: signal.reason });
}

/**
 * What `task` comes to, unless the signal fires first; the task goes on.
 * @throws ERR_DWCP_ABORTED
 */
export async function untilAborted<T>(
  task: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return task;
  let unlisten: (() => void) | undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    unlisten = onAbort(signal, () => reject(aborted(signal)));
  });
  try {
    return await Promise.race([task, stopped]);
  } finally {
    unlisten?.();
  }
}
