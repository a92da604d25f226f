#!/usr/bin/env node
/**
 * The `dwcp` command: finds the subcommand, parses, runs, ends with its exit code
 * (0 done, 1 failed, 2 used wrongly).
 */
import { readFile } from 'node:fs/promises';
import { helpOf, parse, reasonOf, UsageError, type Command } from './command.ts';

/** A subcommand, loaded only when it is asked for. */
interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const entries: readonly Entry[] = [
  {
    name: 'demo',
    summary:
      'Three regions, six real processes, four acts: bytes, kill and freeze, conflict, order.',
    load: async () => (await import('./demo/demo.ts')).demoCommand,
  },
  {
    name: 'bench',
    summary: 'Ways of sending your own successive versions compared: bytes, time-to-fresh, money.',
    load: async () => (await import('./bench.ts')).benchCommand,
  },
  {
    name: 'node',
    summary:
      'Runs one node: a replica of the keyspaces named, with a page that shows what it knows.',
    load: async () => (await import('./node.ts')).nodeCommand,
  },
  {
    name: 'ca',
    summary: 'A certificate authority in a folder: makes a root, issues, lists and revokes.',
    load: async () => (await import('./ca.ts')).caCommand,
  },
  {
    name: 'status',
    summary: 'Asks the page of a running node or demo what it knows.',
    load: async () => (await import('./status.ts')).statusCommand,
  },
];

function overview(): string {
  const rows = entries.map(({ name, summary }) => `  ${name.padEnd(8)}  ${summary}`);
  return [
    'dwcp keeps state fresh in every region and calls answered when nodes die.',
    '',
    'Usage: dwcp COMMAND [options]',
    '',
    ...rows,
    '',
    '`dwcp COMMAND --help` tells the options. NO_COLOR=1 turns colour off.',
    '',
  ].join('\n');
}

/** Reads the version beside the code; compiled code lives three folders below the package. */
async function version(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${await version()}\n`);
    return 0;
  }
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) throw new UsageError(`there is no command \`${name}\``);
  const command = await entry.load();
  const args = parse(command, rest);
  if (args.values['help'] === true) {
    process.stdout.write(helpOf(command, entry.summary));
    return 0;
  }
  return command.run(args);
}

/** Runs the command and sets the exit code; never rejects. */
async function run(): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const wrongUse = error instanceof UsageError;
    process.stderr.write(`dwcp: ${reasonOf(error)}${wrongUse ? ' (try `dwcp --help`)' : ''}\n`);
    process.exitCode = wrongUse ? 2 : 1;
  }
}

// A reader that went away (`dwcp … | head`) ends the command quietly, its children with it.
process.stdout.on('error', () => process.exit(1));
void run();
