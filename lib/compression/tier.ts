/** The tier a codec call runs on: the one given, else the one that loaded. */
import { DwcpError } from '../errors.ts';
import type { CodecBinding, NativeBinding } from '../native/contract.ts';

/** The codec binding of `native`, or of the loaded tier. */
export function bindingOf(native: NativeBinding | undefined): CodecBinding {
  if (native) return native.codec;
  throw new DwcpError('ERR_DWCP_NOT_BUILT', 'pass `native`: the loader is not here yet');
}
