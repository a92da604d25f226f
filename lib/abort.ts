/**
 * Listening to AbortSignals that belong to the user. One signal may serve any number of calls and
 * watches at once, and outlive them all: nothing of ours stays on it once they ended.
 */
import { setMaxListeners } from 'node:events';

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
