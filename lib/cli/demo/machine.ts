/**
 * How busy the machine is, and with whose work. Bars on time mean something on a machine that is free;
 * when other work takes the CPU the demo says so, with the share it measured.
 */
import { cpus } from 'node:os';
import { systemClock } from '../../clock.ts';
import type { Cluster } from './cluster.ts';
import { pause } from './waiting.ts';

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

/** Begins to watch; the function it resolves with tells the share of the CPU that other work took. */
export async function watchOthers(cluster: Cluster): Promise<() => Promise<number>> {
  const [own, machine] = [await ownCpuMs(cluster), machineCpuMs()];
  return async () => {
    const now = machineCpuMs();
    const ownUsed = (await ownCpuMs(cluster)) - own;
    const others = now.busy - machine.busy - Math.max(0, ownUsed);
    return Math.min(1, Math.max(0, others / Math.max(1, now.total - machine.total)));
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
