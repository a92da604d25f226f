/**
 * `dwcp`: state kept fresh in every region, and calls that survive killed and frozen peers.
 * This file re-exports the public API and nothing else.
 */
export * from './node/index.ts';
export { DwcpError, errorCodes, isDwcpError } from './errors.ts';
export type { DwcpErrorOptions, ErrorCode } from './errors.ts';
export { defaultLimits } from './limits.ts';
export type { LimitOverrides, Limits } from './limits.ts';
export { nativeStatus } from './native/load.ts';
export type { NativeStatus } from './native/contract.ts';
export type { Logger } from './telemetry/logger.ts';
