/** `listen` and `connect` of the batch API, on the best tier of this machine. */
import { ioEngine } from '../io-transport.ts';
import { checkPlaintext } from '../loopback.ts';
import { netTransport } from '../net-pipe.ts';
import type { PipeTransport } from '../frame-pipe.ts';
import type { MessageConnection, MessageListener } from './batch.ts';
import { EngineMessages } from './engine-messages.ts';
import {
  type ConnectOptions,
  type ListenOptions,
  type ResolvedOptions,
  resolveMessageOptions,
} from './options.ts';
import { connectOnPipes, listenOnPipes } from './pipe-messages.ts';
import { rawNetTransport } from './raw-net.ts';

/** What runs without the engine. */
function portable(options: ResolvedOptions): PipeTransport {
  if (!options.framed) return rawNetTransport(options);
  const { clock, limits, allowPlaintext, highWaterBytes, onRefused } = options;
  const pipeLimits = { ...limits, pipeHighWaterBytes: highWaterBytes };
  return netTransport({ clock, limits: pipeLimits, allowPlaintext, onRefused });
}

/**
 * Serves messages in batches: link frames, or plain bytes with `framed: false`. Plaintext, on loopback only
 * unless `allowPlaintext`.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_PLAINTEXT_REFUSED, ERR_DWCP_CONNECT when the address cannot be bound
 * @example
 * const server = await listen({ host: '127.0.0.1', port: 0, onBatch(batch) {
 *   while (batch.next()) batch.forward(); // an echo
 * } });
 */
export async function listen(options: ListenOptions): Promise<MessageListener> {
  const resolved = resolveMessageOptions(options);
  checkPlaintext(resolved, resolved.allowPlaintext);
  const engine = ioEngine();
  if (engine) return new EngineMessages(engine, resolved).listen();
  return listenOnPipes(portable(resolved), resolved);
}

/**
 * Dials for messages; the handlers are as of {@link listen}.
 * @throws ERR_DWCP_INVALID_ARG, ERR_DWCP_PLAINTEXT_REFUSED, ERR_DWCP_CONNECT, ERR_DWCP_DEADLINE, ERR_DWCP_ABORTED
 * @example
 * const connection = await connect({ host: '127.0.0.1', port, onMessage: (m) => console.log(`${m.view()}`) });
 * connection.send(Buffer.from('hello'));
 */
export async function connect(options: ConnectOptions): Promise<MessageConnection> {
  const resolved = resolveMessageOptions(options);
  checkPlaintext(resolved, resolved.allowPlaintext);
  const engine = ioEngine();
  if (engine) return new EngineMessages(engine, resolved).connect(options.signal);
  return connectOnPipes(portable(resolved), resolved, options.signal);
}
