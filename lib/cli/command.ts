/**
 * What a subcommand is. Options are described once; `util.parseArgs` and `--help` both read that.
 * Exit codes: 0 done, 1 failed, 2 used wrongly.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { isDwcpError } from '../errors.ts';

/** One option of a subcommand. */
interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
  /** What to show for the value in `--help`. */
  readonly value?: string;
  readonly text: string;
}

/** What the parser hands to a subcommand. */
export interface Arguments {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
}

/** A subcommand. */
export interface Command {
  readonly name: string;
  /** After the name, e.g. `FILE FILE…`. */
  readonly operands: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Resolves with the exit code. */
  run(args: Arguments): Promise<number>;
}

/** Wrong use of the command line; ends with exit code 2 and a pointer to `--help`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Options every subcommand has. */
const shared: Readonly<Record<string, CommandOption>> = {
  help: { type: 'boolean', short: 'h', text: 'show this' },
};

/** Parses what follows the subcommand. Throws {@link UsageError}. */
export function parse(command: Command, argv: readonly string[]): Arguments {
  const described = Object.entries({ ...command.options, ...shared });
  const options = Object.fromEntries(
    described.map(([name, { type, multiple, short }]) => [
      name,
      { type, ...(multiple && { multiple }), ...(short && { short }) },
    ]),
  ) as NonNullable<ParseArgsConfig['options']>;
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { positionals, values };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Help text of one subcommand. */
export function helpOf(command: Command, summary: string): string {
  const rows = Object.entries({ ...command.options, ...shared }).map(([name, option]) => {
    const shown = `${option.short ? `-${option.short}, ` : ''}--${name} ${option.value ?? ''}`;
    return `  ${shown.trimEnd().padEnd(26)}  ${option.text}`;
  });
  const usage = `Usage: dwcp ${command.name} [options] ${command.operands}`.trimEnd();
  return `${summary}\n\n${usage}\n\n${rows.join('\n')}\n`;
}

/** A string option, or undefined. */
export function textOption(args: Arguments, name: string): string | undefined {
  const value = args.values[name];
  return typeof value === 'string' ? value : undefined;
}

/** A repeatable string option. */
export function listOption(args: Arguments, name: string): string[] {
  const value = args.values[name];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** A flag. */
export function flag(args: Arguments, name: string): boolean {
  return args.values[name] === true;
}

/** A number option within bounds. Throws {@link UsageError}. */
export function numberOption(
  args: Arguments,
  name: string,
  bounds: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const text = textOption(args, name);
  if (text === undefined) return bounds.otherwise;
  const value = Number(text);
  if (text.trim() === '' || !(value >= bounds.least && value <= bounds.most)) {
    throw new UsageError(`--${name} must be a number from ${bounds.least} to ${bounds.most}`);
  }
  return value;
}

/** One line for a person about an error. */
export function reasonOf(error: unknown): string {
  if (isDwcpError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
