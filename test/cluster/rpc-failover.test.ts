/**
 * Calls over real sockets between real processes: the caller, a peer in its region and one in a region
 * 80 ms away. The peer is killed or frozen under 200 calls per second.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { DwcpError } from '../../lib/errors.ts';
import type { CallOptions, Rpc } from '../../lib/rpc/index.ts';
import { startNode } from './rpc-start.ts';

const script = fileURLToPath(new URL('rpc-node.js', import.meta.url));
const roundTripMs = 80;
const callsPerSecond = 200;
const worstMs = 250;

interface Peer {
  readonly process: ChildProcess;
  readonly ledger: string;
  /** Resolves with the next message of this type from the child. */
  next(type: string): Promise<Record<string, unknown>>;
}

interface Cluster {
  readonly rpc: Rpc;
  readonly near: Peer;
  readonly far: Peer;
}

async function startPeer(nodeId: string, region: string, directory: string): Promise<Peer> {
  const ledger = join(directory, nodeId);
  const child = fork(script, [nodeId, region, String(roundTripMs), ledger], { execArgv: [] });
  const next = async (type: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const [message] = await once(child, 'message');
      if (message.type === type) return message;
    }
  };
  return { process: child, ledger, next };
}

async function cluster(t: ExecutionContext): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), 'dwcp-rpc-'));
  const { links, rpc } = startNode('caller', 'eu', roundTripMs);
  const near = await startPeer('near', 'eu', directory);
  const far = await startPeer('far', 'us', directory);
  t.teardown(async () => {
    await rpc.close(0);
    await links.close(0);
    for (const { process: child } of [near, far]) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  for (const { port } of await Promise.all([near.next('listening'), far.next('listening')])) {
    links.dial({ host: '127.0.0.1', port: Number(port) });
  }
  while (rpc.serving('hang').length < 2) await delay(10);
  // Learn the round trips and warm up the code before anything is measured.
  await load(rpc, 500, { idempotent: true });
  return { rpc, near, far };
}

interface Answer {
  readonly id: number;
  readonly atMs: number;
  readonly tookMs: number;
  readonly node?: string;
  readonly error?: DwcpError;
}

/** Open-loop load: calls leave when due, whatever became of the others. */
async function load(
  rpc: Rpc,
  durationMs: number,
  options: CallOptions & { readonly codec?: 'bytes' },
  service = 'echo',
  firstId = 0,
): Promise<Answer[]> {
  const startMs = performance.now();
  const calls: Promise<Answer>[] = [];
  const call = async (id: number): Promise<Answer> => {
    const atMs = performance.now();
    const answer = { id, atMs: atMs - startMs };
    try {
      const reply = await rpc.call(service, Buffer.from(String(id)), options);
      return { ...answer, tookMs: performance.now() - atMs, node: reply.toString() };
    } catch (error) {
      if (!(error instanceof DwcpError)) throw error;
      return { ...answer, tookMs: performance.now() - atMs, error };
    }
  };
  for (;;) {
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs > durationMs) return Promise.all(calls);
    const due = (elapsedMs / 1_000) * callsPerSecond;
    while (calls.length < due) calls.push(call(firstId + calls.length));
    await delay(2);
  }
}

function judge(t: ExecutionContext, answers: readonly Answer[]): void {
  const failed = answers.filter((answer) => answer.error);
  const worst = Math.max(...answers.map((answer) => answer.tookMs));
  t.log(`${answers.length} calls, ${failed.length} failed, worst ${worst.toFixed(1)} ms`);
  t.deepEqual(
    failed.map((answer) => answer.error?.code),
    [],
  );
  t.true(worst <= worstMs, `worst call ${worst} ms`);
}

const share = (answers: readonly Answer[], node: string): number =>
  answers.filter((answer) => answer.node === node).length / answers.length;

test.serial('SIGKILL of the nearest peer: no idempotent call fails', async (t) => {
  const { rpc, near } = await cluster(t);
  const running = load(rpc, 2_000, { idempotent: true, local: false });
  await delay(500);
  near.process.kill('SIGKILL');
  const answers = await running;
  judge(t, answers);
  const before = answers.filter((answer) => answer.atMs < 480);
  const after = answers.filter((answer) => answer.atMs > 600);
  t.true(share(before, 'near') > 0.95, 'the nearest peer served before');
  t.is(share(after, 'far'), 1);
});

test.serial(
  'SIGSTOP of the nearest peer: none fails, and it serves again after SIGCONT',
  async (t) => {
    const { rpc, near } = await cluster(t);
    const running = load(rpc, 2_000, { idempotent: true });
    await delay(500);
    near.process.kill('SIGSTOP');
    const answers = await running;
    judge(t, answers);
    t.is(
      share(
        answers.filter((answer) => answer.atMs > 650),
        'far',
      ),
      1,
    );
    const { hedged } = rpc.stats();
    t.true(hedged <= 40, `${hedged} hedges: new calls went elsewhere at once`);
    near.process.kill('SIGCONT');
    await load(rpc, 1_500, { idempotent: true });
    const recovered = await load(rpc, 500, { idempotent: true });
    t.true(share(recovered, 'near') > 0.9, `near served ${share(recovered, 'near')}`);
  },
);

test.serial(
  'calls that are not idempotent run at most once through freeze, thaw and kill',
  async (t) => {
    const { rpc, near, far } = await cluster(t);
    const running = load(rpc, 2_000, { deadlineMs: 1_000 }, 'once', 1_000);
    await delay(400);
    near.process.kill('SIGSTOP');
    await delay(400);
    near.process.kill('SIGCONT');
    await delay(600);
    near.process.kill('SIGKILL');
    const answers = await running;
    const executed = [near, far].flatMap(({ ledger }) =>
      readFileSync(ledger, 'utf8').split('\n').filter(Boolean),
    );
    t.is(new Set(executed).size, executed.length, 'nothing ran twice');
    const ran = new Set(executed);
    const ok = answers.filter((answer) => answer.node);
    t.true(ok.every((answer) => ran.has(String(answer.id))));
    t.true(ok.length >= answers.length * 0.9, `${ok.length} of ${answers.length} ok`);
    for (const { error } of answers) {
      if (error)
        t.true(['ERR_DWCP_LINK_DOWN', 'ERR_DWCP_DEADLINE'].includes(error.code), error.code);
    }
  },
);

test.serial('cancel and deadline reach the handler in the other process', async (t) => {
  const { rpc, near } = await cluster(t);
  const controller = new AbortController();
  const started = near.next('started');
  const cancelled = rpc.call('hang', Buffer.alloc(0), { signal: controller.signal });
  await started;
  const aborted = near.next('aborted');
  controller.abort();
  await t.throwsAsync(cancelled, { code: 'ERR_DWCP_ABORTED' });
  t.is((await aborted)['code'], 'ERR_DWCP_ABORTED');

  const late = near.next('aborted');
  const startMs = performance.now();
  await t.throwsAsync(rpc.call('hang', Buffer.alloc(0), { deadlineMs: 150 }), {
    code: 'ERR_DWCP_DEADLINE',
  });
  const tookMs = performance.now() - startMs;
  t.true(tookMs >= 149 && tookMs < 300, `${tookMs} ms`);
  t.regex(String((await late)['code']), /ERR_DWCP_(DEADLINE|ABORTED)/);
});
