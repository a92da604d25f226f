/** `dwcp node`: runs one node until it is told to stop, a line per event, with its page if wanted. */
import { readFile } from 'node:fs/promises';
import { servePage } from '../dashboard/server.ts';
import {
  createNode,
  type DwcpNode,
  type NodeIdentity,
  type NodeOptions,
  type Right,
} from '../node/index.ts';
import { readRevoked } from './authority.ts';
import { flag, listOption, numberOption, reasonOf, textOption, UsageError } from './command.ts';
import type { Arguments, Command } from './command.ts';
import { tellEvents } from './event-lines.ts';
import { NodeFeed } from './node-feed.ts';
import { Terminal } from './terminal.ts';

const defaultPagePort = 4080;

async function identityOf(args: Arguments): Promise<NodeIdentity | undefined> {
  const paths = ['cert', 'key', 'ca'].map((name) => textOption(args, name));
  if (paths.every((path) => path === undefined)) return undefined;
  if (paths.some((path) => path === undefined)) {
    throw new UsageError('--cert, --key and --ca belong together');
  }
  const [cert, key, ca] = await Promise.all(paths.map((path) => readFile(path!, 'utf8')));
  return { cert: cert!, key: key!, ca: ca! };
}

/** The list and the table given as files; absent without them. */
async function refusalsOf(args: Arguments): Promise<Pick<NodeOptions, 'revoked' | 'rights'>> {
  const [revoked, rights] = [textOption(args, 'revoked'), textOption(args, 'rights')];
  return {
    ...(revoked !== undefined && { revoked: readRevoked(await readFile(revoked, 'utf8')) }),
    ...(rights !== undefined && {
      rights: JSON.parse(await readFile(rights, 'utf8')) as readonly Right[],
    }),
  };
}

/** Reads the files again: a new certificate, new roots, another list, another table. */
async function reload(node: DwcpNode, args: Arguments): Promise<void> {
  const [identity, { revoked, rights }] = await Promise.all([identityOf(args), refusalsOf(args)]);
  if (identity) node.setIdentity(identity);
  if (revoked) node.setRevoked(revoked);
  if (rights) node.setRights(rights);
}

async function optionsOf(args: Arguments): Promise<NodeOptions> {
  const region = textOption(args, 'region');
  if (region === undefined) throw new UsageError('node needs --region');
  const [nodeId, cluster] = [textOption(args, 'id'), textOption(args, 'cluster')];
  const [listen, path] = [textOption(args, 'listen'), textOption(args, 'storage')];
  const advertise = textOption(args, 'advertise');
  const identity = await identityOf(args);
  return {
    region,
    seeds: listOption(args, 'seed'),
    allowPlaintext: flag(args, 'allow-plaintext'),
    ...(nodeId !== undefined && { nodeId }),
    ...(cluster !== undefined && { cluster }),
    ...(listen !== undefined && { listen }),
    ...(advertise !== undefined && { advertise }),
    ...(path !== undefined && { storage: { path } }),
    ...(identity !== undefined && { identity }),
    ...(await refusalsOf(args)),
  };
}

/** Declares keyspaces given as NAME=POLICY:CODEC, so that this node keeps a replica of them. */
function declareKeyspaces(node: DwcpNode, args: Arguments): void {
  for (const text of listOption(args, 'keyspace')) {
    const match = /^([^=]+)=(lww|siblings):(bytes|json)$/.exec(text);
    if (match === null)
      throw new UsageError(`--keyspace ${text} is not NAME=lww|siblings:bytes|json`);
    const [, name, policy, codec] = match;
    node.keyspace(name!, {
      policy: policy as 'lww' | 'siblings',
      codec: codec as 'bytes' | 'json',
    });
  }
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => resolve(signal));
  });
}

async function run(args: Arguments): Promise<number> {
  if (args.positionals.length > 0) throw new UsageError('node takes options only');
  const json = flag(args, 'json');
  const terminal = new Terminal();
  const node = await createNode(await optionsOf(args));
  const feed = new NodeFeed(node);
  const tell: typeof feed.event = (kind, text) => {
    feed.event(kind, text);
    const at = new Date().toISOString();
    terminal.line(json ? JSON.stringify({ at, kind, text }) : `${at}  ${text}`);
  };
  try {
    const ended = untilSignal();
    declareKeyspaces(node, args);
    const { address, native, storage } = node.status();
    tell(
      'info',
      `node ${node.nodeId} in ${node.region} listens on ${address?.host}:${address?.port}`,
    );
    tell('info', `tier ${native.tier}: ${native.reason}`);
    tell('info', `storage ${storage.kind}: ${storage.reason}`);
    tellEvents(node, tell);
    process.on('SIGHUP', () => {
      reload(node, args).then(
        () => tell('info', 'certificates, revocations and rights were read again'),
        (error: unknown) => tell('bad', `nothing changed: ${reasonOf(error)}`),
      );
    });
    const wantsPage = args.values['page'] !== undefined;
    const port = numberOption(args, 'page', { least: 0, most: 65_535, otherwise: defaultPagePort });
    await using page = wantsPage ? await servePage(feed, { port }) : undefined;
    if (page) tell('info', `page ${page.url}`);
    tell('info', `${await ended}: closing`);
  } finally {
    await node.close();
  }
  return 0;
}

/** The subcommand. */
export const nodeCommand: Command = {
  name: 'node',
  operands: '',
  options: {
    region: { type: 'string', value: 'NAME', text: 'region this node lives in (required)' },
    id: { type: 'string', value: 'NAME', text: 'name of the node (random)' },
    cluster: { type: 'string', value: 'NAME', text: 'cluster it belongs to (dwcp)' },
    listen: { type: 'string', value: 'H:P', text: 'where to listen (127.0.0.1, a free port)' },
    advertise: { type: 'string', value: 'H:P', text: 'where others reach it, if elsewhere' },
    seed: { type: 'string', multiple: true, value: 'H:P', text: 'a node of the cluster (repeat)' },
    storage: { type: 'string', value: 'PATH', text: 'folder for its state (memory)' },
    keyspace: {
      type: 'string',
      multiple: true,
      value: 'N=P:C',
      text: 'keep a replica, e.g. prices=lww:json (repeat)',
    },
    cert: { type: 'string', value: 'FILE', text: 'certificate, PEM; turns on mutual TLS' },
    key: { type: 'string', value: 'FILE', text: 'its key' },
    ca: { type: 'string', value: 'FILE', text: 'roots that peers must chain to' },
    revoked: {
      type: 'string',
      value: 'FILE',
      text: 'who is refused: one name or fingerprint a line',
    },
    rights: { type: 'string', value: 'FILE', text: 'who may do what: a JSON array of rows' },
    'allow-plaintext': { type: 'boolean', text: 'permit unencrypted links off loopback' },
    page: {
      type: 'string',
      value: 'PORT',
      text: `serve the page on loopback, e.g. ${defaultPagePort}`,
    },
    json: { type: 'boolean', text: 'one JSON object per event' },
  },
  run,
};
