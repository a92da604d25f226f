/** One sample of the tls suite: a fresh server process, the client in C against it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../lib/clock.ts';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom as random } from '../../lib/random.ts';
import { buildPrograms } from '../transport/build.ts';
import { type IoTier, startServer, stopServer } from '../transport/child.ts';
import { buildClient } from './build.ts';

const run = promisify(execFile);
const serverFile = fileURLToPath(new URL('server.js', import.meta.url));
const WARM_S = 0.3;
const MEASURE_S = 0.6;
const DEADLINE_MS = 30_000;
const DAY_MS = 86_400_000;

/** The one suite of ciphers both sides agree on. */
export const CIPHER = 'TLS_AES_128_GCM_SHA256';

/** What flows. */
export interface TlsLoad {
  readonly mode: 'echo' | 'oneway' | 'handshake' | 'resume';
  readonly conns: number;
  readonly sizeBytes: number;
  readonly depth: number;
}

/** Who serves. */
export interface TlsContestant {
  readonly name: string;
  readonly server: string;
  readonly tier?: IoTier;
}

/** Figures of one sample. */
export interface TlsSample {
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly serverCpuNsPerMessage: number;
  readonly serverCpuShare: number;
  readonly clientCpuShare: number;
  /** Handshakes that resumed a session. */
  readonly resumed: number;
}

interface Identities {
  readonly server: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

let made: Identities | undefined;

/** Certificates of one root for server and client, in files. */
function identities(): Identities {
  if (made) return made;
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-bench-tls-'));
  const now = systemClock.now();
  const valid = { notBeforeMs: now - DAY_MS, notAfterMs: now + DAY_MS };
  const root = createAuthority({ name: 'bench', random, ...valid });
  const issue = (nodeId: string): { cert: string; key: string } =>
    issueCertificate(root, { identity: { cluster: 'c', region: 'r', nodeId }, random, ...valid });
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const client = issue('client');
  const server = { ...issue('server'), ca: root.cert };
  made = {
    server: write('server.json', JSON.stringify(server)),
    cert: write('cert.pem', client.cert),
    key: write('key.pem', client.key),
    ca: write('ca.pem', root.cert),
  };
  return made;
}

/** Takes one sample. */
export async function sampleTls(
  load: TlsLoad,
  contestant: TlsContestant,
  node: string,
): Promise<TlsSample> {
  const { pin, forbidUring } = buildPrograms();
  const files = identities();
  const mode = load.mode === 'oneway' ? 'oneway' : 'echo';
  const own = [node, serverFile, contestant.server, mode, files.server];
  const command = contestant.tier === 'epoll' ? [forbidUring, ...own] : own;
  const server = await startServer(command, { pin, tier: contestant.tier });
  const args = {
    port: server.port,
    pid: server.process.pid,
    mode: load.mode,
    conns: load.conns,
    size: load.sizeBytes,
    depth: load.depth,
    warm: WARM_S,
    secs: MEASURE_S,
    cert: files.cert,
    key: files.key,
    ca: files.ca,
    cipher: CIPHER,
  };
  const words = Object.entries(args).map(([name, value]) => `${name}=${value}`);
  try {
    const { stdout } = await run(buildClient(), words, { timeout: DEADLINE_MS });
    const result = JSON.parse(stdout) as TlsSample;
    const last = JSON.parse((await stopServer(server)) ?? '{}') as { messages?: number };
    // What was under way when the client left may be missing, what was measured may not.
    if (load.mode === 'echo' && (last.messages ?? 0) < result.messages) {
      throw new Error(`${contestant.name} took ${last.messages} of ${result.messages} messages`);
    }
    if (result.messages === 0) throw new Error(`${contestant.name} answered nothing`);
    return result;
  } finally {
    server.process.kill('SIGKILL');
  }
}
