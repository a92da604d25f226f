/** Row 9: 256-byte calls while a value of 64 MB is under way on the same link, against an idle one. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from '../measure.ts';
import type { Measurement, Table } from '../suite.ts';
import { buildPrograms } from './build.ts';
import { type IoTier, startServer, stopServer } from './child.ts';

const run = promisify(execFile);
const server = fileURLToPath(new URL('urgent-server.js', import.meta.url));
const client = fileURLToPath(new URL('urgent-client.js', import.meta.url));

const VALUE_BYTES = 64 * 1024 * 1024;
const ROUNDS = 5;
const DEADLINE_MS = 120_000;

/** What the calling process tells. */
interface Report {
  readonly idleP50Us: number;
  readonly loadedP50Us: number;
  readonly idleP99Us: number;
  readonly loadedP99Us: number;
  readonly correctedIdleP99Us: number;
  readonly correctedLoadedP99Us: number;
  readonly calls: number;
  readonly values: number;
  readonly megabytesPerSecond: number;
}

/** The case of one tier and direction, and the figures behind it. */
export async function urgentCalls(
  tier: IoTier,
  direction: 'in' | 'out',
  node: string,
): Promise<{ measurement: Omit<Measurement, 'name'>; row: Table['rows'][number] }> {
  const { pin } = buildPrograms();
  const reports: Report[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const started = await startServer([node, server, String(VALUE_BYTES)], { pin, tier });
    try {
      const args = [client, String(started.port), direction, String(VALUE_BYTES)];
      const { stdout } = await run(node, args, {
        timeout: DEADLINE_MS,
        env: started.env,
      });
      reports.push(JSON.parse(stdout) as Report);
    } finally {
      await stopServer(started);
    }
  }
  const middle = (of: (report: Report) => number): number => median(reports.map(of));
  const [idleUs, loadedUs] = [middle((r) => r.idleP99Us), middle((r) => r.loadedP99Us)];
  return {
    measurement: {
      ratio: middle((r) => r.loadedP99Us / r.idleP99Us),
      better: 'lower',
      bar: 3,
      detail: `${loadedUs.toFixed(0)} us against ${idleUs.toFixed(0)} us`,
    },
    row: {
      tier,
      value: direction,
      'idle p50 us': Math.round(middle((r) => r.idleP50Us)),
      'loaded p50 us': Math.round(middle((r) => r.loadedP50Us)),
      'idle p99 us': Math.round(idleUs),
      'loaded p99 us': Math.round(loadedUs),
      'idle, corrected': Math.round(middle((r) => r.correctedIdleP99Us)),
      'loaded, corrected': Math.round(middle((r) => r.correctedLoadedP99Us)),
      'value MB/s': Math.round(middle((r) => r.megabytesPerSecond)),
    },
  };
}
