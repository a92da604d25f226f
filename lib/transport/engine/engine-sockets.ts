/** Listening and dialling on the I/O engine: names resolved, every failure one typed error. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DialOptions } from '../dial.ts';
import { DwcpError, isDwcpError } from '../../errors.ts';
import type { LinkLimits } from '../../limits.ts';
import type { IoSocketOptions } from '../../native/io-contract.ts';
import type { Address, PipeListener } from '../frame-pipe.ts';
import type { Engine, EngineOwner, OnAccept } from './engine.ts';
import { systemError } from './system-error.ts';

/** Options of a socket beside its address. */
export type SocketSettings = Omit<IoSocketOptions, 'host' | 'port'>;

/** Link frames, and the kernel's own settings. */
export const framedSocket = ({ keepAliveMs }: LinkLimits): SocketSettings => ({
  framed: true,
  keepAliveMs,
  userTimeoutMs: 0,
  notsentLowatBytes: 0,
  congestion: '',
  reusePort: false,
  tls: 0,
});

/** A listener of the engine. */
export interface EngineListener extends PipeListener {
  /** Its number in the engine. */
  readonly id: number;
}

/** Listens; `onClose` runs when the listener is closed. @throws ERR_DWCP_CONNECT */
export async function listenOnEngine(
  engine: Engine,
  settings: SocketSettings,
  address: Address,
  onAccept: OnAccept,
  onClose: () => void,
): Promise<EngineListener> {
  const [host] = await numericHosts(address, 'listen on');
  const opened = engine.listen({ ...settings, host: host!, port: address.port }, onAccept);
  if (typeof opened === 'number') {
    const cause = systemError(-opened, 'listen', shown({ host: host!, port: address.port }));
    const message = `Cannot listen on ${shown(address)}: ${cause.message}`;
    throw new DwcpError('ERR_DWCP_CONNECT', message, { cause });
  }
  const [id, port] = opened;
  return {
    id,
    address: { host: address.host, port },
    close: () => {
      onClose();
      engine.unlisten(id);
      return Promise.resolve();
    },
  };
}

/** A connection being dialled, and who gets its rows. */
export interface Dialled<T> {
  readonly connection: T;
  readonly owner: EngineOwner;
}

/** Tells a dial how its connection fares; `onOpen` or `onGone` is called. */
export interface DialHooks {
  readonly onOpen: () => void;
  readonly onGone: (error: DwcpError | undefined) => void;
}

/** Makes the connection of a slot. */
export type MakeDialled<T> = (slot: number, generation: number, hooks: DialHooks) => Dialled<T>;

/** Dials until one of the host's addresses answers. @throws ERR_DWCP_CONNECT, _DEADLINE, _ABORTED */
export function dialOnEngine<T extends { destroy(): void }>(
  engine: Engine,
  settings: SocketSettings,
  address: Address,
  { clock, limits, signal }: DialOptions,
  make: MakeDialled<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const dial = new Dial(engine, settings, address, make, finish);
    const fail = (error: DwcpError): void => {
      finish();
      dial.cancel();
      reject(error);
    };
    const onAbort = (): void => fail(aborted(signal!));
    const timer = clock.setTimer(() => {
      const late = `${shown(address)} did not answer within ${limits.connectTimeoutMs} ms`;
      fail(new DwcpError('ERR_DWCP_DEADLINE', late));
    }, limits.connectTimeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    dial.run().then(resolve, (cause: Error) => {
      if (isFinal(cause)) return fail(cause as DwcpError);
      const message = `Cannot reach ${shown(address)}: ${cause.message}`;
      fail(new DwcpError('ERR_DWCP_CONNECT', message, { cause }));
    });
  });
}

/** One dial: the addresses of a name in turn. */
class Dial<T extends { destroy(): void }> {
  readonly #engine: Engine;
  readonly #settings: SocketSettings;
  readonly #address: Address;
  readonly #make: MakeDialled<T>;
  readonly #onOpen: () => void;
  #current: T | undefined;
  #cancelled = false;

  constructor(
    engine: Engine,
    settings: SocketSettings,
    address: Address,
    make: MakeDialled<T>,
    onOpen: () => void,
  ) {
    this.#engine = engine;
    this.#settings = settings;
    this.#address = address;
    this.#make = make;
    this.#onOpen = onOpen;
  }

  /** The connected pipe; rejects with the cause of the last failure. */
  async run(): Promise<T> {
    let last: unknown;
    for (const host of await numericHosts(this.#address, 'connect to')) {
      if (this.#cancelled) break;
      try {
        return await this.#attempt(host);
      } catch (error) {
        last = error;
      }
    }
    throw last ?? new Error('cancelled');
  }

  /** Gives up; also a connection that stands already. */
  cancel(): void {
    this.#cancelled = true;
    this.#current?.destroy();
  }

  #attempt(host: string): Promise<T> {
    const target = { host, port: this.#address.port };
    return new Promise((resolve, reject) => {
      const onGone = (error: DwcpError | undefined): void => reject(causeOf(error));
      const failed = this.#engine.connect({ ...this.#settings, ...target }, (slot, generation) => {
        const onOpen = (): void => {
          this.#onOpen();
          resolve(connection);
        };
        const { connection, owner } = this.#make(slot, generation, { onOpen, onGone });
        this.#current = connection;
        return owner;
      });
      if (failed !== undefined) reject(systemError(-failed, 'connect', shown(target)));
    });
  }
}

/** An error that says all there is to say, such as a refused certificate. */
function isFinal(error: unknown): boolean {
  return isDwcpError(error, 'ERR_DWCP_CONNECT') || isDwcpError(error, 'ERR_DWCP_IDENTITY');
}

function causeOf(error: DwcpError | undefined): Error {
  if (error && isFinal(error)) return error;
  return error?.cause instanceof Error ? error.cause : (error ?? new Error('cancelled'));
}

/** The numeric addresses of a host, in the resolver's order. */
async function numericHosts({ host, port }: Address, what: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  } catch (cause) {
    const message = `Cannot ${what} ${shown({ host, port })}: ${(cause as Error).message}`;
    throw new DwcpError('ERR_DWCP_CONNECT', message, { cause });
  }
}

function aborted(signal: AbortSignal): DwcpError {
  return new DwcpError('ERR_DWCP_ABORTED', 'The dial was aborted', { cause: signal.reason });
}

function shown(address: Address): string {
  return `${address.host}:${address.port}`;
}
