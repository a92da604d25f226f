/**
 * Mutually authenticated pipes over node:tls: TLS 1.3 only, both ends prove a certificate of a common root,
 * and the identity in it (crypto/peer-identity.ts) is checked before a pipe is handed out. TLS 1.3 has no
 * renegotiation. The CRC field of frames is zero here: TLS authenticates every byte.
 */
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { type Clock, systemClock } from '../clock.ts';
import { DwcpError, isDwcpError } from '../errors.ts';
import { resolveLinkLimits, type LinkLimits } from '../limits.ts';
import { dial } from './dial.ts';
import type { PipeTransport } from './frame-pipe.ts';
import { HalfOpen, knockOf } from './half-open.ts';
import { InboundRefusals } from './inbound-refusals.ts';
import { checkOnPipe, listenOn } from './listener.ts';
import { checkAddress } from './address.ts';
import { type GateStats, ownIdentity, PeerGate, type ProvenPeer } from './peer-gate.ts';
import type { SecureTransport, TlsIdentity } from './secure-transport.ts';
import { SocketPipe } from './socket-pipe.ts';
import { tlsPolicy } from './tls-policy.ts';

/** Options of {@link tlsTransport}. */
export interface TlsTransportOptions {
  readonly identity: TlsIdentity;
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<LinkLimits> | undefined;
  /** Told of every inbound connection that was turned away, and why. */
  readonly onRefused?: ((error: DwcpError, remoteAddress: string) => void) | undefined;
}

/** Mutual TLS over node:tls. */
export interface TlsTransport extends SecureTransport {
  readonly tier: 'tls';
}

/** Destinations whose ticket is kept for the next dial. */
const maxTickets = 256;
const refusedCodes = /CERT|SIGNED|VERIFY|ISSUER|_CA$|PURPOSE|CRL/;

/**
 * Pipes over mutual TLS 1.3.
 * @throws ERR_DWCP_IDENTITY when the own certificate names nobody. `connect` rejects with ERR_DWCP_IDENTITY
 * when the acceptor's certificate is refused, ERR_DWCP_CONNECT when the acceptor refuses ours or TLS fails.
 * @example
 * const transport = tlsTransport({ identity: { cert, key, ca } });
 */
export function tlsTransport(options: TlsTransportOptions): TlsTransport {
  return new NodeTls(options);
}

/** A session to go on with, and who the acceptor proved to be in it: a resumed one does not tell again. */
interface Ticket {
  readonly session: Buffer;
  readonly certificate: X509Certificate;
}

class NodeTls implements TlsTransport {
  readonly tier = 'tls';
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #onRefused: (error: DwcpError, remoteAddress: string) => void;
  readonly #servers = new Set<Server>();
  readonly #cluster: string;
  readonly #gate: PeerGate;
  #identity: TlsIdentity;
  /** Of dials: made once per identity, not once per dial. */
  #context: SecureContext;
  /** The newest ticket of a destination, for one dial. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(options: TlsTransportOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#limits = resolveLinkLimits(options.limits);
    this.#onRefused = options.onRefused ?? (() => {});
    this.#identity = options.identity;
    this.#cluster = ownIdentity(options.identity.cert).cluster;
    this.#gate = new PeerGate(this.#cluster);
    this.#context = contextOf(options.identity);
  }

  setIdentity(identity: TlsIdentity): void {
    ownIdentity(identity.cert, this.#cluster);
    this.#context = contextOf(identity);
    this.#identity = identity;
    // They would prove who this node was.
    this.#tickets.clear();
    for (const server of this.#servers) server.setSecureContext({ ...tlsPolicy, ...identity });
  }

  setRevoked(revoked: readonly string[]): void {
    this.#gate.setRevoked(revoked);
  }

  gateStats(): GateStats {
    return this.#gate.stats();
  }

  readonly listen: PipeTransport['listen'] = async (address, onPipe) => {
    checkAddress(address);
    checkOnPipe(onPipe);
    const refused = new InboundRefusals(this.#onRefused);
    const halfOpen = new HalfOpen(this.#clock, this.#limits, refused.givenUp);
    const server = createServer({ ...tlsPolicy, ...this.#identity, requestCert: true });
    /** A closed socket has forgotten its other end. */
    const ends = new WeakMap<Socket, string>();
    server.on('connection', (socket: Socket) => {
      ends.set(socket, endOf(socket));
      halfOpen.admit(socket, knockOf(socket));
      socket.once('close', () => halfOpen.release(socket));
    });
    server.on('tlsClientError', (cause, socket) => {
      const below = socketBelow(socket);
      refused.closed(below, ends.get(below) ?? endOf(socket), inboundError(cause, socket));
    });
    server.on('secureConnection', (socket) => {
      const below = socketBelow(socket);
      const end = endOf(socket);
      try {
        const pipe = this.#wrap(socket, socket.getPeerX509Certificate());
        const settle = (): void => {
          halfOpen.release(below);
          onPipe(pipe);
        };
        pipe.onReady(settle, (error) => refused.closed(below, end, error));
      } catch (error) {
        refused.closed(below, end, error as DwcpError);
      }
    });
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    return listenOn(server, address, halfOpen);
  };

  readonly connect: PipeTransport['connect'] = async (address, { signal }) => {
    checkAddress(address);
    const place = `${address.host} ${address.port}`;
    const context = this.#context;
    const ticket = this.#tickets.get(place);
    this.#tickets.delete(place);
    let certificate: X509Certificate | undefined;
    const start = (): TLSSocket => {
      const one = connect({
        session: ticket?.session,
        secureContext: context,
        rejectUnauthorized: true,
        host: address.host,
        port: address.port,
        // Names in certificates are of nodes, not of hosts; they are checked below.
        checkServerIdentity: () => undefined,
      });
      // Node knows it from here until a ticket comes.
      one.once('secureConnect', () => {
        certificate = one.isSessionReused() ? ticket?.certificate : one.getPeerX509Certificate();
      });
      return one.on('session', (session: Buffer) => {
        if (certificate && context === this.#context) this.#keep(place, { session, certificate });
      });
    };
    const patience = { clock: this.#clock, limits: this.#limits, signal };
    let socket: TLSSocket;
    try {
      socket = await dial(start, 'secureConnect', address, patience);
    } catch (error) {
      throw isDwcpError(error, 'ERR_DWCP_CONNECT')
        ? handshakeError(error.cause, 'Outbound')
        : error;
    }
    const pipe = this.#wrap(socket, certificate);
    await accepted(pipe, signal);
    return pipe;
  };

  #keep(place: string, ticket: Ticket): void {
    this.#tickets.delete(place);
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size >= maxTickets && oldest !== undefined) this.#tickets.delete(oldest);
    this.#tickets.set(place, ticket);
  }

  /** A pipe over a socket whose peer is who it should be. @throws ERR_DWCP_IDENTITY */
  #wrap(socket: TLSSocket, certificate: X509Certificate | undefined): SocketPipe {
    let peer: ProvenPeer;
    try {
      peer = this.#prove(socket, certificate);
    } catch (error) {
      socket.on('error', () => {});
      socket.destroy();
      throw error;
    }
    const { tier } = this;
    const [clock, limits, { identity }] = [this.#clock, this.#limits, peer];
    const pipe = new SocketPipe(socket, { tier, secure: true, identity, clock, limits });
    this.#gate.hold(pipe, peer);
    socket.once('close', () => this.#gate.release(pipe));
    return pipe;
  }

  #prove(socket: TLSSocket, certificate: X509Certificate | undefined): ProvenPeer {
    if (!socket.authorized || !certificate) {
      throw new DwcpError('ERR_DWCP_IDENTITY', 'The peer proved no certificate');
    }
    return this.#gate.check(certificate, socket.isSessionReused() ? this.#clock.now() : undefined);
  }
}

/** @throws ERR_DWCP_IDENTITY when certificate, key and roots do not make a context */
function contextOf(identity: TlsIdentity): SecureContext {
  try {
    return createSecureContext({ ...tlsPolicy, ...identity });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DwcpError('ERR_DWCP_IDENTITY', `The identity cannot be used: ${why}`, { cause });
  }
}

/**
 * In TLS 1.3 the dialer is done before the acceptor has judged its certificate. The acceptor's preface is
 * the proof that it was taken. Node closes the socket of a dialer it refuses without an alert, so the dialer
 * can only report ERR_DWCP_CONNECT; the acceptor's `onRefused` knows more.
 */
function accepted(pipe: SocketPipe, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      pipe.destroy();
      reject(new DwcpError('ERR_DWCP_ABORTED', 'The dial was aborted', { cause: signal?.reason }));
    };
    const settled = (): void => signal?.removeEventListener('abort', onAbort);
    signal?.addEventListener('abort', onAbort, { once: true });
    pipe.onReady(
      () => {
        settled();
        resolve();
      },
      (error) => {
        settled();
        reject(handshakeError(error, 'Outbound'));
      },
    );
  });
}

/** Node refuses a certificate by closing; the reason stays behind in `authorizationError`. */
function inboundError(cause: Error, { authorizationError: reason }: TLSSocket): DwcpError {
  if (!reason) return handshakeError(cause, 'Inbound');
  const message = `The dialer's certificate was refused: ${String(reason)}`;
  return new DwcpError('ERR_DWCP_IDENTITY', message, { cause });
}

function handshakeError(error: unknown, direction: string): DwcpError {
  if (isDwcpError(error) && error.code !== 'ERR_DWCP_LINK_DOWN') return error;
  const cause = isDwcpError(error) ? (error.cause ?? error) : error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const message =
    cause instanceof Error ? cause.message : 'the peer closed it, perhaps refusing our certificate';
  // An alert is the peer's refusal, not ours.
  const isOurs = refusedCodes.test(code) && !code.includes('_ALERT_');
  return new DwcpError(
    isOurs ? 'ERR_DWCP_IDENTITY' : 'ERR_DWCP_CONNECT',
    `${direction} TLS handshake failed: ${message}`,
    { cause },
  );
}

/**
 * The TCP socket that a server's TLS socket runs on. Node tells it in no documented way; without it a connection
 * that was given up is told of with a later and less telling reason.
 */
function socketBelow(socket: TLSSocket): Socket {
  const below = Reflect.get(socket, '_parent') as Socket | undefined;
  return below ?? socket;
}

function endOf(socket: Socket): string {
  return `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
}
