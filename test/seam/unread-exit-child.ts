/**
 * A process whose only pipe was started by nobody, and whose peer speaks and leaves: with nothing else to do it must end by
 * itself. Prints the tier of the pipe, which comes from DWCP_IO.
 */
import { connect } from 'node:net';
import { encodePreface, FrameEncoder, FrameKind, ioTransport } from '../../lib/transport/index.ts';

const words = { kind: FrameKind.data, flags: 0, channel: 1, stream: 1 };
const frame = { ...words, payload: [Buffer.from('last words')] };
const bytes = new FrameEncoder({ maxPayloadBytes: 65_536, checksum: true }).encode([frame]);

const listener = await ioTransport().listen({ host: '127.0.0.1', port: 0 }, (pipe) => {
  console.log(pipe.tier);
  void listener.close();
  // Only now, or the first bytes alone would be read with the preface.
  peer.end(bytes);
});
const peer = connect(listener.address.port, '127.0.0.1').resume().unref();
peer.write(encodePreface());
