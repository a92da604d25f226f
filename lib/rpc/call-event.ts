/** What observers see of requests: an event per ended one, and the numbers of a node. */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { DwcpError } from '../errors.ts';
import type { MethodKind } from './types.ts';

/** Published on `diagnostics_channel` `dwcp:rpc:call` when a call or stream of this node ended. */
export interface RpcCallEvent {
  readonly service: string;
  readonly kind: MethodKind;
  /** The node whose answer counted; undefined when none did. */
  readonly nodeId: string | undefined;
  readonly durationMs: number;
  readonly attempts: number;
  readonly hedged: boolean;
  readonly error: DwcpError | undefined;
}

/** The channel itself. */
export const callChannel: diagnosticsChannel.Channel = diagnosticsChannel.channel('dwcp:rpc:call');
