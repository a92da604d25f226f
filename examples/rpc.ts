/** Calls between three nodes on loopback; the nearest stops. Run: `node dist/examples/rpc.js` */
import { createLinks, createRpc, systemClock, systemRandom, type Links, type Rpc } from 'dwcp/rpc';
import { netTransport } from 'dwcp/transport';

function start(nodeId: string, region: string): { links: Links; rpc: Rpc } {
  const shared = { clock: systemClock, random: systemRandom };
  const self = {
    wireMin: 1,
    wireMax: 2,
    cluster: 'example',
    nodeId,
    incarnation: Date.now(),
    region,
    advertise: undefined,
    codecs: [],
    digests: [],
    maxMessageBytes: 1 << 24,
    policies: {},
  };
  const links = createLinks({ self: () => self, transport: netTransport(), ...shared });
  return { links, rpc: createRpc({ links, self, ...shared }) };
}

const near = start('eu-2', 'eu');
const far = start('us-1', 'us');
for (const [name, node] of Object.entries({ near, far })) {
  node.rpc.handle('greet', (payload) => Buffer.from(`hello ${payload.toString()}, from ${name}`));
}

const caller = start('eu-1', 'eu');
for (const node of [near, far]) {
  caller.links.dial(await node.links.listen({ host: '127.0.0.1', port: 0 }));
}

const name = Buffer.from('you');
const options = { idempotent: true, deadlineMs: 2_000 };
console.log((await caller.rpc.call('greet', name, options)).toString());
await near.links.close(0);
console.log((await caller.rpc.call('greet', name, options)).toString());

for (const node of [caller, near, far]) {
  await node.rpc.close();
  await node.links.close(0);
}
