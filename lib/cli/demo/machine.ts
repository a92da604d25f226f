/**
 * How busy the machine is, and with whose work. Bars on time mean something on a machine that is free;
 * when other work takes the CPU or the disk the demo says so, with what it measured.
 */
import { open } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { quantile } from '../format.ts';
import type { Cluster } from './cluster.ts';
import { pause } from './waiting.ts';

/** Above these, a missed bar on time is not held against the act at once. */
const busyCpuShare = 0.2;
const busySyncMs = 40;
const probeBytes = 4096;
const probeEveryMs = 100;

const calmDeadlineMs = 6_000;
const calmWindowMs = 250;
/** Cores' worth of CPU below which the idle cluster counts as calm. */
const calmCores = 0.35;

/** CPU time this process has used, ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** CPU time used by all processes of the demo that run now, ms. */
async function ownCpuMs(cluster: Cluster): Promise<number> {
  const used = await cluster.askAll(cluster.running(), 'cpu', undefined);
  return used.reduce((sum, ms) => sum + ms, cpuMs());
}

function machineCpuMs(): { readonly busy: number; readonly total: number } {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const { user, nice, sys, irq, idle } = times;
    busy += user + nice + sys + irq;
    total += user + nice + sys + irq + idle;
  }
  return { busy, total };
}

/** What kept the machine from us while an act ran. */
export interface Hindrance {
  /** Share of the CPU that other work took. */
  readonly cpuShare: number;
  /** 90th percentile of the time a small write needed to reach the disk, ms. */
  readonly syncMs: number;
}

/** True when bars on time say more about the machine than about dwcp. */
export function isHindered({ cpuShare, syncMs }: Hindrance): boolean {
  return cpuShare > busyCpuShare || syncMs > busySyncMs;
}

/** Writes a page to the disk ten times a second until told to stop; resolves with the times, ms. */
async function probeDisk(path: string, stop: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  const file = await open(path, 'w');
  try {
    while (!stop.aborted) {
      const fromMs = systemClock.monotonic();
      await file.write(Buffer.alloc(probeBytes, times.length % 256), 0, probeBytes, 0);
      await file.datasync();
      times.push(systemClock.monotonic() - fromMs);
      await pause(probeEveryMs);
    }
  } finally {
    await file.close();
  }
  return times;
}

/**
 * Begins to watch the machine; the function it resolves with ends that and tells what it saw.
 * @param folder on the disk the nodes write to
 */
export async function watchMachine(
  cluster: Cluster,
  folder: string,
): Promise<() => Promise<Hindrance>> {
  const stop = new AbortController();
  const syncs = probeDisk(join(folder, 'probe'), stop.signal);
  const [own, machine] = [await ownCpuMs(cluster), machineCpuMs()];
  return async () => {
    stop.abort();
    const sorted = (await syncs).toSorted((x, y) => x - y);
    const now = machineCpuMs();
    const ownUsed = Math.max(0, (await ownCpuMs(cluster)) - own);
    const others = now.busy - machine.busy - ownUsed;
    const cpuShare = Math.min(1, Math.max(0, others / Math.max(1, now.total - machine.total)));
    return { cpuShare, syncMs: quantile(sorted, 0.9) };
  };
}

/** Waits until the cluster has finished what the last act left it to do; gives up after some seconds. */
export async function calm(cluster: Cluster): Promise<void> {
  const endMs = systemClock.monotonic() + calmDeadlineMs;
  let quietWindows = 0;
  while (quietWindows < 2 && systemClock.monotonic() < endMs) {
    const before = await ownCpuMs(cluster);
    const fromMs = systemClock.monotonic();
    await pause(calmWindowMs);
    const cores = ((await ownCpuMs(cluster)) - before) / (systemClock.monotonic() - fromMs);
    quietWindows = cores < calmCores ? quietWindows + 1 : 0;
  }
}
