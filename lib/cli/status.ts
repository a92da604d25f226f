/** `dwcp status URL`: asks the page of a running node or demo and prints what it knows. */
import type { PageState } from '../dashboard/state.ts';
import { flag, UsageError, type Arguments, type Command } from './command.ts';
import { bytesText, msText } from './format.ts';
import { Terminal } from './terminal.ts';

const deadlineMs = 5_000;
const defaultUrl = 'http://127.0.0.1:4080/';

async function fetchStatus(text: string): Promise<{ page: PageState; status: unknown }> {
  let url: URL;
  try {
    url = new URL('status.json', text.endsWith('/') ? text : `${text}/`);
  } catch {
    throw new UsageError(`${text} is not a URL`);
  }
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`${url.href} did not answer: ${String(cause)}`, { cause: error });
  }
  if (!answer.ok) throw new Error(`${url.href} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as { page: PageState; status: unknown };
}

function print(terminal: Terminal, page: PageState): void {
  terminal.line(page.title);
  terminal.line(`Tier: ${page.tier.name}. ${page.tier.reason}`);
  terminal.line();
  const nodes = page.nodes.map(({ id, region, state, role }) => [id, region, state, role ?? '']);
  terminal.table(['node', 'region', 'state', ''], nodes);
  if (page.links.length > 0) {
    terminal.line();
    const links = page.links.map((link) => [
      `${link.a} – ${link.b}`,
      link.cut ? 'cut' : link.up ? 'up' : 'down',
      link.rttMs === undefined ? '' : msText(link.rttMs),
      bytesText(link.bytes),
    ]);
    terminal.table(['link', 'state', 'rtt', 'moved'], links);
  }
  if (page.bytes) {
    terminal.line();
    const rows = page.bytes.rows.map((row) => [row.label, bytesText(row.bytes)]);
    terminal.table([page.bytes.title, 'bytes'], rows);
  }
  const fresh = page.freshness.filter(({ count }) => count > 0);
  if (fresh.length > 0) {
    terminal.line();
    const rows = fresh.map((one) => [
      one.region,
      String(one.count),
      msText(one.p50Ms ?? 0),
      msText(one.p99Ms ?? 0),
    ]);
    terminal.table(['time to fresh', 'updates', 'p50', 'p99'], rows);
  }
}

async function run(args: Arguments): Promise<number> {
  if (args.positionals.length > 1) throw new UsageError('status takes one URL');
  const answer = await fetchStatus(args.positionals[0] ?? defaultUrl);
  if (flag(args, 'json')) process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  else print(new Terminal(), answer.page);
  return 0;
}

/** The subcommand. */
export const statusCommand: Command = {
  name: 'status',
  operands: '[URL]',
  options: { json: { type: 'boolean', text: `all of it; URL is ${defaultUrl} when absent` } },
  run,
};
