/**
 * Runs the binding's contract kit on both tiers of the Node that starts it, and the crossing between them;
 * prints one JSON line with the tiers, their abilities and the failures.
 */
import assert from 'node:assert/strict';
import { native, nativeStatus } from '../../lib/native/load.ts';
import { native as portable } from '../../lib/native/portable.ts';
import { casesFor, sample } from './native-binding-kit.ts';

async function main(): Promise<void> {
  const failures: string[] = [];
  const attempt = async (name: string, run: () => void | Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  };
  for (const binding of new Set([native, portable])) {
    for (const { name, run } of casesFor(binding.codec.abilities)) {
      await attempt(`${binding.tier}: ${name}`, () => run(binding.codec));
    }
  }
  if (native.codec.abilities.prefixEncode && portable.codec.abilities.prefixDecode) {
    await attempt('the portable tier reads the deltas of the addon', () => {
      for (const sizeBytes of [10, 5_000, 900_000, 5_000_000]) {
        const prefix = sample(sizeBytes, 9, 100);
        const bytes = Buffer.concat([prefix.subarray(sizeBytes / 2), sample(100, 10), prefix]);
        const frame = native.codec.zstdCompress(bytes, { level: 3, prefix });
        const limits = { sizeBytes: bytes.length, maxWindowLog: 27, prefix };
        assert.ok(portable.codec.zstdDecompress(frame, limits).equals(bytes));
      }
    });
  }
  const { abilities } = portable.codec;
  process.exitCode = failures.length > 0 ? 1 : 0;
  console.log(JSON.stringify({ tier: nativeStatus().tier, portable: abilities, failures }));
}

void main();
