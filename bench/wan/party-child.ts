/**
 * `party-child.js receive|send KIND JSON`: one end of a flow in a process of its own. A receiver prints `{port}` and,
 * when its input ends, what arrived. A sender sends for `seconds` or until `bytes` have been taken, then prints
 * what it knows of its sockets and ends.
 */
import { receiveDwcp, sendDwcp } from './dwcp-party.ts';
import { receiveNet, sendNet } from './net-party.ts';

/** A receiver at work. */
export interface Receiving {
  readonly port: number;
  report(): Readonly<Record<string, unknown>>;
}

/** A sender at work. */
export interface Sending {
  /** Settles when everything arrived; never without an end. */
  readonly done: Promise<void>;
  report(): Readonly<Record<string, unknown>>;
}

/** What a sender is told. */
export interface SendOrder {
  readonly host: string;
  readonly port: number;
  /** Time to send for, or at most, s. */
  readonly seconds: number;
  /** Bytes of all messages; without end when absent. */
  readonly bytes?: number;
  readonly messageBytes: number;
}

const [role, kind, order = '{}'] = process.argv.slice(2);
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function receive(): Promise<void> {
  const receiving = await (kind === 'net' ? receiveNet() : receiveDwcp());
  say({ port: receiving.port });
  process.stdin.resume().once('end', () => {
    process.stdout.write(`${JSON.stringify(receiving.report())}\n`, () => process.exit(0));
  });
}

async function send(given: SendOrder): Promise<void> {
  const { host, port, seconds } = given;
  const sending = await (kind === 'net' ? sendNet(host, port) : sendDwcp(given));
  const started = performance.now();
  const timeout = new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await Promise.race([sending.done, timeout]);
  const took = (performance.now() - started) / 1000;
  const line = JSON.stringify({ seconds: took, ...sending.report() });
  process.stdout.write(`${line}\n`, () => process.exit(0));
}

await (role === 'receive' ? receive() : send(JSON.parse(order) as SendOrder));
