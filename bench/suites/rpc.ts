/**
 * Calls and streams against @grpc/grpc-js, each with a server and a client process of its own over loopback,
 * both without TLS and both with mutual TLS. Rounds alternate which library goes first.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createAuthority, issueCertificate } from '../../lib/crypto/certificates.ts';
import { systemRandom } from '../../lib/random.ts';
import type { Figures, Task } from '../rpc/child.ts';
import { median } from '../measure.ts';
import type { Identity, RunningServer } from '../rpc/party.ts';
import type { Measurement, Suite, SuiteContext } from '../suite.ts';

const ROUNDS = 5;
const child = fileURLToPath(new URL('../rpc/child.js', import.meta.url));
type Name = 'dwcp' | 'grpc-js';

interface Identities {
  readonly server: Identity;
  readonly client: Identity;
}

function mutualTls(): Identities {
  const nowMs = Date.now();
  const validity = {
    random: systemRandom,
    notBeforeMs: nowMs - 60_000,
    notAfterMs: nowMs + 3_600_000,
  };
  const authority = createAuthority({ name: 'bench', ...validity });
  const issue = (nodeId: string): Identity => {
    const identity = { cluster: 'bench', region: 'a', nodeId };
    return { ...issueCertificate(authority, { identity, ...validity }), ca: authority.cert };
  };
  return { server: issue('server'), client: issue('client') };
}

async function ask<T>(process: ChildProcess, task: Task): Promise<T> {
  process.send(task);
  const [answer] = (await once(process, 'message')) as [T];
  return answer;
}

async function round(name: Name, identities: Identities | undefined): Promise<Figures> {
  const [server, client] = ['serve', 'drive'].map((role) => fork(child, [name, role]));
  try {
    const identity = identities?.server;
    const { port } = await ask<RunningServer>(server!, { identity, port: 0 });
    return await ask<Figures>(client!, { identity: identities?.client, port });
  } finally {
    server!.kill();
    client!.kill();
  }
}

function* compared(
  ours: readonly Figures[],
  theirs: readonly Figures[],
  how: string,
): Generator<Measurement> {
  const row = (
    what: string,
    of: (figures: Figures) => number,
    better: Measurement['better'],
    bar: number,
    digits: number,
  ): Measurement => ({
    name: `${what}, ${how}: dwcp / @grpc/grpc-js`,
    ratio: median(ours.map((each, i) => of(each) / of(theirs[i]!))),
    better,
    bar,
    detail: `${median(ours.map(of)).toFixed(digits)} / ${median(theirs.map(of)).toFixed(digits)}`,
  });
  const call = 'unary 256 B, 64 in flight';
  yield row(`${call}: calls/s`, ({ callsPerSecond }) => callsPerSecond, 'higher', 4, 0);
  yield row(`${call}: p99 ms`, ({ p99Ms }) => p99Ms, 'lower', 0.5, 2);
  const items = 'server streaming, 1 KB items: items/s';
  yield row(items, ({ itemsPerSecond }) => itemsPerSecond, 'higher', 4, 0);
}

async function* run({ log, wants }: SuiteContext): AsyncGenerator<Measurement> {
  for (const how of ['plaintext', 'mTLS'] as const) {
    if (!wants(how)) continue;
    const identities = how === 'mTLS' ? mutualTls() : undefined;
    const figures: Record<Name, Figures[]> = { dwcp: [], 'grpc-js': [] };
    for (let i = 0; i < ROUNDS; i++) {
      log(`${how}, round ${i + 1} of ${ROUNDS}`);
      const order: readonly Name[] = i % 2 === 0 ? ['dwcp', 'grpc-js'] : ['grpc-js', 'dwcp'];
      for (const name of order) figures[name].push(await round(name, identities));
    }
    yield* compared(figures.dwcp, figures['grpc-js'], how);
  }
}

/** Rows 1 and 2 of the calls' bars. */
export const suite: Suite = {
  name: 'rpc',
  about: 'calls and streams between two processes over loopback, against @grpc/grpc-js',
  peers: ['@grpc/grpc-js'],
  parts: ['plaintext', 'mTLS'],
  run,
};
