/** Whether two nodes may link: pure rules over both Hellos and what the pipe proved. */
import { DwcpError } from '../errors.ts';
import type { FramePipe } from '../transport/frame-pipe.ts';
import type { Hello } from './link.ts';

/** What of a pipe matters to the rules. */
export type PipeFacts = Pick<FramePipe, 'identity' | 'secure'>;

/**
 * Checks a peer's Hello against ours.
 * @throws ERR_DWCP_HANDSHAKE (cluster, wire version, node id in use), ERR_DWCP_IDENTITY (the certificate
 * names someone else), ERR_DWCP_PLAINTEXT_REFUSED.
 */
export function checkHello(
  self: Hello,
  peer: Hello,
  pipe: PipeFacts,
  requireSecure: boolean,
): void {
  if (requireSecure && !pipe.secure) {
    throw new DwcpError('ERR_DWCP_PLAINTEXT_REFUSED', 'this node takes secured links only');
  }
  checkIdentity(peer, pipe);
  if (peer.cluster !== self.cluster) {
    refuse(`cluster differs: ${self.cluster} here, ${peer.cluster} there`, 'cluster');
  }
  if (Math.max(self.wireMin, peer.wireMin) > Math.min(self.wireMax, peer.wireMax)) {
    const ours = `${self.wireMin} to ${self.wireMax}`;
    refuse(
      `no common wire version: ${ours} here, ${peer.wireMin} to ${peer.wireMax} there`,
      'wire',
    );
  }
  if (peer.nodeId === self.nodeId) {
    refuse(`node id ${self.nodeId} is used by two running nodes`, 'nodeId');
  }
}

/** True when a Hello is our own, come back through a dialled address. */
export function isSelf(self: Hello, peer: Hello): boolean {
  return (
    peer.nodeId === self.nodeId &&
    peer.cluster === self.cluster &&
    peer.incarnation === self.incarnation
  );
}

function checkIdentity(peer: Hello, { identity, secure }: PipeFacts): void {
  if (identity === undefined) {
    if (!secure) return;
    throw new DwcpError('ERR_DWCP_IDENTITY', 'the secured pipe proved no identity');
  }
  for (const field of ['cluster', 'region', 'nodeId'] as const) {
    if (identity[field] === peer[field]) continue;
    throw new DwcpError(
      'ERR_DWCP_IDENTITY',
      `Hello says ${field} ${peer[field]}, the certificate says ${identity[field]}`,
      { detail: { field } },
    );
  }
}

function refuse(message: string, field: string): never {
  throw new DwcpError('ERR_DWCP_HANDSHAKE', message, { detail: { field } });
}
