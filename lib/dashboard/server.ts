/**
 * The page's server: one static page, server-sent events for its state, `/status.json`, and POST
 * `/act` for the buttons. Loopback unless asked otherwise. Every request must name a host we serve
 * (DNS rebinding); a POST must also come from our own origin and carry the token of the page.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type Clock, type Timer } from '../clock.ts';
import { assemblePage, type AssembledPage } from './assemble.ts';
import type { PageAction, PageSource } from './state.ts';

const maxViewers = 32;
const maxBodyBytes = 1024;
const maxViewerBacklogBytes = 1024 * 1024;
const actions: readonly PageAction[] = ['kill', 'freeze', 'partition', 'heal'];

/** Options of {@link servePage}. */
export interface PageServerOptions {
  /** Address to bind; 127.0.0.1 by default. */
  readonly host?: string | undefined;
  /** Port to bind; 0 (the default) takes a free one. */
  readonly port?: number | undefined;
  /** Time between two states sent to the page, ms; 250 by default. */
  readonly intervalMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** A running page. */
export interface PageServer extends AsyncDisposable {
  /** Where to point a browser. */
  readonly url: string;
  close(): Promise<void>;
}

function isLoopback(host: string): boolean {
  return host === '127.0.0.1' || host === '::1' || host === 'localhost';
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** The body, or nothing when it is longer than any button's. */
async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > maxBodyBytes) return '';
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What a button asks for; undefined when the body is anything else. */
function wishOf(body: string): { action: PageAction; target: string } | undefined {
  let asked: unknown;
  try {
    asked = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { action, target } = (asked ?? {}) as Record<string, unknown>;
  const known = actions.find((name) => name === action);
  return known && typeof target === 'string' ? { action: known, target } : undefined;
}

class Page implements PageServer {
  readonly #source: PageSource;
  readonly #page: AssembledPage;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #token = randomBytes(18).toString('base64url');
  readonly #viewers = new Set<ServerResponse>();
  readonly #server: Server;
  #hosts: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  url = '';

  constructor(source: PageSource, page: AssembledPage, clock: Clock, intervalMs: number) {
    this.#source = source;
    this.#page = page;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        if (response.headersSent) response.destroy();
        else this.#send(response, 500, 'text/plain; charset=utf-8', text);
      });
    });
    this.#server.headersTimeout = 10_000;
    this.#server.requestTimeout = 10_000;
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    const bound = this.#server.address() as AddressInfo;
    const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
    const names = isLoopback(host) ? ['127.0.0.1', 'localhost', '[::1]'] : [host, shown];
    this.#hosts = new Set(names.map((name) => `${name}:${bound.port}`));
    this.url = `http://${shown}:${bound.port}/`;
    this.#arm();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    for (const viewer of this.#viewers) viewer.end();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#broadcast();
      this.#arm();
    }, this.#intervalMs);
    this.#timer.unref();
  }

  #broadcast(): void {
    if (this.#viewers.size === 0) return;
    const text = this.#event();
    for (const viewer of this.#viewers) {
      // A viewer that stopped reading must not grow our heap; it reconnects by itself.
      if (viewer.writableLength > maxViewerBacklogBytes) viewer.destroy();
      else viewer.write(text);
    }
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#source.state())}\n\n`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#hosts.has(request.headers.host ?? '')) {
      return this.#send(response, 421, 'text/plain', 'This address does not serve that host.');
    }
    const route = `${request.method} ${(request.url ?? '/').split('?')[0]}`;
    if (route === 'GET /') return this.#sendPage(response);
    if (route === 'GET /events') return this.#sendEvents(response);
    if (route === 'GET /status.json') {
      const body = { page: this.#source.state(), status: this.#source.status() };
      return this.#send(response, 200, 'application/json', JSON.stringify(body));
    }
    if (route === 'POST /act') return this.#act(request, response);
    if (route === 'GET /favicon.ico') return this.#send(response, 204, 'image/x-icon', '');
    return this.#send(response, 404, 'text/plain', 'Not here.');
  }

  #sendPage(response: ServerResponse): void {
    response.setHeader('content-security-policy', this.#page.policy);
    const html = this.#page.html.replace('{{token}}', this.#token);
    this.#send(response, 200, 'text/html; charset=utf-8', html);
  }

  #sendEvents(response: ServerResponse): void {
    if (this.#viewers.size >= maxViewers) {
      return this.#send(response, 503, 'text/plain', 'Too many viewers.');
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(this.#event());
    this.#viewers.add(response);
    response.on('close', () => this.#viewers.delete(response));
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const origin = request.headers.origin ?? '';
    const token = request.headers['x-dwcp-token'];
    if (!this.#hosts.has(origin.replace(/^http:\/\//, '')) || typeof token !== 'string') {
      return this.#send(response, 403, 'text/plain', 'Only the page itself may do this.');
    }
    if (!same(token, this.#token)) {
      return this.#send(
        response,
        403,
        'text/plain',
        'The page is older than this server: reload it.',
      );
    }
    if (this.#source.act === undefined) {
      return this.#send(
        response,
        409,
        'text/plain',
        'This server only watches; it has no buttons.',
      );
    }
    const wish = wishOf(await readBody(request));
    if (wish === undefined) {
      const expected = `{action: one of ${actions.join(', ')}, target: a node or region}`;
      return this.#send(response, 400, 'text/plain', `The body must be ${expected}.`);
    }
    const done = await this.#source.act(wish.action, wish.target);
    this.#broadcast();
    this.#send(response, 200, 'text/plain; charset=utf-8', done);
  }

  #send(response: ServerResponse, code: number, type: string, body: string): void {
    response.writeHead(code, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    response.end(body);
  }
}

/**
 * Serves the page for `source`.
 * @param source where state comes from and buttons go
 * @returns the running page; its `url` is ready to open
 * @example
 * const page = await servePage(source, { port: 4100 });
 * console.log(page.url);
 */
export async function servePage(
  source: PageSource,
  options: PageServerOptions = {},
): Promise<PageServer> {
  const page = new Page(
    source,
    await assemblePage(),
    options.clock ?? systemClock,
    options.intervalMs ?? 250,
  );
  await page.listen(options.host ?? '127.0.0.1', options.port ?? 0);
  return page;
}
