/**
 * The door to the native layer for the rest of the house: `import { native } from '../native/load.ts'`.
 * `#native` is the addon loader, or the portable tier where Node runs without addons.
 */
import { native, status } from '#native';
import { DwcpError } from '../errors.ts';
import type { NativeStatus } from './contract.ts';

if (process.env['DWCP_NATIVE'] === 'require' && status.tier !== 'addon') {
  throw new DwcpError(
    'ERR_DWCP_NATIVE_UNAVAILABLE',
    `DWCP_NATIVE=require, but the addon did not load. ${status.reason}`,
    { detail: { attempts: status.attempts } },
  );
}

/**
 * Which tier runs and why, with every load attempt.
 * @example console.log(nativeStatus().reason)
 */
export function nativeStatus(): NativeStatus {
  return status;
}

export { native };
