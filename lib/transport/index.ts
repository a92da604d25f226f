/** `dwcp/transport`: pipes of frames and connections of streams, useful without the rest of dwcp. */
export { type Clock, systemClock, type Timer } from '../clock.ts';
export { DwcpError, type ErrorCode, isDwcpError } from '../errors.ts';
export { defaultLimits, type LinkLimits } from '../limits.ts';
export { Connection, type ConnectionOptions, type ConnectionStats } from './connection.ts';
export {
  encodePreface,
  FrameEncoder,
  headerSizeBytes,
  prefaceSizeBytes,
  type WireRange,
  wireVersions,
} from './envelope.ts';
export { FrameParser, type FrameParserOptions } from './frame-parser.ts';
export {
  type Address,
  type Frame,
  FrameFlag,
  FrameKind,
  type FramePipe,
  type OutgoingFrame,
  type PeerIdentity,
  type PipeHandler,
  type PipeListener,
  type PipeStats,
  type PipeTransport,
  Priority,
} from './frame-pipe.ts';
export type { EngineCounters } from './engine/engine.ts';
export {
  ioStatus,
  type IoStatus,
  type IoTier,
  ioTransport,
  type SecureIoOptions,
} from './io-transport.ts';
export type {
  Batch,
  Message,
  MessageConnection,
  MessageHandlers,
  MessageHead,
  MessageListener,
  RetainedMessage,
} from './messages/batch.ts';
export type { ConnectOptions, ListenOptions, MessageOptions } from './messages/options.ts';
export type { MessageBegin, TargetOf } from './messages/message-join.ts';
export { connect, listen } from './messages/serve.ts';
export type { HalfOpenStats } from './half-open.ts';
export type { OnRefused } from './inbound-refusals.ts';
export { isLoopback } from './loopback.ts';
export { netTransport, type NetTransportOptions } from './net-pipe.ts';
export type { SendOptions, Stream } from './stream.ts';
export type { GateStats } from './peer-gate.ts';
export type { SecureTransport, TlsIdentity } from './secure-transport.ts';
export { tlsTransport, type TlsTransport, type TlsTransportOptions } from './tls-pipe.ts';
