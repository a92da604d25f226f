/**
 * Frames that earlier builds wrote: format version 1 must stay readable, on every tier that has the codec.
 * Made by the tier named; the addon's with zstd 1.5.7.
 */
import test from 'ava';
import { Baseline, Codec, codecsOf, patch, readFrameInfo } from '../../lib/compression/index.ts';
import { tiers } from '../fakes/codec.ts';

const line = '{"region":"eu-west","peers":["a","b"],"fresh":true}';
const base = Buffer.from(`${line.repeat(4)}middle${line.repeat(2)}`);
const content = Buffer.from(`${line.repeat(4)}centre of it${line.repeat(2)}tail`);

const vectors: readonly { readonly codec: Codec; readonly by: string; readonly hex: string }[] = [
  {
    codec: Codec.brotli,
    by: 'portable',
    hex:
      '4457010203c202468bf91be8a5ae14e922280080986b4bf5b93c4359aa6278e55e07f22fdb1e8398a204a8' +
      '625dd9317d709e363a149ccbcb48081ed203baa242b0631334675cd0f4c99f2538d8d359462b96abac7603',
  },
  {
    codec: Codec.zstd,
    by: 'addon',
    hex:
      '4457010103c202528bf91be8ef7ddc9f28b52ffd60420045020032c40e1680491d18caf60eacb0f8a4a8c2' +
      '441640079880993102c74a99cba8668ac94a2c7d9868c315d54778f89c0ed00e5be473ba26c0eb68d65651' +
      '5c0902000365d234164b2928',
  },
  {
    codec: Codec.chunk,
    by: 'portable',
    hex:
      '445701040ac2021e9664b7f49ac316f45ca2038851b28f36f0f582552ecb2f8aa0547c57a1599ebe0d8897' +
      '7d010002080810000c009703cc016663656e747265206f662069747461696c',
  },
  {
    codec: Codec.prefix,
    by: 'addon',
    hex:
      '445701030ac202259664b7f49ac316f45ca2038851b28f36f0f582552ecb2f8aa0547c57a1599ebed4ae92' +
      '6928b52ffd604200dd00008063656e747265206f662069747461696c0200636bd24c5a4a0101',
  },
];

for (const native of tiers) {
  test(`${native.tier}: frames of format version 1 stay readable`, async (t) => {
    const readable = vectors.filter(({ codec }) => codecsOf(native).decode.includes(codec));
    t.true(readable.length >= 2);
    for (const { codec, by, hex } of readable) {
      const frame = Buffer.from(hex, 'hex');
      t.is(readFrameInfo(frame, native).codec, codec);
      const read = await patch(Baseline.of(base), frame, { native });
      t.true(read.equals(content), `codec ${codec} by ${by}`);
    }
  });
}
