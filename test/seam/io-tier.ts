/** Forces a tier of the I/O ladder on this process, where it exists; elsewhere a test says so. */
import test from 'ava';
import { DwcpError } from '../../lib/errors.ts';
import { native } from '../../lib/native/load.ts';
import { ioStatus } from '../../lib/transport/index.ts';

/** True when the tier runs. Call it before anything uses the engine. */
export function forceTier(tier: 'uring' | 'epoll'): boolean {
  process.env['DWCP_IO'] = tier;
  try {
    return ioStatus().tier === tier;
  } catch (error) {
    test(`${tier} does not run here, and says why`, (t) => {
      t.true(error instanceof DwcpError);
      t.like(error, { code: 'ERR_DWCP_NATIVE_UNAVAILABLE' });
      // epoll is everywhere the addon is; only the ring may be forbidden.
      t.true(native.io === undefined || tier === 'uring', String(error));
    });
    return false;
  }
}

/** The same for secured links: where the tier runs, TLS must work in it, on every Node there is. */
export function forceTlsTier(tier: 'uring' | 'epoll'): boolean {
  if (!forceTier(tier)) return false;
  const { secured } = ioStatus();
  test(`${tier} has TLS in the engine`, (t) => t.is(secured.tier, tier, secured.reason));
  return secured.tier === tier;
}
