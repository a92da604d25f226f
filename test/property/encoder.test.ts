/**
 * Encoder and decoders over links that lose, double and reorder frames and answers, with either side forgetting
 * and restarting at will, tiers mixed: what is decoded is what was put, however late it is looked at, both sides
 * recover within three frames, and no budget is passed.
 */
import * as fc from 'fast-check';
import test from 'ava';
import { Decoder, Encoder, codecsOf, digestKindsOf } from '../../lib/compression/index.ts';
import type { DecodeOutcome, EncoderPeer, Nack } from '../../lib/compression/index.ts';
import type { Digest } from '../../lib/compression/index.ts';
import type { NativeBinding } from '../../lib/native/contract.ts';
import { seededRandom } from '../../lib/random.ts';
import { records, tiers } from '../fakes/codec.ts';

const PEERS = 3;
const limits = { maxBaseBytes: 64 * 1024, maxBaseChain: 3, maxSignatureBytes: 4096 };
const keys = ['a', 'b', 'a longer key'];

interface Wire {
  readonly frames: { readonly key: string; readonly frame: Buffer; readonly value: Buffer }[];
  readonly answers: { readonly key: string; readonly ack?: Digest; readonly nack?: Nack }[];
}

/** One encoder, three peers, and what is under way between them. */
class Scene {
  encoder: Encoder;
  readonly values = new Map<string, Buffer>();
  readonly peers: EncoderPeer[] = [];
  readonly decoders: Decoder[] = [];
  readonly wires: Wire[] = [];
  /** What was decoded and what it should be, looked at in the end. */
  readonly seen: (readonly [Buffer, Buffer])[] = [];
  readonly #tierOf: (peer: number) => NativeBinding;
  readonly #native: NativeBinding;
  /** Shorter than the readers', or longer, so that they refuse. */
  readonly #maxBaseChain: number;

  constructor(
    native: NativeBinding,
    tierOf: (peer: number) => NativeBinding,
    maxBaseChain: number,
  ) {
    this.#native = native;
    this.#maxBaseChain = maxBaseChain;
    this.#tierOf = tierOf;
    this.encoder = this.#newEncoder();
    for (const key of keys) this.values.set(key, records(40, key.length));
    for (let i = 0; i < PEERS; i++) {
      this.wires.push({ frames: [], answers: [] });
      this.restartDecoder(i);
      this.connect(i);
    }
  }

  connect(i: number): void {
    const native = this.#tierOf(i);
    const known = { codecs: codecsOf(native).decode, digestKinds: digestKindsOf(native) };
    this.peers[i] = this.encoder.peer(`peer-${i}`, known);
    this.wires[i]!.frames.length = 0;
    this.wires[i]!.answers.length = 0;
  }

  restartDecoder(i: number): void {
    this.decoders[i] = new Decoder({ limits, native: this.#tierOf(i) });
  }

  restartEncoder(): void {
    this.encoder = this.#newEncoder();
    for (let i = 0; i < PEERS; i++) this.connect(i);
  }

  #newEncoder(): Encoder {
    const maxBaseChain = this.#maxBaseChain;
    return new Encoder({ limits: { ...limits, maxBaseChain }, native: this.#native });
  }

  edit(key: string, seed: number): void {
    const random = seededRandom(seed);
    const old = this.values.get(key)!;
    const at = Math.floor(random.next() * old.length);
    const small = [
      () => Buffer.concat([old.subarray(0, at), records(1, seed), old.subarray(at)]),
      () => Buffer.concat([old.subarray(0, at), old.subarray(at + 50)]),
    ];
    const large = [
      () => records(Math.floor(random.next() * 100), seed),
      () => Buffer.concat([old, old]).subarray(0, 16_000),
      () => Buffer.alloc(0),
      () => Buffer.from(random.bytes(Math.floor(random.next() * 9000))),
      () => records(40, key.length), // the first value again
    ];
    const kinds = random.next() < 0.8 && old.length > 0 ? small : large;
    this.values.set(key, kinds[Math.floor(random.next() * kinds.length)]!());
  }

  async send(i: number, key: string): Promise<void> {
    const value = this.values.get(key)!;
    const scratch = Buffer.from(value);
    const { frame } = await this.encoder.encode(key, scratch, { peer: this.peers[i]! });
    scratch.fill(0xaa); // borrowed only until the promise settled
    this.wires[i]!.frames.push({ key, frame, value });
  }

  async deliver(i: number, at: number, keep: boolean): Promise<DecodeOutcome | undefined> {
    const { frames, answers } = this.wires[i]!;
    const picked = frames[at % Math.max(1, frames.length)];
    if (!picked) return undefined;
    if (!keep) frames.splice(frames.indexOf(picked), 1);
    const outcome = await this.decoders[i]!.decode(picked.key, picked.frame);
    if (outcome.bytes) this.seen.push([outcome.bytes, picked.value]);
    if (outcome.ack) answers.push({ key: picked.key, ack: outcome.ack });
    if (outcome.nack) answers.push({ key: picked.key, nack: outcome.nack });
    return outcome;
  }

  answer(i: number, at: number, keep: boolean): void {
    const { answers } = this.wires[i]!;
    const picked = answers[at % Math.max(1, answers.length)];
    if (!picked) return;
    if (!keep) answers.splice(answers.indexOf(picked), 1);
    if (picked.ack) this.peers[i]!.acked(picked.key, picked.ack);
    if (picked.nack) this.peers[i]!.nacked(picked.key, picked.nack);
  }

  /** Everything under way arrives, in order. */
  async pump(i: number): Promise<void> {
    const { frames, answers } = this.wires[i]!;
    while (frames.length > 0) await this.deliver(i, 0, false);
    while (answers.length > 0) this.answer(i, 0, false);
  }

  async offer(i: number, key: string): Promise<void> {
    const offer = await this.decoders[i]!.offer(key);
    if (offer) this.peers[i]!.offered(key, offer);
  }

  /** Frames and answers pass one by one; the value must be there after at most three frames. */
  async settle(i: number, key: string): Promise<void> {
    const { frames, answers } = this.wires[i]!;
    frames.length = answers.length = 0;
    for (let round = 0; round < 3; round++) {
      await this.send(i, key);
      const outcome = await this.deliver(i, 0, false);
      this.answer(i, 0, false);
      if (outcome?.bytes) return;
    }
    throw new Error(`peer ${i} did not get ${JSON.stringify(key)} in three frames`);
  }

  checkBudgets(): void {
    const sides = [this.encoder.stats().bases, ...this.decoders.map((each) => each.stats().bases)];
    for (const { sizeBytes, maxBytes } of sides) {
      if (sizeBytes > maxBytes) throw new Error(`${sizeBytes} of ${maxBytes} bytes`);
    }
    const { frames, signatureBytes, encoding, nacks } = this.encoder.stats();
    if (nacks.damaged > 0) throw new Error('a base was changed');
    if (frames.sizeBytes > frames.maxBytes) throw new Error('frames');
    if (signatureBytes > 8 * limits.maxSignatureBytes) throw new Error('signatures');
    if (encoding !== 0) throw new Error('a frame is still being made');
  }
}

type Step = (scene: Scene) => unknown;

const peer = fc.nat(PEERS - 1);
const key = fc.constantFrom(...keys);
const at = fc.nat(20);
const seed = fc.nat(1e6);

function step<T>(weight: number, values: fc.Arbitrary<T>, run: (scene: Scene, of: T) => unknown) {
  const arbitrary = values.map(
    (of): Step =>
      (scene) =>
        run(scene, of),
  );
  return { weight, arbitrary };
}

const onePeer = fc.tuple(peer, key);
const picked = fc.tuple(peer, at, fc.boolean());
const nothing = fc.constant(undefined);
const steps: fc.Arbitrary<Step> = fc.oneof(
  step(8, fc.tuple(key, seed), (scene, [k, n]) => scene.edit(k, n)),
  step(6, fc.tuple(key, seed), async (scene, [k, n]) => {
    scene.edit(k, n);
    await Promise.all(scene.peers.map((_, i) => scene.send(i, k)));
  }),
  step(4, fc.tuple(peer, key, seed), async (scene, [i, k, n]) => {
    for (let round = 0; round < 3; round++) {
      scene.edit(k, n + round);
      await scene.send(i, k);
      await scene.pump(i);
    }
  }),
  step(6, onePeer, (scene, [i, k]) => scene.send(i, k)),
  step(12, peer, (scene, i) => scene.pump(i)),
  step(6, picked, (scene, [i, n, keep]) => scene.deliver(i, n, keep)),
  step(6, picked, (scene, [i, n, keep]) => scene.answer(i, n, keep)),
  step(2, picked, (scene, [i, n]) => scene.wires[i]!.frames.splice(n, 1)),
  step(2, picked, (scene, [i, n]) => scene.wires[i]!.answers.splice(n, 1)),
  step(1, peer, (scene, i) => scene.connect(i)),
  step(1, peer, (scene, i) => scene.restartDecoder(i)),
  step(1, nothing, (scene) => scene.restartEncoder()),
  step(1, onePeer, (scene, [i, k]) => scene.decoders[i]!.forget(k)),
  step(1, key, (scene, k) => scene.encoder.forget(k)),
  step(1, peer, (scene, i) => scene.peers[i]!.reset()),
  step(2, onePeer, (scene, [i, k]) => scene.offer(i, k)),
  step(1, fc.tuple(peer, fc.nat(1e7)), (scene, [i, bytes]) =>
    scene.peers[i]!.observe({ bytes, ms: 100 }),
  ),
);

/** What all runs together met; without it the property says little. */
const met = new Set<string>();

function note(scene: Scene): void {
  const { methods, reasons, nacks, bases } = scene.encoder.stats();
  for (const [name, counters] of Object.entries(methods)) {
    met.add(name);
    if (counters.shared > 0) met.add('shared');
  }
  for (const name of Object.keys(reasons)) met.add(name);
  for (const [name, count] of Object.entries(nacks)) if (count > 0) met.add(`nack ${name}`);
  if (bases.evictions > 0) met.add('encoder evicts');
  if (scene.decoders.some((each) => each.stats().bases.evictions > 0)) met.add('decoder evicts');
}

for (const native of tiers) {
  test.serial(
    `${native.tier}: whatever is lost, late or forgotten, peers end with what was put`,
    async (t) => {
      const run = async (sequence: readonly Step[], mix: number): Promise<void> => {
        const scene = new Scene(native, (i) => tiers[(i + mix) % tiers.length]!, 2 + (mix % 3));
        for (const each of sequence) {
          await each(scene);
          scene.checkBudgets();
        }
        for (const each of keys) {
          scene.edit(each, mix);
          for (let i = 0; i < PEERS; i++) await scene.settle(i, each);
        }
        scene.checkBudgets();
        note(scene);
        for (const [bytes, value] of scene.seen) {
          if (!bytes.equals(value)) throw new Error('a decoded value differs from what was put');
        }
      };
      const sequences = fc.array(steps, { minLength: 40, maxLength: 150, size: 'max' });
      const property = fc.asyncProperty(sequences, fc.nat(10), run);
      await t.notThrowsAsync(fc.assert(property, { numRuns: 40 }));
    },
  );
}

test.serial('the runs met every method, every reason and every loss', (t) => {
  const expected = ['raw', 'chunk', 'signature', 'shared'];
  const reasons = ['base', 'signature', 'no-base', 'base-evicted', 'chain'];
  const losses = ['nack missing', 'nack chain', 'encoder evicts', 'decoder evicts'];
  const missing = [...expected, ...reasons, ...losses].filter((name) => !met.has(name));
  t.deepEqual(missing, []);
});
