/** dwcp as its users run it: two nodes, a typed service. Items come from a plain generator, as grpc-js's from a loop. */
import { createNode } from '../../lib/index.ts';
import { defineService, serverStream, unary } from '../../lib/rpc/index.ts';
import type { Identity, Party } from './party.ts';

const service = defineService({
  name: 'bench',
  methods: { echo: unary({ codec: 'bytes' }), items: serverStream({ codec: 'bytes' }) },
});

const optionsOf = (identity: Identity | undefined): { readonly identity?: Identity } =>
  identity ? { identity } : {};

export const dwcp: Party = {
  async serve(identity, item) {
    const node = await createNode({ region: 'a', ...optionsOf(identity) });
    node.serve(service, {
      echo: (payload) => payload,
      *items() {
        for (;;) yield item;
      },
    });
    return { port: node.address!.port };
  },

  async connect(port, identity) {
    const seeds = [`127.0.0.1:${port}`];
    const node = await createNode({ region: 'a', listen: false, seeds, ...optionsOf(identity) });
    await node.linked(1);
    const client = service.client(node);
    return {
      call: (payload) => client.echo(payload),
      async stream(onItem) {
        for await (const item of client.items(Buffer.alloc(0))) if (!onItem(item)) break;
      },
      close: () => node.close(),
    };
  },
};
