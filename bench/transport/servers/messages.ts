/** The batch API: a cursor that forwards, a cursor that sends views, or a callback per message. */
import { type Batch, ioStatus, listen, type Message } from '../../../lib/transport/index.ts';
import type { Mode, Serving } from '../server.ts';

/** How messages are read and answered. */
export type Style = 'forward' | 'view' | 'message';

/** Echoes or takes messages; plain chunks when not `framed`. */
export async function messageServer(mode: Mode, style: Style, framed: boolean): Promise<Serving> {
  let count = 0;
  const weigh = framed ? () => 1 : (message: Message) => message.sizeBytes;
  const answer = (message: Message): void => {
    count += weigh(message);
    if (mode === 'oneway') return;
    if (style === 'forward') message.forward();
    else message.connection.send(message.view(), message);
  };
  const onBatch = (batch: Batch): void => {
    while (batch.next()) answer(batch);
  };
  const handlers = style === 'message' ? { onMessage: answer } : { onBatch };
  const server = await listen({ host: '127.0.0.1', port: 0, framed, ...handlers });
  return { port: server.address.port, tier: ioStatus().tier, count: () => count };
}
