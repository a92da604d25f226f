/** The tier a codec call runs on: the one given, else the one that loaded. */
import type { CodecBinding, NativeBinding } from '../native/contract.ts';
import { native as loaded } from '../native/load.ts';

/** The codec binding of `native`, or of the loaded tier. */
export function bindingOf(native: NativeBinding | undefined): CodecBinding {
  return (native ?? loaded).codec;
}
