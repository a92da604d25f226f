/**
 * Further sockets of a link. The dialer says `{"join": token}` with the token of the acceptor's Hello, the acceptor gives its
 * verdict. Both ends take a socket only when it proves the same identity as the first.
 */
import type { Clock } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import type { Address, FramePipe, PipeTransport } from '../transport/frame-pipe.ts';
import { HandoverPipe } from './handover-pipe.ts';
import { parseObject } from './hello.ts';
import { encodeVerdict, readVerdict } from './verdict.ts';

/** What joining needs. */
export interface JoinOptions {
  readonly transport: PipeTransport;
  readonly address: Address;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly token: string;
  /** A socket of the link that stands, or stood. */
  readonly first: FramePipe;
  readonly peer: { readonly nodeId: string; readonly region: string };
}

/**
 * Dials one more socket and joins it to its link; `onSocket` gets it in the turn in which the peer agreed.
 * @throws what the transport's `connect` throws, ERR_DWCP_CONNECT when it was cut, ERR_DWCP_IDENTITY, ERR_DWCP_DEADLINE,
 * or what the peer refuses with
 */
export async function joinSocket(
  options: JoinOptions,
  signal: AbortSignal,
  onSocket: (pipe: FramePipe) => void,
): Promise<void> {
  const { transport, address, first, peer } = options;
  const pipe = await transport.connect(address, { signal });
  const stranger = differs(first, pipe);
  if (stranger) {
    pipe.destroy(stranger);
    throw stranger;
  }
  pipe.identified?.(peer);
  await shake(pipe, options, signal, onSocket);
}

function shake(
  pipe: FramePipe,
  { clock, timeoutMs, token }: JoinOptions,
  signal: AbortSignal,
  onSocket: (pipe: FramePipe) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      deadline.cancel();
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: DwcpError): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new DwcpError('ERR_DWCP_ABORTED', 'The link ended'));
    const socket = new HandoverPipe(pipe, {
      onPayload: (payload) => {
        const refusal = refusalOf(payload);
        if (refusal) return fail(refusal);
        settle();
        onSocket(socket);
        resolve();
      },
      // Not a refusal: the link may be tried again.
      onClose: (cause) =>
        fail(new DwcpError('ERR_DWCP_CONNECT', 'A socket was cut while it joined', { cause })),
    });
    const late = new DwcpError('ERR_DWCP_DEADLINE', `no answer to a join within ${timeoutMs} ms`);
    const deadline = clock.setTimer(() => fail(late), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.begin();
    socket.sendHello(Buffer.from(JSON.stringify({ join: token })));
    if (signal.aborted) onAbort();
  });
}

function refusalOf(payload: Uint8Array): DwcpError | undefined {
  try {
    const verdict = readVerdict(parseObject(payload));
    if (verdict.verdict === 'accepted') return undefined;
    const refused = verdict.verdict === 'refused';
    return new DwcpError(
      refused ? verdict.code : 'ERR_DWCP_HANDSHAKE',
      refused ? `the peer refused a socket: ${verdict.reason}` : 'a join has no such answer',
    );
  } catch (error) {
    if (isDwcpError(error)) return error;
    throw error;
  }
}

/** What a link says of a socket that wants to join it. */
export interface JoinTarget {
  readonly pipe: FramePipe;
  readonly takesSocket: boolean;
  join(pipe: FramePipe): void;
}

/** Answers a socket that wants to join; returns why it was refused. */
export function admitSocket(
  socket: HandoverPipe,
  target: JoinTarget | undefined,
): DwcpError | undefined {
  const refusal = refuse(socket, target);
  if (!refusal) {
    socket.sendHello(encodeVerdict({ verdict: 'accepted' }));
    target!.join(socket);
    return undefined;
  }
  socket.sendHello(
    encodeVerdict({ verdict: 'refused', code: refusal.code, reason: refusal.message }),
  );
  socket.close();
  return refusal;
}

function refuse(socket: FramePipe, target: JoinTarget | undefined): DwcpError | undefined {
  if (!target) return new DwcpError('ERR_DWCP_LINK_DOWN', 'no link has this token');
  const stranger = differs(target.pipe, socket);
  if (stranger) return stranger;
  if (target.takesSocket) return undefined;
  return new DwcpError('ERR_DWCP_LIMIT', 'the link takes no further socket', {
    detail: { limit: 'maxSockets' },
  });
}

/** A socket whose peer is not the one of the first. */
function differs(first: FramePipe, other: FramePipe): DwcpError | undefined {
  const [known, shown] = [first.identity, other.identity];
  if (first.secure !== other.secure) {
    return new DwcpError('ERR_DWCP_IDENTITY', 'a socket of another kind of security');
  }
  for (const field of ['cluster', 'region', 'nodeId'] as const) {
    if (known?.[field] === shown?.[field]) continue;
    return new DwcpError(
      'ERR_DWCP_IDENTITY',
      `a socket of the link to ${known?.[field]} proved to be of ${shown?.[field]}`,
      { detail: { field } },
    );
  }
  return undefined;
}
