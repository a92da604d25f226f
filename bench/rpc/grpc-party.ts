/**
 * @grpc/grpc-js in its fastest form: payloads pass as Buffers without protobuf, items are read from `data`
 * events and written as long as the stream takes them.
 */
import { loadPeer } from '../peers.ts';
import type { Identity, Party } from './party.ts';

type Callback = (error: Error | null, reply: Buffer) => void;

interface ItemsIn {
  on(event: 'data', listener: (item: Buffer) => void): unknown;
  on(event: 'end' | 'error', listener: () => void): unknown;
  cancel(): void;
}

interface ItemsOut {
  readonly cancelled: boolean;
  write(item: Buffer): boolean;
  on(event: 'drain' | 'cancelled', listener: () => void): unknown;
}

interface Client {
  echo(payload: Buffer, callback: Callback): void;
  items(payload: Buffer): ItemsIn;
  close(): void;
  waitForReady(deadline: Date, callback: (error?: Error) => void): void;
}

interface Server {
  addService(service: object, handlers: object): void;
  bindAsync(
    address: string,
    credentials: object,
    callback: (error: Error | null, port: number) => void,
  ): void;
}

interface Grpc {
  readonly Server: new () => Server;
  readonly ServerCredentials: {
    createInsecure(): object;
    createSsl(
      roots: Buffer,
      pairs: readonly { readonly private_key: Buffer; readonly cert_chain: Buffer }[],
      checkClient: boolean,
    ): object;
  };
  readonly credentials: {
    createInsecure(): object;
    createSsl(roots: Buffer, key: Buffer, cert: Buffer, verify: object): object;
  };
  makeGenericClientConstructor(
    service: object,
    name: string,
  ): new (address: string, credentials: object) => Client;
}

const grpc = (): Grpc => loadPeer('@grpc/grpc-js') as Grpc;

const same = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream: boolean): object => ({
  path: `/bench/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const service = { echo: method('echo', false), items: method('items', true) };

function serverCredentials({ ServerCredentials }: Grpc, identity: Identity | undefined): object {
  if (!identity) return ServerCredentials.createInsecure();
  const pair = { private_key: Buffer.from(identity.key), cert_chain: Buffer.from(identity.cert) };
  return ServerCredentials.createSsl(Buffer.from(identity.ca), [pair], true);
}

function clientCredentials({ credentials }: Grpc, identity: Identity | undefined): object {
  if (!identity) return credentials.createInsecure();
  const [ca, key, cert] = [identity.ca, identity.key, identity.cert].map((pem) => Buffer.from(pem));
  // The certificate names a node, not a host.
  return credentials.createSsl(ca!, key!, cert!, { checkServerIdentity: () => undefined });
}

function pour(out: ItemsOut, item: Buffer): void {
  const more = (): void => {
    while (!out.cancelled && out.write(item));
  };
  out.on('drain', more);
  more();
}

export const grpcJs: Party = {
  async serve(identity, item) {
    const library = grpc();
    const server = new library.Server();
    server.addService(service, {
      echo: ({ request }: { request: Buffer }, reply: Callback) => reply(null, request),
      items: (out: ItemsOut) => pour(out, item),
    });
    const credentials = serverCredentials(library, identity);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return { port };
  },

  async connect(port, identity) {
    const library = grpc();
    const Constructor = library.makeGenericClientConstructor(service, 'bench');
    const client = new Constructor(`127.0.0.1:${port}`, clientCredentials(library, identity));
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(new Date(Date.now() + 5_000), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    return {
      call: (payload) =>
        new Promise((resolve, reject) => {
          client.echo(payload, (error, reply) => (error ? reject(error) : resolve(reply)));
        }),
      stream: (onItem) =>
        new Promise((resolve) => {
          const items = client.items(Buffer.alloc(0));
          items.on('data', (item) => {
            if (!onItem(item)) items.cancel();
          });
          items.on('end', resolve);
          // The cancellation itself.
          items.on('error', resolve);
        }),
      close: () => client.close(),
    };
  },
};
