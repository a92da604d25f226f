/** `dwcp node` and `dwcp status`: two real processes find each other, and one tells about the other. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import type { PageState } from '../../lib/dashboard/state.ts';

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));

interface Line {
  readonly kind: string;
  readonly text: string;
}

/** A node process and its event lines. */
class NodeProcess {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly heard: string[] = [];

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [main, 'node', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /** The first line that matches, heard already or still to come. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const known = this.heard.map((text) => pattern.exec(text)).find((match) => match !== null);
    if (known) return known;
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`no line like ${pattern}; heard: ${this.heard.join(' | ')}`);
      const { text } = JSON.parse(value) as Line;
      this.heard.push(text);
      const match = pattern.exec(text);
      if (match) return match;
    }
  }

  async end(): Promise<number | null> {
    if (this.child.exitCode === null) {
      const exit = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await exit;
    }
    return this.child.exitCode;
  }
}

test('two nodes link up, the page of one tells of both, and a signal ends them in order', async (t) => {
  const first = new NodeProcess('--region', 'us', '--id', 'us-a', '--keyspace', 'prices=lww:json');
  const seed = (await first.line(/listens on (\S+)/))[1]!;
  const second = new NodeProcess('--region', 'eu', '--id', 'eu-a', '--seed', seed, '--page', '0');
  t.teardown(async () => {
    first.child.kill('SIGKILL');
    second.child.kill('SIGKILL');
  });
  const url = (await second.line(/^page (\S+)/))[1]!;
  await second.line(/link to us-a \(us\) is up/);

  const asked = await promisify(execFile)(process.execPath, [main, 'status', url, '--json']);
  const { page } = JSON.parse(asked.stdout) as { page: PageState };
  t.deepEqual(
    page.nodes.map(({ id, state }) => `${id} ${state}`),
    ['eu-a alive', 'us-a alive'],
  );
  t.false(page.controls.enabled);
  const shown = await promisify(execFile)(process.execPath, [main, 'status', url]);
  t.regex(shown.stdout, /eu-a – us-a\s+up/);

  t.is(await first.end(), 0);
  await second.line(/link to us-a \(us\) is down/);
  t.is(await second.end(), 0);
});

test('status of nobody ends with 1 and names the address', async (t) => {
  const url = 'http://127.0.0.1:9/';
  const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
    promisify(execFile)(process.execPath, [main, 'status', url]),
  );
  t.is(error.code, 1);
  t.regex(error.stderr, /127\.0\.0\.1:9/);
});
