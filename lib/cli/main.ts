#!/usr/bin/env node
/**
 * The `dwcp` command: finds the subcommand, parses, runs, ends with its exit code
 * (0 done, 1 failed, 2 used wrongly).
 */
import { readFile } from 'node:fs/promises';
import { benchCommand } from './bench.ts';
import { helpOf, parse, reasonOf, UsageError, type Command } from './command.ts';

const commands: readonly Command[] = [benchCommand];

function overview(): string {
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(8)}  ${summary}`);
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
  const command = commands.find((one) => one.name === name);
  if (command === undefined) throw new UsageError(`there is no command \`${name}\``);
  const args = parse(command, rest);
  if (args.values['help'] === true) {
    process.stdout.write(helpOf(command));
    return 0;
  }
  return command.run(args);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const wrongUse = error instanceof UsageError;
    process.stderr.write(`dwcp: ${reasonOf(error)}${wrongUse ? ' (try `dwcp --help`)' : ''}\n`);
    process.exitCode = wrongUse ? 2 : 1;
  },
);
