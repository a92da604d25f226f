/**
 * Plain zstd frames to and from other programs, on both tiers: the `zstd` command reads ours, we read its. Where
 * it is missing, zstd of `node:zlib` in the test Nodes stands in, and the log says so.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  Dictionary,
  exportZstd,
  exportZstdAsync,
  importZstd,
  importZstdAsync,
} from '../../lib/compression/index.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { native as loaded } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { xxh64 } from '../../lib/native/xxh64.ts';
import { codeOf, noise, records, tiers } from '../fakes/codec.ts';
import { iconRecords } from '../fakes/icon-records.ts';
import { runZstd, zstdTool } from '../fakes/zstd-tool.ts';
import { bomb } from '../seam/native-binding-kit.ts';
import {
  skippableFrame as skippable,
  streamedFrame as streamed,
} from '../seam/native-dictionary-kit.ts';
import { testNodes } from '../seam/test-nodes.ts';

const text = records(2000, 5);
const makers = tiers.filter(({ codec }) => codec.abilities.zstd);

function folderFor(t: { teardown(run: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwcp-zstd-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** zstd of `node:zlib` in some test Node, or undefined: compresses or decompresses standard input. */
function runNodeZstd(call: string, input: Uint8Array): Buffer | undefined {
  const script = `const z = require('node:zlib');
    if (!z.${call}) process.exit(3);
    process.stdout.write(z.${call}(require('node:fs').readFileSync(0)));`;
  for (const node of testNodes()) {
    const run = spawnSync(node, ['-e', script], { input, maxBuffer: 1 << 28 });
    if (run.status === 0) return run.stdout;
  }
  return undefined;
}

test('XXH64 gives the published values', (t) => {
  t.is(xxh64(Buffer.alloc(0)), 0xef46db3751d8e999n);
  t.is(xxh64(Buffer.from('a')), 0xd24ec4f1a98c6e5bn);
  t.is(xxh64(Buffer.from('abc')), 0x44bc2cf5ad770999n);
  const long = 'Call me Ishmael. Some years ago--never mind how long precisely-';
  t.is(xxh64(Buffer.from(long)), 0x02a2e85470d6fd96n);
});

for (const native of makers) {
  test(`${native.tier}: exports come back, in every size, level and with every option`, async (t) => {
    for (const content of [Buffer.alloc(0), Buffer.from('x'), text, noise(300_000, 3)]) {
      for (const level of [-5, 1, 3, 9]) {
        for (const checksum of [true, false]) {
          const frame = exportZstd(content, { level, checksum, native });
          t.is((frame[4]! & 4) !== 0, checksum);
          for (const reader of tiers) {
            t.true(importZstd(frame, { native: reader }).equals(content));
          }
          const later = await exportZstdAsync(content, { level, checksum, native });
          t.deepEqual(later, frame);
        }
      }
    }
  });
}

for (const native of tiers) {
  const codes = async (bytes: Uint8Array, options = {}): Promise<(ErrorCode | undefined)[]> => {
    const now = await codeOf(() => importZstd(bytes, { native, ...options }));
    const later = await codeOf(() => importZstdAsync(bytes, { native, ...options }));
    return [now, later];
  };

  test(`${native.tier}: frames of unknown size, end to end, among skippable ones`, async (t) => {
    const parts = [skippable, bomb(2, false), streamed, skippable, bomb(1, true), skippable];
    const hello = Buffer.from('hello, hello, hello, hello');
    const expected = Buffer.concat([Buffer.alloc(262_144), hello, Buffer.alloc(131_072)]);
    t.true(importZstd(Buffer.concat(parts), { native }).equals(expected));
    t.true((await importZstdAsync(Buffer.concat(parts), { native })).equals(expected));
    t.is(importZstd(skippable, { native }).length, 0);
  });

  test(`${native.tier}: limits hold for all frames together, claimed or not`, async (t) => {
    for (const claimed of [true, false]) {
      const two = Buffer.concat([bomb(4, claimed), bomb(4, claimed)]);
      const size = 2 * 4 * 131_072;
      const limits = { maxOutputBytes: size };
      t.is(importZstd(two, { native, limits }).length, size);
      const less = { limits: { maxOutputBytes: size - 1 } };
      t.deepEqual(await codes(two, less), ['ERR_DWCP_OUTPUT_LIMIT', 'ERR_DWCP_OUTPUT_LIMIT']);
    }
    const wide = { limits: { maxWindowLog: 16 } };
    t.deepEqual(await codes(bomb(1, false), wide), [
      'ERR_DWCP_WINDOW_LIMIT',
      'ERR_DWCP_WINDOW_LIMIT',
    ]);
    const ratio = bomb(100, false);
    t.deepEqual(await codes(ratio), ['ERR_DWCP_OUTPUT_LIMIT', 'ERR_DWCP_OUTPUT_LIMIT']);
    t.is(importZstd(ratio, { native, limits: { maxRatio: 1e5 } }).length, 100 * 131_072);
  });

  test(`${native.tier}: a wrong checksum, damage and nothing at all are refused`, async (t) => {
    const twice = (code: ErrorCode): ErrorCode[] => [code, code];
    const bad = Buffer.from(streamed);
    bad[bad.length - 1]! ^= 1;
    t.deepEqual(await codes(bad), twice('ERR_DWCP_FRAME_CHECKSUM'));
    t.deepEqual(await codes(Buffer.alloc(0)), twice('ERR_DWCP_CODEC'));
    t.deepEqual(await codes(Buffer.from('not zstd at all')), twice('ERR_DWCP_CODEC'));
    t.deepEqual(
      await codes(Buffer.concat([streamed, Buffer.from([1, 2])])),
      twice('ERR_DWCP_CODEC'),
    );
    t.deepEqual(await codes(skippable.subarray(0, 9)), twice('ERR_DWCP_CODEC'));
    for (let size = 1; size < streamed.length; size += 1) {
      t.deepEqual(await codes(streamed.subarray(0, size)), twice('ERR_DWCP_CODEC'), `${size}`);
    }
    for (let bit = 0; bit < streamed.length * 8; bit += 1) {
      const flipped = Buffer.from(streamed);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      const [now, later] = await codes(flipped, { limits: { maxOutputBytes: 1 << 16 } });
      t.is(now, later);
      // What a flip in the window's size leaves is the same content.
      t.true(now !== undefined || bit >>> 3 === 5 || bit >>> 3 === 4, `bit ${bit}`);
    }
  });

  test(`${native.tier}: a signal that fired stops import and export`, async (t) => {
    const signal = AbortSignal.abort();
    await t.throwsAsync(importZstdAsync(streamed, { native, signal }), {
      code: 'ERR_DWCP_ABORTED',
    });
    await t.throwsAsync(exportZstdAsync(text, { native, signal }), { code: 'ERR_DWCP_ABORTED' });
  });
}

// Without the addon training gives raw content, which zstd frames do not name.
if (loaded.tier === 'addon') {
  test('a frame names its trained dictionary, and is read with it only', (t) => {
    const dictionary = Dictionary.train(iconRecords(400), { sizeBytes: 8192 });
    const other = Dictionary.train(iconRecords(400, 500), { sizeBytes: 8192 });
    const record = iconRecords(1, 1000)[0]!;
    const frame = exportZstd(record, { dictionary });
    t.true(frame.length < exportZstd(record).length);
    for (const native of tiers) {
      t.true(importZstd(frame, { native, dictionary }).equals(record));
      t.true(importZstd(frame, { native, dictionaries: [other, dictionary] }).equals(record));
      const code = 'ERR_DWCP_DICTIONARY_MISMATCH';
      t.throws(() => importZstd(frame, { native }), { code });
      t.throws(() => importZstd(frame, { native, dictionary: other }), { code });
      const after = Buffer.concat([streamed, frame]);
      t.throws(() => importZstd(after, { native }), { code });
      t.true(importZstd(after, { native, dictionary }).subarray(26).equals(record));
    }
  });
}

test('arguments are checked', (t) => {
  const code = 'ERR_DWCP_INVALID_ARG';
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  t.throws(() => importZstd('text' as never), { code });
  t.throws(() => exportZstd(text, { level: 20 }), { code });
  t.throws(() => importZstd(streamed, { limits: { maxOutputBytes: 0 } }), { code });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  t.throws(() => exportZstd(text, { dictionary: {} as never }), { code });
});

test('portable without zstd says so', (t) => {
  if (portable.codec.abilities.zstd) {
    t.true(importZstd(exportZstd(text, { native: portable })).equals(text));
  } else {
    t.throws(() => exportZstd(text, { native: portable }), { code: 'ERR_DWCP_FRAME_CODEC' });
  }
});

test('the zstd command reads what we export', (t) => {
  const read = (frame: Buffer): Buffer => {
    if (zstdTool) return runZstd(['-d'], frame);
    t.log('the zstd command is missing: zstd of node:zlib reads instead, else our own');
    return runNodeZstd('zstdDecompressSync', frame) ?? importZstd(frame);
  };
  const contents = [text, noise(200_000, 9), Buffer.alloc(3_000_000, 'ab'), Buffer.from('x')];
  for (const native of makers) {
    for (const content of contents) {
      t.true(read(exportZstd(content, { level: 6, native })).equals(content));
    }
  }
  t.true(read(streamed).equals(Buffer.from('hello, hello, hello, hello')));
});

test('we read what the zstd command makes: levels, long windows, streams, dictionaries', (t) => {
  if (!zstdTool) {
    t.log('the zstd command is missing: frames of node:zlib are read instead, if any');
    const made = runNodeZstd('zstdCompressSync', text) ?? exported(text);
    for (const native of tiers) t.true(importZstd(made, { native }).equals(text));
    return;
  }
  const folder = folderFor(t);
  const file = join(folder, 'content');
  const content = Buffer.concat([text, noise(50_000, 1), text]);
  writeFileSync(file, content);
  const ways = ['-1', '-3', '-19', '--fast=5', '--no-check', '--long=27', '--no-compress-literals'];
  for (const way of ways) {
    const [sized, unsized] = [runZstd([way, '-c', file]), runZstd([way, '-c'], content)];
    for (const native of tiers) {
      t.true(importZstd(sized, { native }).equals(content), `${native.tier} ${way}`);
      t.true(importZstd(unsized, { native }).equals(content), `${native.tier} ${way}, unsized`);
    }
  }
  const known = iconRecords(400);
  const dictionary = Dictionary.train(known, { sizeBytes: 4096 });
  writeFileSync(join(folder, 'dict'), dictionary.copy());
  const record = iconRecords(1, 1000)[0]!;
  const made = runZstd(['-c', '-D', join(folder, 'dict')], record);
  for (const native of tiers) t.true(importZstd(made, { native, dictionary }).equals(record));
  if (!loaded.codec.abilities.dictionaryEncode) return;
  const ours = exportZstd(record, { dictionary });
  t.true(runZstd(['-d', '-c', '-D', join(folder, 'dict')], ours).equals(record));
});

function exported(content: Buffer): Buffer {
  return makers.length > 0 ? exportZstd(content, { native: makers[0] }) : streamed;
}
