/**
 * The page in a real browser, over the demo's real cluster of six processes: it loads without a
 * complaint, shows what is there, its buttons act, and it fits a narrow screen.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { Cluster } from '../../lib/cli/demo/cluster.ts';
import { Feed } from '../../lib/cli/demo/feed.ts';
import { meshed } from '../../lib/cli/demo/mesh.ts';
import { writer } from '../../lib/cli/demo/wan.ts';
import { until } from '../../lib/cli/demo/waiting.ts';
import { servePage, type PageServer } from '../../lib/dashboard/server.ts';

const executablePath = '/usr/bin/chromium';
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const deadlineMs = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'dwcp-page-'));
let cluster: Cluster;
let feed: Feed;
let server: PageServer;
let browser: BrowserContext;

/** Root can install the browser, and setup does; an ordinary user may have to do without. */
const hasBrowser = existsSync(executablePath);
const browserTest: typeof test.serial =
  hasBrowser || process.getuid?.() === 0 ? test.serial : ((() => {}) as never);

test.before(async () => {
  cluster = new Cluster(folder);
  feed = new Feed(cluster);
  await cluster.start();
  await meshed(cluster);
  feed.watch();
  server = await servePage(feed);
  if (!hasBrowser) return;
  browser = await chromium.launchPersistentContext(join(folder, 'browser'), {
    executablePath,
    headless: true,
    args: flags,
  });
});

test.after.always(async () => {
  await browser?.close();
  feed?.stop();
  await server?.close();
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Opens the page and uses it; the test fails on anything the browser complains about. */
async function onPage(
  t: ExecutionContext,
  width: number,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  t.truthy(browser, `${executablePath} is missing: apt-get install chromium`);
  const page = await browser.newPage();
  try {
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.setViewportSize({ width, height: 900 });
    await page.goto(server.url);
    await page.waitForSelector('.node[data-node="ap-2"]');
    await use(page);
    t.deepEqual(complaints, []);
  } finally {
    await page.close();
  }
}

/** Waits until so many elements match; the page's own policy forbids polling inside it. */
function counted(page: Page, selector: string, wanted: number): Promise<true> {
  return until(`${wanted} × ${selector}`, deadlineMs, async () =>
    (await page.locator(selector).count()) === wanted ? true : undefined,
  );
}

/** Waits until the page tells of at least `least` calls; resolves with how many. */
function callsShown(page: Page, least: number): Promise<number> {
  return until(`${least} calls shown`, deadlineMs, async () => {
    const note = (await page.locator('#calls-note').textContent()) ?? '';
    const calls = Number(/^([\d,]+) calls/.exec(note)?.[1]?.replaceAll(',', '') ?? 0);
    return calls >= least ? calls : undefined;
  });
}

// Text, because this project compiles without the types of a document.
const stickingOut = `[...document.querySelectorAll('.node, button, h2')]
  .map((element) => element.getBoundingClientRect())
  .filter(({ left, right }) => left < 0 || right > innerWidth).length`;

const stateOf = (nodeId: string, state: string): string =>
  `.node[data-node="${nodeId}"][data-state="${state}"]`;

test.serial('the page is served whole, with a policy that lets in nothing else', async (t) => {
  const reply = await fetch(server.url);
  t.is(reply.status, 200);
  t.regex(reply.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  const html = await reply.text();
  t.regex(html, /<!doctype html>/i);
  t.notRegex(html, /(?:src|href)="https?:/);
});

browserTest('shows six live nodes in three regions, each with a name to read aloud', async (t) => {
  await onPage(t, 1280, async (page) => {
    t.is(await page.locator('.node').count(), 6);
    t.deepEqual(await page.locator('.region').allTextContents(), ['us', 'eu', 'ap']);
    t.is(await page.locator('.wire').count(), 15);
    await counted(page, '.wire[data-up="1"]', 15);
    t.is(
      await page.locator(stateOf('eu-1', 'alive')).getAttribute('aria-label'),
      'eu-1: alive, serves',
    );
    t.is(await page.locator('#live').textContent(), 'live');
  });
});

browserTest('figures follow what happens', async (t) => {
  await onPage(t, 1280, async (page) => {
    await cluster.ask(writer, 'startCalls', { perSecond: 100 });
    const made = await callsShown(page, 1);
    await callsShown(page, made + 1);
    await cluster.ask(writer, 'stopCalls', undefined);
    t.true((await page.locator('#calls .p50').count()) === 1);
  });
});

browserTest('partition cuts the links of the region, heal joins them again', async (t) => {
  await onPage(t, 1280, async (page) => {
    await page.selectOption('#target', 'ap-1');
    await page.click('[data-action=partition]');
    await counted(page, '.wire[data-cut="1"]', 8);
    t.deepEqual(await page.locator('.rtt[data-cut="1"] text').allTextContents(), ['cut', 'cut']);
    t.true(cluster.isCut('us-1', 'ap-2'));
    t.regex((await page.locator('#said').textContent())!, /ap is cut off/);
    await page.click('[data-action=heal]');
    await counted(page, '.wire[data-cut="1"]', 0);
    t.false(cluster.isCut('us-1', 'ap-2'));
  });
});

browserTest('freeze and kill reach the real process, heal brings both back', async (t) => {
  await onPage(t, 1280, async (page) => {
    await page.locator(stateOf('eu-2', 'alive')).click();
    t.is(await page.locator('#target').inputValue(), 'eu-2');
    await page.click('[data-action=freeze]');
    await page.waitForSelector(stateOf('eu-2', 'frozen'));
    await page.selectOption('#target', 'us-2');
    await page.click('[data-action=kill]');
    await page.waitForSelector(stateOf('us-2', 'dead'));
    t.is(cluster.stateOf('us-2'), 'dead');
    await page.click('[data-action=heal]');
    await page.waitForSelector(stateOf('eu-2', 'alive'));
    await page.waitForSelector(stateOf('us-2', 'alive'));
    t.regex((await page.locator('#events').textContent())!, /SIGKILL us-2 by hand/);
  });
});

for (const width of [1280, 390]) {
  browserTest(`nothing is wider than a screen of ${width} px`, async (t) => {
    await onPage(t, width, async (page) => {
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      t.true(wide <= width, `${wide} px`);
      const cut = await page.evaluate<number>(stickingOut);
      t.is(cut, 0, 'elements that stick out');
    });
  });
}
