/** The page's server: what it serves, to whom, and what it refuses. */
import { createHash } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';
import test from 'ava';
import { servePage } from '../../lib/dashboard/server.ts';
import type { PageAction, PageSource, PageState } from '../../lib/dashboard/state.ts';

const state: PageState = {
  title: 'A test',
  tier: { name: 'portable tier', reason: 'because' },
  nowMs: 1,
  nodes: [{ id: 'eu-1', region: 'eu', state: 'alive' }],
  links: [],
  bytes: undefined,
  freshness: [],
  calls: undefined,
  conflicts: [],
  events: [],
  acts: [],
  controls: { enabled: true, reason: '' },
};

function sourceOf(acted: string[] = []): PageSource {
  return {
    state: () => state,
    status: () => ({ deep: true }),
    act: async (action: PageAction, target: string) => {
      acted.push(`${action} ${target}`);
      return 'done';
    },
  };
}

interface Answer {
  readonly code: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** `fetch` cannot set Host or Origin; node:http can. */
function ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        resolve({ code: answer.statusCode!, headers: answer.headers, body: text });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function tokenOf(url: string): Promise<string> {
  const { body } = await ask(url);
  return /name="dwcp-token" content="([\w-]+)"/.exec(body)![1]!;
}

test('the page is one self-contained document under a strict policy', async (t) => {
  await using page = await servePage(sourceOf());
  const { code, headers, body } = await ask(page.url);
  t.is(code, 200);
  const policy = headers['content-security-policy'] as string;
  t.regex(policy, /default-src 'none'/);
  t.notRegex(policy, /unsafe/);
  t.notRegex(body, /\{\{|<!-- (?:style|script) -->/, 'every placeholder is filled');
  for (const [tag, directive] of [
    ['style', 'style-src'],
    ['script', 'script-src'],
  ]) {
    const inline = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(body)![1]!;
    const digest = createHash('sha256').update(inline).digest('base64');
    t.true(policy.includes(`${directive} 'sha256-${digest}'`), tag);
  }
  t.notRegex(body, /(?:src|href)="(?!data:)/, 'nothing is fetched');
  t.notRegex(body, /^(?:import|export) /m, 'modules are joined');
});

test('a foreign Host is refused, so a rebound name reads nothing', async (t) => {
  await using page = await servePage(sourceOf());
  for (const path of ['', 'events', 'status.json']) {
    const { code, body } = await ask(page.url + path, { headers: { host: 'evil.example:80' } });
    t.is(code, 421);
    t.notRegex(body, /A test/);
  }
});

test('status.json carries the page and the full status', async (t) => {
  await using page = await servePage(sourceOf());
  const { body } = await ask(`${page.url}status.json`);
  const expected: unknown = JSON.parse(JSON.stringify({ page: state, status: { deep: true } }));
  t.deepEqual(JSON.parse(body), expected);
});

test('a button needs our origin and the token of the page', async (t) => {
  const acted: string[] = [];
  await using page = await servePage(sourceOf(acted));
  const origin = new URL(page.url).origin;
  const body = JSON.stringify({ action: 'kill', target: 'eu-1' });
  const post = (headers: Record<string, string>, text = body): Promise<Answer> =>
    ask(`${page.url}act`, { method: 'POST', headers, body: text });
  const token = await tokenOf(page.url);

  t.is((await post({})).code, 403);
  t.is((await post({ origin })).code, 403);
  t.is((await post({ origin: 'http://evil.example', 'x-dwcp-token': token })).code, 403);
  t.is((await post({ origin, 'x-dwcp-token': 'x'.repeat(token.length) })).code, 403);
  t.deepEqual(acted, []);

  const good = await post({ origin, 'x-dwcp-token': token });
  t.is(good.code, 200);
  t.is(good.body, 'done');
  t.deepEqual(acted, ['kill eu-1']);
});

test('a bad button body does nothing and says why', async (t) => {
  const acted: string[] = [];
  await using page = await servePage(sourceOf(acted));
  const headers = { origin: new URL(page.url).origin, 'x-dwcp-token': await tokenOf(page.url) };
  for (const body of [
    '',
    '[',
    'null',
    '{"action":"rm","target":"x"}',
    '{"action":"kill"}',
    'x'.repeat(5000),
  ]) {
    const { code } = await ask(`${page.url}act`, { method: 'POST', headers, body });
    t.is(code, 400, body.slice(0, 20));
  }
  t.deepEqual(acted, []);
});

test('a source without buttons refuses them', async (t) => {
  await using page = await servePage({ state: () => state, status: () => ({}) });
  const headers = { origin: new URL(page.url).origin, 'x-dwcp-token': await tokenOf(page.url) };
  const body = JSON.stringify({ action: 'kill', target: 'eu-1' });
  t.is((await ask(`${page.url}act`, { method: 'POST', headers, body })).code, 409);
});

test('states arrive as server-sent events, and closing ends the stream', async (t) => {
  const page = await servePage(sourceOf(), { intervalMs: 10 });
  const ended = new Promise<string[]>((resolve, reject) => {
    const asked = request(`${page.url}events`, (answer) => {
      t.is(answer.headers['content-type'], 'text/event-stream');
      const seen: string[] = [];
      answer.on('data', (part: Buffer) => {
        seen.push(...part.toString('utf8').split('\n\n').filter(Boolean));
        if (seen.length === 3) void page.close();
      });
      answer.on('close', () => resolve(seen));
      answer.on('error', () => {});
    });
    asked.on('error', reject);
    asked.end();
  });
  const seen = await ended;
  t.true(seen.length >= 3);
  t.is((JSON.parse(seen[0]!.replace('data: ', '')) as PageState).title, 'A test');
});
