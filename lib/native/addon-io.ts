/** The I/O engine over the addon: puts options into the flat order the binding reads. */
import type { IoBinding, IoSocketOptions, IoTables, IoTlsIdentity } from './io-contract.ts';

type FlatSocket = readonly [
  host: string,
  port: number,
  framed: number,
  userTimeoutMs: number,
  notsentLowat: number,
  congestion: string,
  reusePort: number,
  backlog: number,
  tls: number,
  keepAliveSeconds: number,
];

type FlatIdentity = readonly [
  certificates: Uint8Array,
  key: Uint8Array,
  roots: Uint8Array,
  ticketIntervalMs: number,
];

/** What the addon file exports for the engine. */
export interface IoExports {
  ioOpen(
    tier: number,
    budgetBytes: number,
    maxConnections: number,
    onBatch: (rows: number) => void,
  ): IoTables | number;
  ioRegion(index: number): ArrayBuffer;
  ioFlush(): void;
  ioStage(): number;
  ioListen(...socket: FlatSocket): readonly [number, number] | number;
  ioUnlisten(id: number): void;
  ioConnect(...socket: FlatSocket): readonly [number, number] | number;
  ioPeer(slot: number, generation: number): string | undefined;
  ioReceived(slot: number, generation: number): number;
  ioPath(slot: number, generation: number): readonly number[] | undefined;
  ioProbeCongestion(name: string): number;
  ioTune(slot: number, generation: number, congestion: string, notsentLowat: number): number;
  ioCongestion(slot: number, generation: number): string | undefined;
  tlsProbe(...identity: FlatIdentity): string | undefined;
  tlsAdd(...identity: FlatIdentity): number | string;
  tlsUse(listener: number, context: number): void;
  tlsDrop(context: number): void;
}

/** Sockets the kernel accepts ahead of us, as in Node. */
const backlog = 511;

const flat = (options: IoSocketOptions): FlatSocket => [
  options.host,
  options.port,
  options.framed ? 1 : 0,
  options.userTimeoutMs,
  options.notsentLowatBytes,
  options.congestion,
  options.reusePort ? 1 : 0,
  backlog,
  options.tls,
  Math.max(1, Math.ceil(options.keepAliveMs / 1000)),
];

const flatIdentity = (identity: IoTlsIdentity): FlatIdentity => [
  identity.certificates,
  identity.key,
  identity.roots,
  identity.ticketIntervalMs,
];

/** {@link IoBinding} over a loaded addon. */
export function addonIo(addon: IoExports): IoBinding {
  return {
    open: (tier, budgetBytes, maxConnections, onBatch) =>
      addon.ioOpen(tier === 'uring' ? 1 : 0, budgetBytes, maxConnections, onBatch),
    region: (index) => addon.ioRegion(index),
    flush: () => addon.ioFlush(),
    stage: () => addon.ioStage(),
    listen: (options) => addon.ioListen(...flat(options)),
    unlisten: (id) => addon.ioUnlisten(id),
    connect: (options) => addon.ioConnect(...flat(options)),
    peer: (slot, generation) => addon.ioPeer(slot, generation),
    received: (slot, generation) => addon.ioReceived(slot, generation),
    path: (slot, generation) => addon.ioPath(slot, generation),
    probeCongestion: (name) => addon.ioProbeCongestion(name),
    tune: (slot, generation, congestion, notsentLowatBytes) =>
      addon.ioTune(slot, generation, congestion, notsentLowatBytes),
    congestion: (slot, generation) => addon.ioCongestion(slot, generation),
    tlsProbe: (identity) => addon.tlsProbe(...flatIdentity(identity)),
    tlsAdd: (identity) => addon.tlsAdd(...flatIdentity(identity)),
    tlsUse: (listener, context) => addon.tlsUse(listener, context),
    tlsDrop: (context) => addon.tlsDrop(context),
  };
}
