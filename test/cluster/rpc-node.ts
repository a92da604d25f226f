/**
 * One node of the rpc cluster tests, a process of its own: `rpc-node <nodeId> <region> <roundTripMs>
 * <ledgerFile>`. Listens on loopback, tells its port to the parent, shapes links to other regions, and
 * writes each execution of `once` to its ledger before answering.
 */
import { appendFileSync } from 'node:fs';
import { DwcpError } from '../../lib/errors.ts';
import { startNode } from './rpc-start.ts';

const [nodeId = '', region = '', roundTripMs = '0', ledger = ''] = process.argv.slice(2);

const { rpc, links } = startNode(nodeId, region, Number(roundTripMs));
const tell = (message: object): void => void process.send?.(message);

rpc.handle('echo', () => Buffer.from(nodeId));
rpc.handle('once', (payload) => {
  appendFileSync(ledger, `${payload.toString()}\n`);
  return Buffer.from(nodeId);
});
rpc.handle('hang', (_payload, { signal }) => {
  tell({ type: 'started' });
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      const reason: unknown = signal.reason;
      tell({ type: 'aborted', code: reason instanceof DwcpError ? reason.code : 'none' });
      reject(new Error('aborted'));
    });
  });
});

process.on('disconnect', () => process.exit(0));
tell({ type: 'listening', ...(await links.listen({ host: '127.0.0.1', port: 0 })) });
