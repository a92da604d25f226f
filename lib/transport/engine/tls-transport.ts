/**
 * Mutual TLS 1.3 inside the I/O engine: OpenSSL works on the engine's memory, in C++, and JavaScript sees
 * frames. The bytes and the rules are those of node:tls (tls-pipe.ts); either side may be either. Handshakes
 * may resume: the session's certificate is judged again, and no session outlives a change of identity.
 */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { DwcpError } from '../../errors.ts';
import type { LinkLimits } from '../../limits.ts';
import type { Address, FramePipe, PipeListener, PipeTransport } from '../frame-pipe.ts';
import { HalfOpen } from '../half-open.ts';
import { checkOnPipe } from '../listener.ts';
import { checkAddress } from '../address.ts';
import { InboundRefusals } from '../inbound-refusals.ts';
import { type GateStats, ownIdentity, PeerGate, type ProvenPeer } from '../peer-gate.ts';
import type { SecureTransport, TlsIdentity } from '../secure-transport.ts';
import { ticketIntervalMs } from '../tls-policy.ts';
import type { Engine } from './engine.ts';
import { EnginePipe } from './engine-pipe.ts';
import {
  dialOnEngine,
  type EngineListener,
  framedSocket,
  listenOnEngine,
} from './engine-sockets.ts';
import { derIdentity } from './tls-identity.ts';

/** What an {@link EngineTls} is made of. */
export interface EngineTlsOptions {
  readonly engine: Engine;
  readonly identity: TlsIdentity;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly ticketIntervalMs?: number | undefined;
  /** Told of every inbound connection that was turned away, and why. */
  readonly onRefused?: ((error: DwcpError, remoteAddress: string) => void) | undefined;
}

/** Gives a context back when nobody can use it any more. */
const contexts = new FinalizationRegistry<() => void>((drop) => drop());

/** {@link SecureTransport} over the engine of this thread. */
export class EngineTls implements SecureTransport {
  readonly tier: 'uring' | 'epoll';
  readonly #options: EngineTlsOptions;
  readonly #gate: PeerGate;
  readonly #cluster: string;
  readonly #listeners = new Set<EngineListener>();
  /** Number of the context in use; the registry reads it when this transport is gone. */
  readonly #context: { current: number };

  /** @throws ERR_DWCP_IDENTITY when the certificate names nobody, or certificate, key and roots do not fit */
  constructor(options: EngineTlsOptions) {
    this.#options = options;
    const { engine, identity } = options;
    this.tier = engine.tier;
    this.#cluster = ownIdentity(identity.cert).cluster;
    this.#gate = new PeerGate(this.#cluster);
    const context = { current: this.#add(identity) };
    this.#context = context;
    contexts.register(this, () => engine.tls.tlsDrop(context.current));
  }

  setIdentity(identity: TlsIdentity): void {
    ownIdentity(identity.cert, this.#cluster);
    const { tls } = this.#options.engine;
    const next = this.#add(identity);
    for (const { id } of this.#listeners) tls.tlsUse(id, next);
    tls.tlsDrop(this.#context.current);
    this.#context.current = next;
  }

  setRevoked(revoked: readonly string[]): void {
    this.#gate.setRevoked(revoked);
  }

  gateStats(): GateStats {
    return this.#gate.stats();
  }

  async listen(address: Address, onPipe: (pipe: FramePipe) => void): Promise<PipeListener> {
    checkAddress(address);
    checkOnPipe(onPipe);
    const { engine, clock, limits } = this.#options;
    const refused = new InboundRefusals(this.#options.onRefused ?? (() => {}));
    const halfOpen = new HalfOpen(clock, limits, refused.givenUp);
    const onAccept = (slot: number, generation: number): EnginePipe => {
      const onReady = (): void => {
        halfOpen.release(pipe);
        onPipe(pipe);
      };
      const onEnd = (): void => halfOpen.release(pipe);
      const onRefused = (error: DwcpError | undefined): void => {
        if (!closed) refused.closed(pipe, pipe.remoteAddress, error);
      };
      const hooks = { inbound: true, onReady, onEnd, onRefused };
      const pipe = this.#pipe(slot, generation, hooks);
      halfOpen.admit(pipe, engine.knock(slot, generation));
      return pipe;
    };
    const settings = { ...framedSocket(limits), tls: this.#context.current };
    let closed = false;
    const onClose = (): void => {
      closed = true;
      halfOpen.destroyAll();
      this.#listeners.delete(listener);
    };
    const listener = await listenOnEngine(engine, settings, address, onAccept, onClose);
    this.#listeners.add(listener);
    // It may have changed meanwhile.
    engine.tls.tlsUse(listener.id, this.#context.current);
    return { ...listener, halfOpen: () => halfOpen.stats() };
  }

  readonly connect: PipeTransport['connect'] = async (address, { signal }) => {
    checkAddress(address);
    const { engine, clock, limits } = this.#options;
    const settings = { ...framedSocket(limits), tls: this.#context.current };
    const patience = { clock, limits, signal };
    return dialOnEngine(engine, settings, address, patience, (slot, generation, hooks) => {
      const { onOpen: onReady, onGone: onEnd } = hooks;
      const own = { inbound: false, onReady, onEnd, onRefused: onEnd };
      const pipe = this.#pipe(slot, generation, own);
      return { connection: pipe, owner: pipe };
    });
  };

  /** A pipe that is held by the gate from the moment its peer is known. */
  #pipe(slot: number, generation: number, hooks: PipeHooks): EnginePipe {
    const { engine, clock, limits } = this.#options;
    let settled = false;
    const pipe: EnginePipe = new EnginePipe({
      engine,
      slot,
      generation,
      clock,
      limits,
      inbound: hooks.inbound,
      admit: (der, resumed) => {
        const peer = this.#judge(der, resumed);
        this.#gate.hold(pipe, peer);
        return peer.identity;
      },
      onReady: () => {
        settled = true;
        hooks.onReady();
      },
      onRefused: (error) => {
        if (!settled) hooks.onRefused(error);
        settled = true;
      },
      onGone: (error) => {
        this.#gate.release(pipe);
        hooks.onEnd(error);
        if (!settled) hooks.onRefused(error);
      },
    });
    return pipe;
  }

  #judge(der: Buffer, resumed: boolean): ProvenPeer {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(der);
    } catch (cause) {
      const message = 'The certificate of the peer cannot be read';
      throw new DwcpError('ERR_DWCP_IDENTITY', message, { cause });
    }
    return this.#gate.check(certificate, resumed ? this.#options.clock.now() : undefined);
  }

  #add(identity: TlsIdentity): number {
    const { engine } = this.#options;
    const der = derIdentity(identity, this.#options.ticketIntervalMs ?? ticketIntervalMs);
    const context = engine.tls.tlsAdd(der);
    if (typeof context === 'number') return context;
    throw new DwcpError('ERR_DWCP_IDENTITY', `The identity cannot be used: ${context}`);
  }
}

interface PipeHooks {
  readonly onReady: () => void;
  readonly onRefused: (error: DwcpError | undefined) => void;
  readonly inbound: boolean;
  readonly onEnd: (error: DwcpError | undefined) => void;
}
