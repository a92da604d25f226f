/** `dwcp ca`: certificates for nodes, for people who have no authority of their own. */
import {
  initAuthority,
  issueFrom,
  listIssued,
  revokeFrom,
  type Issued,
  type Listed,
} from './authority.ts';
import { flag, numberOption, textOption, UsageError } from './command.ts';
import type { Arguments, Command } from './command.ts';
import { Terminal } from './terminal.ts';

const rootDays = 3_650;
const nodeDays = 90;
const maxDays = 36_500;

/** What one action tells: a line for people, an object for programs. */
interface Told {
  readonly text: string;
  readonly object: object;
}

type Action = (args: Arguments, folder: string, operands: readonly string[]) => Promise<Told[]>;

const daysOf = (args: Arguments, otherwise: number): number =>
  numberOption(args, 'days', { least: 1, most: maxDays, otherwise });

function only(operands: readonly string[], what: string): string {
  const [operand, ...rest] = operands;
  if (operand === undefined || rest.length > 0) throw new UsageError(`give one ${what}`);
  return operand;
}

function none(operands: readonly string[]): void {
  if (operands.length > 0) throw new UsageError(`${operands[0]} is one operand too many`);
}

const shown = ({ uri, fingerprint, expiresAt }: Issued): string =>
  `${uri}  ${fingerprint.slice(0, 16)}…  until ${expiresAt.slice(0, 10)}`;

const actions: Readonly<Record<string, Action>> = {
  init: async (args, folder, operands) => {
    none(operands);
    const cluster = textOption(args, 'cluster');
    if (cluster === undefined) throw new UsageError('ca init needs --cluster');
    const root = await initAuthority(folder, cluster, daysOf(args, rootDays));
    const text = `${root} is the root of cluster ${cluster}: every node gets it. Guard ${folder}/ca.key.`;
    return [{ text, object: { root, cluster } }];
  },
  issue: async (args, folder, operands) => {
    const name = only(operands, 'REGION/NODE');
    const out = textOption(args, 'out') ?? '.';
    const { cert, key, issued } = await issueFrom(folder, name, daysOf(args, nodeDays), out);
    const text = `${shown(issued)}\n${cert} and ${key} go to that node, with ${folder}/ca.pem`;
    return [{ text, object: { ...issued, cert, key } }];
  },
  list: async (_args, folder, operands) => {
    none(operands);
    const told = (one: Listed): Told => ({
      text: `${one.state.padEnd(7)}  ${shown(one)}`,
      object: one,
    });
    return (await listIssued(folder)).map(told);
  },
  revoke: async (_args, folder, operands) => {
    const revoked = await revokeFrom(folder, only(operands, 'REGION/NODE or fingerprint'));
    return revoked.map((one) => ({
      text: `revoked  ${shown(one)}; give ${folder}/revoked.txt to every node`,
      object: one,
    }));
  },
};

async function run(args: Arguments): Promise<number> {
  const [name = '', ...operands] = args.positionals;
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (!action) throw new UsageError(`ca takes one of ${Object.keys(actions).join(', ')}`);
  const told = await action(args, textOption(args, 'dir') ?? 'dwcp-ca', operands);
  const terminal = new Terminal();
  for (const { text, object } of told)
    terminal.line(flag(args, 'json') ? JSON.stringify(object) : text);
  return 0;
}

/** The subcommand. */
export const caCommand: Command = {
  name: 'ca',
  operands: 'init | issue REGION/NODE | list | revoke REGION/NODE|FINGERPRINT',
  options: {
    dir: { type: 'string', value: 'FOLDER', text: 'where the authority lives (dwcp-ca)' },
    cluster: { type: 'string', value: 'NAME', text: 'init: the cluster whose nodes it names' },
    days: {
      type: 'string',
      value: 'N',
      text: `how long what is made is good (init ${rootDays}, issue ${nodeDays})`,
    },
    out: { type: 'string', value: 'FOLDER', text: 'issue: where to write NODE.pem, NODE.key (.)' },
    json: { type: 'boolean', text: 'one JSON object per line' },
  },
  run,
};
