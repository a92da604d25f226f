/**
 * The codec suite. Rows 1 to 5: calls on records and large values against the Node bindings of zstd. Rows 6 to 9
 * and 12: deltas against zstd's own (`refPrefix` with long-distance matching, in this process, from our addon) and
 * xdelta3 -9. Row 10: against one endless zstd stream. Row 11: memory.
 */
import { native } from '../../lib/native/load.ts';
import { diffRows, patchRows, rowOf } from '../codec/delta-rows.ts';
import { memoryRows } from '../codec/memory-rows.ts';
import { MethodRows } from '../codec/method-rows.ts';
import { PairBench } from '../codec/pair-bench.ts';
import { pairPackages, pairs } from '../codec/pairs.ts';
import { plainRows } from '../codec/plain-rows.ts';
import { recordRows } from '../codec/record-rows.ts';
import { streamRows } from '../codec/stream-rows.ts';
import { wholeRows } from '../codec/whole-rows.ts';
import { widePackages } from '../codec/wide-pairs.ts';
import { wideTable } from '../codec/wide-table.ts';
import { hasXdelta } from '../codec/xdelta.ts';
import { zlibRows } from '../codec/zlib-rows.ts';
import type { Measurement, Suite, SuiteContext } from '../suite.ts';

/** Rows 6 to 9, 11 and 12, pair by pair, so that few values are in memory at once. */
async function* pairRows(
  { log, wants }: SuiteContext,
  withXdelta: boolean,
  methods: MethodRows,
): AsyncGenerator<Measurement> {
  for (const pair of pairs()) {
    const row = rowOf(pair.kind);
    if (![row, '9', '11', '12'].some(wants)) continue;
    log(pair.name);
    if (wants('11')) yield* memoryRows(pair);
    if (![row, '9', '12'].some(wants)) continue;
    const bench = await PairBench.of(pair);
    if (wants(row)) yield* diffRows(bench, withXdelta);
    if (wants('9')) yield* patchRows(bench);
    if (wants('12')) await methods.add(pair.name, bench.baseline, pair.next);
  }
}

async function* run(context: SuiteContext): AsyncGenerator<Measurement> {
  const { log, wants, table } = context;
  if (wants('whole')) yield* wholeRows(log);
  if (!native.codec.abilities.deltaEncode) {
    log('no addon: the rows need the engine');
    return;
  }
  const withXdelta = hasXdelta();
  if (!withXdelta) log('xdelta3 is not installed: its rows are left out (apt install xdelta3)');
  yield* recordRows(context);
  if (wants('3')) yield* zlibRows(log);
  if (wants('5')) yield* plainRows(log);
  const methods = new MethodRows();
  if (wants('10')) yield* streamRows(log);
  yield* pairRows(context, withXdelta, methods);
  if (wants('wide') || wants('12')) table(await wideTable(log, { withXdelta, methods, wants }));
  yield* methods.cases();
}

/** Deltas, whole values and calls against zstd and its Node bindings. */
export const suite: Suite = {
  name: 'codec',
  about: 'deltas, whole values and calls against zstd and its Node bindings',
  peers: ['zstd-napi', 'mongodb-zstd-7', 'mongodb-zstd-1', ...pairPackages, ...widePackages],
  runtimes: true,
  parts: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', 'small', 'whole', 'wide'],
  run,
};
