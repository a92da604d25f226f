/** One sample: a flow or a transfer of one contestant over a path that stands already. */
import { fileURLToPath } from 'node:url';
import { type EmulatedPath, FAR_HOST, type Talker } from './path.ts';
import type { SendOrder } from './party-child.ts';

const partyFile = fileURLToPath(new URL('party-child.js', import.meta.url));

/** Who sends, and how. */
export interface Contestant {
  readonly name: string;
  readonly kind: 'dwcp' | 'net' | 'flow';
  /** The only congestion control its sockets may use; its own choice when absent. */
  readonly pinned?: string;
}

/** What is asked of a sample. */
export type Order = Pick<SendOrder, 'seconds' | 'bytes' | 'messageBytes'>;

/** What a sample found. */
export interface Sample {
  readonly megabitsPerSecond: number;
  /** The same without the first three seconds. */
  readonly laterMegabitsPerSecond: number;
  /** Algorithms in use, by number of sockets. */
  readonly congestion: string;
  readonly sockets: number;
  /** A transfer's end: everything arrived once and the digests are equal. */
  readonly complete: boolean;
}

/** What the children print at their end. */
interface Ends {
  readonly received: {
    readonly tenths: readonly number[];
    readonly digest?: string;
    readonly messages?: number;
  };
  readonly sent: {
    readonly seconds: number;
    readonly congestion?: string;
    readonly digest?: string;
    readonly messages?: number;
    readonly link?: { readonly sockets?: number; readonly congestion?: string };
  };
}

/** A flow is sent for longer than it is looked at: what is under way when its sender ends is lost, s. */
const SENDS_ON_S = 1.5;

/** Takes one sample. */
export async function takeSample(
  path: EmulatedPath,
  contestant: Contestant,
  order: Order,
): Promise<Sample> {
  const [receiver, port] = await startReceiver(path, contestant);
  let sender: Talker | undefined;
  try {
    const seconds = order.seconds + (order.bytes === undefined ? SENDS_ON_S : 0);
    sender = startSender(path, contestant, { ...order, seconds, host: FAR_HOST, port });
    const sent = await sender.line<Ends['sent']>();
    const received = await receiver.stop<Ends['received']>();
    return judge(contestant, order, { sent, received });
  } finally {
    receiver.kill();
    sender?.kill();
  }
}

async function startReceiver(
  path: EmulatedPath,
  { kind, pinned }: Contestant,
): Promise<[Talker, number]> {
  const command =
    kind === 'flow'
      ? [path.programs.flow, 'receive']
      : [process.execPath, partyFile, 'receive', kind];
  const receiver = path.run('far', command, pinned);
  const { port } = await receiver.line<{ port: number }>();
  return [receiver, port];
}

function startSender(path: EmulatedPath, { kind, pinned }: Contestant, order: SendOrder): Talker {
  if (kind === 'flow') {
    const words = ['send', order.host, String(order.port), String(order.seconds), pinned ?? 'bbr'];
    return path.run('near', [path.programs.flow, ...words]);
  }
  const command = [process.execPath, partyFile, 'send', kind, JSON.stringify(order)];
  return path.run('near', command, pinned);
}

function judge(contestant: Contestant, order: Order, { sent, received }: Ends): Sample {
  const { tenths } = received;
  const until = order.bytes === undefined ? order.seconds : sent.seconds;
  const rate = (from: number, to: number): number => {
    const bytes = tenths.slice(from, to).reduce((sum, each) => sum + each, 0);
    return (bytes * 8) / 1e6 / ((to - from) / 10);
  };
  const end = Math.max(1, Math.round(until * 10));
  const complete =
    order.bytes === undefined ||
    (sent.digest !== undefined &&
      sent.digest === received.digest &&
      sent.messages === received.messages);
  return {
    megabitsPerSecond: rate(0, end),
    laterMegabitsPerSecond: end > 30 ? rate(30, end) : Number.NaN,
    congestion: sent.link?.congestion ?? sent.congestion ?? contestant.pinned ?? '?',
    sockets: sent.link?.sockets ?? 1,
    complete,
  };
}
