/**
 * `server.js NAME echo|oneway IDENTITY`: one server of the tls suite in a process of its own; IDENTITY is a JSON
 * file of certificate, key and root. Prints `{port, tier}`, serves until stdin ends, prints `{messages}`.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';
import {
  type Frame,
  ioTransport,
  type OutgoingFrame,
  type SecureTransport,
  type TlsIdentity,
  tlsTransport,
} from '../../lib/transport/index.ts';
import { tlsPolicy } from '../../lib/transport/tls-policy.ts';
import type { Mode, Serving } from '../transport/server.ts';
import { FramedSocket } from '../transport/servers/net-frames.ts';

const answer = ({ kind, flags, channel, stream, payload }: Frame): OutgoingFrame => ({
  kind,
  flags,
  channel,
  stream,
  payload: [payload],
});

/** Pipes of a transport of dwcp. */
async function pipes(mode: Mode, transport: SecureTransport): Promise<Serving> {
  let messages = 0;
  const listener = await transport.listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
    pipe.start({
      onFrames: (frames) => {
        messages += frames.length;
        if (mode === 'echo') pipe.send(frames.map(answer));
      },
      onWritable: () => {},
      onClose: () => {},
    });
  });
  return { port: listener.address.port, tier: transport.tier, count: () => messages };
}

/** The framing a careful user writes, over node:tls with the same policy. */
async function nodeTls(mode: Mode, identity: TlsIdentity): Promise<Serving> {
  let messages = 0;
  const onMessage = (socket: FramedSocket, payload: Buffer): void => {
    messages++;
    if (mode === 'echo') socket.send(payload);
  };
  const options = { ...tlsPolicy, ...identity, requestCert: true, noDelay: true };
  const server = createServer(options, (socket: Socket) => {
    new FramedSocket(socket, { checksum: false }, onMessage);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, count: () => messages };
}

const [name = '', mode, identityFile = ''] = process.argv.slice(2);
const identity = JSON.parse(readFileSync(identityFile, 'utf8')) as TlsIdentity;
const servers: Record<string, () => Promise<Serving>> = {
  'node-tls': () => nodeTls(mode as Mode, identity),
  'pipe-tls': () => pipes(mode as Mode, tlsTransport({ identity })),
  engine: () => pipes(mode as Mode, ioTransport({ identity })),
};
const serving = await servers[name]!();
process.stdout.write(`${JSON.stringify({ port: serving.port, tier: serving.tier })}\n`);
process.stdin.resume().once('end', () => {
  process.stdout.write(`${JSON.stringify({ messages: serving.count() })}\n`, () => process.exit(0));
});
