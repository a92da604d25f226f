/** AbortSignals of codec calls: checked between steps; native work that has begun runs to its end. */
import { DwcpError } from '../errors.ts';

/** @throws ERR_DWCP_ABORTED when the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DwcpError('ERR_DWCP_ABORTED', undefined, { cause: signal.reason });
}
