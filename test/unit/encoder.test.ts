/** Encoder and Decoder: what becomes a base and what does not, sharing, recovery, memory, the level by the link. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import test from 'ava';
import {
  Baseline,
  Decoder,
  Dictionary,
  DigestKind,
  Encoder,
  codecsOf,
  digest,
  digestEquals,
  digestKindsOf,
  signature,
} from '../../lib/compression/index.ts';
import type { Choice, EncoderPeer, PeerFrame } from '../../lib/compression/index.ts';
import { CodecSpeeds, RAW_LEVEL } from '../../lib/compression/codec-speeds.ts';
import { codeOf, noise, records, tiers } from '../fakes/codec.ts';

/** Versions of one value, each with a small edit. */
function versions(count: number, rows = 400): Buffer[] {
  const first = records(rows, 1);
  return Array.from({ length: count }, (_, i) =>
    Buffer.concat([first.subarray(0, 5000), Buffer.from(`"edit ${i}"`), first.subarray(5000)]),
  );
}

/** Delivers a frame and its answer; the decoded bytes, if any. */
async function deliver(peer: EncoderPeer, decoder: Decoder, { key, frame }: PeerFrame) {
  const { bytes, ack, nack } = await decoder.decode(key, frame);
  if (ack) peer.acked(key, ack);
  if (nack) peer.nacked(key, nack);
  return bytes;
}

for (const native of tiers) {
  test(`${native.tier}: the first frame is whole, later ones are deltas against what was acknowledged`, async (t) => {
    for (const reader of tiers) {
      const encoder = new Encoder({ native });
      const peer = encoder.peer('p', {
        codecs: codecsOf(reader).decode,
        digestKinds: digestKindsOf(reader),
      });
      const decoder = new Decoder({ native: reader });
      for (const [i, value] of versions(4).entries()) {
        const sent = await encoder.encode('k', value, { peer });
        t.is(sent.reason, i === 0 ? 'no-base' : 'base');
        t.is(sent.base === undefined, i === 0);
        if (i > 0) t.true(sent.frame.length < 200, `${sent.frame.length} bytes`);
        t.true((await deliver(peer, decoder, sent))!.equals(value));
      }
      t.is(decoder.stats().decoded, 4);
      t.is(encoder.stats().reasons.base, 3);
    }
  });

  test(`${native.tier}: a delta after an unacknowledged send is against the old base`, async (t) => {
    const encoder = new Encoder({ native });
    const peer = encoder.peer('p');
    const decoder = new Decoder({ native });
    const [v1, v2, v3] = versions(3) as [Buffer, Buffer, Buffer];
    await deliver(peer, decoder, await encoder.encode('k', v1, { peer }));
    await encoder.encode('k', v2, { peer }); // never arrives
    const third = await encoder.encode('k', v3, { peer });
    t.true(digestEquals(third.base!, digest(third.base!.kind, v1)));
    t.true((await deliver(peer, decoder, third))!.equals(v3));
  });
}

test('acks that are late, doubled or out of order never move a base back', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const values = versions(4);
  const sent: PeerFrame[] = [];
  for (const value of values.slice(0, 3)) sent.push(await encoder.encode('k', value, { peer }));
  for (const i of [2, 2, 0, 1, 0]) peer.acked('k', sent[i]!.digest);
  const { base } = await encoder.encode('k', values[3]!, { peer });
  t.true(digestEquals(base!, sent[2]!.digest));
});

test('a refusal that comes late does not move a newer base', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const [v1, v2, v3] = versions(3) as [Buffer, Buffer, Buffer];
  const first = await encoder.encode('k', v1, { peer });
  const second = await encoder.encode('k', v2, { peer });
  peer.acked('k', first.digest);
  peer.acked('k', second.digest);
  peer.nacked('k', { reason: 'missing', wanted: first.digest, offer: { held: first.digest } });
  t.true(digestEquals((await encoder.encode('k', v3, { peer })).base!, second.digest));
});

test('the base of a peer that lags stays while others move on', async (t) => {
  const encoder = new Encoder();
  const [slow, quick] = [encoder.peer('slow'), encoder.peer('quick')];
  const values = versions(30);
  const first = await encoder.encode('k', values[0]!, { peer: slow });
  slow.acked('k', first.digest);
  for (const value of values.slice(1)) {
    quick.acked('k', (await encoder.encode('k', value, { peer: quick })).digest);
  }
  t.true(encoder.stats().bases.versions <= 9);
  t.true(
    digestEquals((await encoder.encode('k', values[29]!, { peer: slow })).base!, first.digest),
  );
});

test('a value that comes back is a base again', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const decoder = new Decoder();
  const [a, b] = versions(2) as [Buffer, Buffer];
  for (const value of [a, b, a, b, a]) {
    const sent = await encoder.encode('k', value, { peer });
    t.true((await deliver(peer, decoder, sent))!.equals(value));
  }
  t.is(encoder.stats().bases.versions, 2);
  t.is(encoder.stats().reasons.base, 4);
});

test('a frame is made once for all peers with the same base, also at the same time', async (t) => {
  const encoder = new Encoder();
  const peers = Array.from({ length: 5 }, (_, i) => encoder.peer(`p${i}`));
  const decoders = peers.map(() => new Decoder());
  for (const value of versions(3)) {
    const next = Baseline.of(value);
    const sent = await Promise.all(peers.map((peer) => encoder.encode('k', next, { peer })));
    for (const [i, each] of sent.entries()) {
      t.is(each.frame, sent[0]!.frame);
      await deliver(peers[i]!, decoders[i]!, each);
    }
    t.is(sent.filter(({ shared }) => !shared).length, 1);
  }
  const late = encoder.peer('late');
  t.false((await encoder.encode('k', versions(3)[2]!, { peer: late })).shared);
  t.is(encoder.stats().bases.versions, 3);
});

test('peers with different digests share versions', async (t) => {
  const encoder = new Encoder();
  const kinds = [DigestKind.sha256, DigestKind.xxh3];
  const peers = kinds.map((kind) => encoder.peer(`p${kind}`, { digestKinds: [kind] }));
  const decoders = peers.map(() => new Decoder());
  for (const value of versions(3)) {
    for (const [i, peer] of peers.entries()) {
      const sent = await encoder.encode('k', value, { peer });
      t.is(sent.digest.kind, kinds[i]!);
      t.true((await deliver(peer, decoders[i]!, sent))!.equals(value));
    }
  }
  t.is(encoder.stats().bases.versions, 3);
  t.is(encoder.stats().reasons.base, 4);
});

test('a lost base is answered with what is held, which is a base when the sender has it', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const decoder = new Decoder();
  const [v1, v2, v3, v4] = versions(4) as [Buffer, Buffer, Buffer, Buffer];
  const first = await encoder.encode('k', v1, { peer });
  await decoder.decode('k', first.frame); // its ack is lost
  peer.acked('k', (await encoder.encode('k', v2, { peer })).digest); // not true: v2 never arrived
  const refused = await decoder.decode('k', (await encoder.encode('k', v3, { peer })).frame);
  t.is(refused.nack!.reason, 'missing');
  t.true(digestEquals(refused.nack!.offer!.held, first.digest));
  peer.nacked('k', refused.nack!);
  const again = await encoder.encode('k', v3, { peer });
  t.true(digestEquals(again.base!, first.digest));
  t.true((await deliver(peer, decoder, again))!.equals(v3));
  t.is((await encoder.encode('k', v4, { peer })).reason, 'base');
  t.deepEqual(encoder.stats().nacks, { missing: 1, chain: 0, damaged: 0 });
});

for (const native of tiers) {
  test(`${native.tier}: with no version in common a signature makes the delta`, async (t) => {
    const [old, next, later] = versions(3, 4000) as [Buffer, Buffer, Buffer];
    for (const reader of tiers) {
      const encoder = new Encoder({ native });
      const peer = encoder.peer('p');
      const decoder = new Decoder({ native: reader });
      await decoder.seed('k', old);
      peer.offered('k', (await decoder.offer('k'))!);
      const sent = await encoder.encode('k', next, { peer });
      t.is(sent.method, 'signature');
      t.true(sent.frame.length < 3000, `${sent.frame.length} bytes`);
      t.true((await deliver(peer, decoder, sent))!.equals(next));
      t.is((await encoder.encode('k', later, { peer })).reason, 'base');
      t.is(encoder.stats().signatureBytes, 0);
    }
  });
}

test('a peer that restarts empty gets the whole value', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const [v1, v2] = versions(2) as [Buffer, Buffer];
  await deliver(peer, new Decoder(), await encoder.encode('k', v1, { peer }));
  const empty = new Decoder();
  t.is(await deliver(peer, empty, await encoder.encode('k', v2, { peer })), undefined);
  const again = await encoder.encode('k', v2, { peer });
  t.is(again.base, undefined);
  t.true((await deliver(peer, empty, again))!.equals(v2));
});

test('what a peer acknowledged outlives a reconnect; a closed peer is refused', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const [v1, v2, v3] = versions(3) as [Buffer, Buffer, Buffer];
  peer.acked('k', (await encoder.encode('k', v1, { peer })).digest);
  t.is(encoder.peer('p', { digestKinds: [DigestKind.sha256] }), peer);
  const sent = await encoder.encode('k', v2, { peer });
  t.is(sent.reason, 'base');
  t.is(sent.digest.kind, DigestKind.sha256);
  peer.close();
  peer.close();
  t.is(await codeOf(() => encoder.encode('k', v3, { peer })), 'ERR_DWCP_CLOSED');
  const fresh = encoder.peer('p');
  t.is((await encoder.encode('k', v3, { peer: fresh })).reason, 'no-base');
  t.is(await codeOf(() => new Encoder().encode('k', v3, { peer: fresh })), 'ERR_DWCP_CLOSED');
});

test('chains end with a whole value on the sending side, and are refused on the other', async (t) => {
  const counts = async (mine: number, theirs: number): Promise<[number, number]> => {
    const encoder = new Encoder({ limits: { maxBaseChain: mine } });
    const decoder = new Decoder({ limits: { maxBaseChain: theirs } });
    const peer = encoder.peer('p');
    for (const value of versions(9)) {
      for (let tries = 0; tries < 2; tries++) {
        const bytes = await deliver(peer, decoder, await encoder.encode('k', value, { peer }));
        if (bytes?.equals(value)) break;
        t.is(tries, 0);
      }
    }
    const { reasons, nacks } = encoder.stats();
    return [reasons.chain ?? 0, nacks.chain];
  };
  t.deepEqual(await counts(3, 3), [2, 0]);
  t.deepEqual(await counts(100, 3), [0, 2]);
});

test('memory stays within its limit, and values above it still pass', async (t) => {
  const limits = { maxBaseBytes: 400_000 };
  const encoder = new Encoder({ limits });
  const decoder = new Decoder({ limits });
  const peer = encoder.peer('p');
  for (let i = 0; i < 40; i++) {
    const value = records(500, i);
    const sent = await encoder.encode(`k${i}`, value, { peer });
    t.true((await deliver(peer, decoder, sent))!.equals(value));
    for (const { bases } of [encoder.stats(), decoder.stats()]) {
      t.true(bases.sizeBytes <= bases.maxBytes);
      t.is(bases.keys, bases.versions);
    }
  }
  t.true(encoder.stats().bases.evictions > 20);
  const large = records(6000, 1);
  const sent = await encoder.encode('large', large, { peer });
  const { bytes, ack } = await decoder.decode('large', sent.frame);
  t.true(bytes!.equals(large));
  t.is(ack, undefined, 'it is not kept, so it is no base');
  for (const { bases } of [encoder.stats(), decoder.stats()]) {
    t.true(bases.sizeBytes <= bases.maxBytes);
    t.is(bases.keys, bases.versions);
  }
});

test('match indexes count, and go where there is no room for them', async (t) => {
  const [v1, v2] = versions(2, 8000) as [Buffer, Buffer];
  const values = v1.length + v2.length;
  for (const room of [4 * values, values + 20_000]) {
    const encoder = new Encoder({ limits: { maxBaseBytes: room } });
    const peer = encoder.peer('p');
    peer.acked('k', (await encoder.encode('k', v1, { peer })).digest);
    t.is((await encoder.encode('k', v2, { peer })).reason, 'base');
    const { sizeBytes, versions: left } = encoder.stats().bases;
    t.true(sizeBytes <= room);
    if (room > 2 * values) t.true(sizeBytes > values * 1.05, `${sizeBytes} for ${values}`);
    else t.is(left, 1);
  }
});

test('a base in use by a call in flight stays until the call is done', async (t) => {
  const encoder = new Encoder({ limits: { maxBaseBytes: 3_000_000 } });
  const peer = encoder.peer('p');
  const decoder = new Decoder();
  const [v1, v2] = versions(2, 8000) as [Buffer, Buffer];
  await deliver(peer, decoder, await encoder.encode('k', v1, { peer }));
  const running = encoder.encode('k', v2, { peer });
  const others = Array.from({ length: 8 }, (_, i) =>
    encoder.encode(`other${i}`, records(7000, i), { peer }),
  );
  encoder.forget('k');
  const sent = await running;
  await Promise.all(others);
  t.true((await deliver(peer, decoder, sent))!.equals(v2));
  const { sizeBytes, maxBytes } = encoder.stats().bases;
  t.true(sizeBytes <= maxBytes);
});

test('bytes are copied when they are kept, and a base that was changed is found out', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const decoder = new Decoder();
  const [v1, v2, v3] = versions(3) as [Buffer, Buffer, Buffer];
  const scratch = Buffer.from(v1);
  const sent = await encoder.encode('k', scratch, { peer });
  scratch.fill(0);
  t.true((await deliver(peer, decoder, sent))!.equals(v1));
  const second = await encoder.encode('k', v2, { peer });
  t.true(second.frame.length < 200, 'made against v1, not against what scratch is now');
  (await deliver(peer, decoder, second))!.fill(1); // against the rule: it is the decoder's base
  t.is(await deliver(peer, decoder, await encoder.encode('k', v3, { peer })), undefined);
  t.is(encoder.stats().nacks.damaged, 1);
  for (const value of [v2, v3, v2]) {
    const again = await encoder.encode('k', value, { peer });
    t.true((await deliver(peer, decoder, again))!.equals(value));
  }
  t.is(encoder.stats().nacks.damaged, 1, 'what was changed is not kept');
});

test('a damaged frame is an error, and the base stays', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const decoder = new Decoder();
  const [v1, v2] = versions(2) as [Buffer, Buffer];
  await deliver(peer, decoder, await encoder.encode('k', v1, { peer }));
  const { frame } = await encoder.encode('k', v2, { peer });
  for (let at = 0; at < frame.length; at++) {
    const damaged = Buffer.from(frame);
    damaged[at]! ^= 0x55;
    const outcome = await decoder.decode('k', damaged).catch(({ code }: { code: string }) => code);
    const refused = typeof outcome === 'string' ? outcome : outcome.nack?.reason;
    t.regex(refused ?? 'decoded', /^(ERR_DWCP_.*|damaged)$/);
  }
  t.true((await decoder.decode('k', frame)).bytes!.equals(v2));
});

test('a forged signature costs one frame and one answer', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const decoder = new Decoder();
  const [old, next] = versions(2, 4000) as [Buffer, Buffer];
  const held = await decoder.seed('k', old);
  const wrong = await signature(next);
  const honest = await signature(old);
  const forged = Buffer.concat([honest.subarray(0, 24), wrong.subarray(24, -4), Buffer.alloc(4)]);
  forged.writeUInt32LE(tiers[0]!.codec.crc32c(forged.subarray(0, -4)), forged.length - 4);
  peer.offered('k', { held, signature: forged });
  t.is(await deliver(peer, decoder, await encoder.encode('k', next, { peer })), undefined);
  t.is(encoder.stats().nacks.damaged, 1);
  peer.offered('k', { held, signature: forged });
  const whole = await encoder.encode('k', next, { peer });
  t.is(whole.base, undefined);
  t.true((await deliver(peer, decoder, whole))!.equals(next));
});

test('the level follows the link, and time is bounded', async (t) => {
  const value = records(5000, 3);
  const frameAt = async (bytes: number, maxEncodeMs = 60_000): Promise<PeerFrame> => {
    const encoder = new Encoder({ maxEncodeMs, clock: { monotonic: () => 0 } });
    const peer = encoder.peer('p');
    if (bytes > 0) peer.observe({ bytes, ms: 1000 });
    return encoder.encode('k', value, { peer });
  };
  const unknown = await frameAt(0);
  const slow = await frameAt(50_000);
  const bounded = await frameAt(50_000, 50);
  const fast = await frameAt(50_000_000);
  const local = await frameAt(10_000_000_000);
  t.is(unknown.level, 3);
  t.true(slow.level >= 12, `level ${slow.level}`);
  t.true(slow.frame.length < unknown.frame.length * 0.95);
  t.true(bounded.level < slow.level);
  t.true(fast.level < 3, `level ${fast.level}`);
  t.is(local.method, 'raw');
});

test('levels follow what encoding really takes', (t) => {
  const speeds = new CodecSpeeds({ zstd: true, deltaEncode: true });
  const contentBytes = 8_000_000;
  const link = { form: 'whole', contentBytes, bytesPerMs: 1250, ratio: 4, maxMs: 60_000 } as const;
  const before = speeds.choose({ ...link, usual: 3 });
  // This machine turns out to be fifty times slower than the table says.
  for (let i = 0; i < 30; i++) {
    const ms = 50 * (contentBytes / 34_000);
    speeds.observe({ form: 'whole', level: 9, contentBytes, frameBytes: 2_000_000, ms });
  }
  const after = speeds.choose({ ...link, usual: 3 });
  t.true(after < before, `${after} < ${before}`);
  t.is(speeds.choose({ ...link, bytesPerMs: undefined, usual: 5 }), 5);
  t.is(speeds.choose({ ...link, bytesPerMs: 1, maxMs: 0.001, usual: 3 }), 3);
  t.is(speeds.choose({ ...link, bytesPerMs: 1e7, usual: 3 }), RAW_LEVEL);
});

test('a delta is made harder for a slow link', async (t) => {
  const encoder = new Encoder();
  const [slow, fast] = [encoder.peer('slow'), encoder.peer('fast')];
  slow.observe({ bytes: 20_000, ms: 1000 });
  fast.observe({ bytes: 1e9, ms: 1000 });
  const [v1, v2] = versions(2, 4000) as [Buffer, Buffer];
  const levels: number[] = [];
  for (const peer of [slow, fast]) {
    peer.acked('k', (await encoder.encode('k', v1, { peer })).digest);
    levels.push((await encoder.encode('k', v2, { peer })).level);
  }
  t.deepEqual(levels, [12, 1]);
});

test('what does not compress goes raw, what is small goes with the dictionary', async (t) => {
  const dictionary = Dictionary.from(records(50, 7));
  const encoder = new Encoder({ dictionary });
  const [knows, lacks] = [encoder.peer('a', { dictionaries: [dictionary.id] }), encoder.peer('b')];
  t.is((await encoder.encode('noise', noise(100_000, 1), { peer: knows })).method, 'raw');
  const record = records(50, 7).subarray(100, 400);
  const withIt = await encoder.encode('small', record, { peer: knows });
  const without = await encoder.encode('small', record, { peer: lacks });
  const canUse = codecsOf().encode.includes(1);
  t.is(withIt.method, canUse ? 'dictionary' : without.method);
  if (canUse) t.true(withIt.frame.length < without.frame.length / 2);
  for (const { frame } of [withIt, without]) {
    const { bytes } = await new Decoder({ dictionary }).decode('small', frame);
    t.true(bytes!.equals(record));
  }
});

test('every choice is counted and published', async (t) => {
  const choices: Choice[] = [];
  const listen = (message: unknown): void => {
    const choice = message as Choice; // oxlint-disable-line typescript/no-unsafe-type-assertion
    if (choice.peer === 'watched') choices.push(choice);
  };
  subscribe('dwcp:compression:choose', listen);
  t.teardown(() => unsubscribe('dwcp:compression:choose', listen));
  let now = 0;
  const encoder = new Encoder({ clock: { monotonic: () => (now += 5) } });
  const peer = encoder.peer('watched');
  const decoder = new Decoder();
  for (const value of versions(3)) {
    await deliver(peer, decoder, await encoder.encode('k', value, { peer }));
  }
  t.deepEqual(
    choices.map(({ reason }) => reason),
    ['no-base', 'base', 'base'],
  );
  t.true(choices.every(({ encodeMs }) => encodeMs === 5));
  const { methods, bases, peers, encoding } = encoder.stats();
  const all = Object.values(methods);
  const sum = (of: (each: (typeof all)[number]) => number): number =>
    all.reduce((total, each) => total + of(each), 0);
  t.is(
    sum(({ frames }) => frames),
    3,
  );
  t.is(
    sum(({ frameBytes }) => frameBytes),
    choices.reduce((n, each) => n + each.frameBytes, 0),
  );
  t.is(
    sum(({ encodeMs }) => encodeMs),
    15,
  );
  t.deepEqual([peers, encoding, bases.versions], [1, 0, 3]);
});

test('bad arguments are refused by code', async (t) => {
  const encoder = new Encoder();
  const peer = encoder.peer('p');
  const refused = { code: 'ERR_DWCP_INVALID_ARG' };
  const held = digest(DigestKind.sha256, Buffer.from('x'));
  t.throws(() => new Encoder({ levl: 3 } as never), refused);
  t.throws(() => new Encoder({ maxEncodeMs: 0 }), refused);
  t.throws(() => new Decoder({ signatures: 1 as never }), refused);
  t.throws(() => encoder.peer(7 as never), refused);
  t.throws(() => encoder.peer('q', { codecs: 'zstd' as never }), refused);
  t.throws(() => peer.acked('k', { kind: 9 as never, bytes: held.bytes }), refused);
  t.throws(() => peer.acked('k', { ...held, bytes: Buffer.alloc(3) }), refused);
  t.throws(() => peer.observe({ bytes: -1, ms: 1 }), refused);
  t.throws(() => peer.observe({ bytes: 1, ms: Number.NaN }), refused);
  const offer = { held, signature: Buffer.from('nonsense') };
  t.throws(() => peer.offered('k', offer), { code: 'ERR_DWCP_FRAME_MAGIC' });
  const nack = { reason: 'missing', wanted: held, offer } as const;
  t.throws(() => peer.nacked('k', nack), { code: 'ERR_DWCP_FRAME_MAGIC' });
  t.is(encoder.stats().nacks.missing, 0);
  const signal = AbortSignal.abort();
  const encode = (next: unknown) => encoder.encode('k', next as never, { peer });
  t.is(await codeOf(() => encode('text')), 'ERR_DWCP_INVALID_ARG');
  t.is(await codeOf(() => encoder.encode('k', held.bytes, { peer, signal })), 'ERR_DWCP_ABORTED');
  const { frame } = await encoder.encode('k', records(100, 1), { peer });
  const decoder = new Decoder();
  t.is(await codeOf(() => decoder.decode('k', frame, { signal })), 'ERR_DWCP_ABORTED');
  t.is(await codeOf(() => decoder.decode('k', Buffer.from('no'))), 'ERR_DWCP_FRAME_MAGIC');
  t.is(await codeOf(() => decoder.decode('k', frame.subarray(1))), 'ERR_DWCP_FRAME_MAGIC');
  t.is(decoder.stats().decoded, 0);
});
