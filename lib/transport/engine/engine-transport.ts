/** Pipes over the I/O engine: dialling and listening, bounded as over node:net. */
import type { Clock } from '../../clock.ts';
import type { DwcpError } from '../../errors.ts';
import type { LinkLimits } from '../../limits.ts';
import type { Address, FramePipe, PipeListener, PipeTransport } from '../frame-pipe.ts';
import { HalfOpen } from '../half-open.ts';
import { InboundRefusals, type OnRefused } from '../inbound-refusals.ts';
import { checkPlaintext } from '../loopback.ts';
import type { Engine } from './engine.ts';
import { EnginePipe } from './engine-pipe.ts';
import { checkOnPipe } from '../listener.ts';
import { dialOnEngine, framedSocket, listenOnEngine } from './engine-sockets.ts';

/** What an {@link EngineTransport} is made of. */
export interface EngineTransportOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly allowPlaintext: boolean;
  readonly onRefused?: OnRefused | undefined;
}

/** {@link PipeTransport} over the engine of this thread. */
export class EngineTransport implements PipeTransport {
  readonly tier: 'uring' | 'epoll';
  readonly #options: EngineTransportOptions;

  constructor(options: EngineTransportOptions) {
    this.#options = options;
    this.tier = options.engine.tier;
  }

  async listen(address: Address, onPipe: (pipe: FramePipe) => void): Promise<PipeListener> {
    checkOnPipe(onPipe);
    const { engine, clock, limits, allowPlaintext, onRefused } = this.#options;
    checkPlaintext(address, allowPlaintext);
    const settings = framedSocket(limits);
    const refused = new InboundRefusals(onRefused ?? (() => {}));
    const halfOpen = new HalfOpen(clock, limits, refused.givenUp);
    const onAccept = (slot: number, generation: number): EnginePipe => {
      let ready = false;
      const onReady = (): void => {
        ready = true;
        halfOpen.release(pipe);
        onPipe(pipe);
      };
      const onGone = (error: DwcpError | undefined): void => {
        halfOpen.release(pipe);
        if (!ready && !closed) refused.closed(pipe, pipe.remoteAddress, error);
      };
      const inbound = true;
      const own = { engine, slot, generation, clock, limits, inbound, onReady, onGone };
      const pipe: EnginePipe = new EnginePipe(own);
      halfOpen.admit(pipe, engine.knock(slot, generation));
      return pipe;
    };
    let closed = false;
    const onClose = (): void => {
      closed = true;
      halfOpen.destroyAll();
    };
    const listener = await listenOnEngine(engine, settings, address, onAccept, onClose);
    return { ...listener, halfOpen: () => halfOpen.stats() };
  }

  async connect(
    address: Address,
    { signal }: { readonly signal?: AbortSignal | undefined },
  ): Promise<FramePipe> {
    const { engine, clock, limits, allowPlaintext } = this.#options;
    checkPlaintext(address, allowPlaintext);
    const settings = framedSocket(limits);
    const patience = { clock, limits, signal };
    return dialOnEngine(engine, settings, address, patience, (slot, generation, hooks) => {
      const pipe = new EnginePipe({ engine, slot, generation, clock, limits, ...hooks });
      return { connection: pipe, owner: pipe };
    });
  }
}
