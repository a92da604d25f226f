/** The failure detector: quick to suspect, slow to bury, blind to the observer's own stalls. */
import test from 'ava';
import { Detector, defaultDetectorOptions } from '../../lib/health/detector.ts';
import { StallLog } from '../../lib/health/stall-log.ts';

const intervalMs = defaultDetectorOptions.intervalMs;
const awake = (fromMs: number, toMs: number): number => toMs - fromMs;
const look = (nowMs: number, lastHeardMs: number | undefined, pendingMs?: number) => ({
  nowMs,
  lastHeardMs,
  pingPendingSinceMs: pendingMs,
  rttMs: 10,
});

/** A detector that heard `beats` regular beats; the last at the returned time. */
function regular(beats: number, everyMs = intervalMs): [Detector, number] {
  const detector = new Detector(0, awake);
  for (let i = 1; i <= beats; i++) detector.judge(look(i * everyMs, i * everyMs));
  return [detector, beats * everyMs];
}

test('a silent peer is suspect after three to four intervals', (t) => {
  const [detector, lastMs] = regular(100);
  t.is(detector.judge(look(lastMs + 3 * intervalMs, lastMs)), 'alive');
  t.is(detector.judge(look(lastMs + 4 * intervalMs, lastMs)), 'suspect');
  t.is(detector.reason, 'silent');
});

test('a suspect that speaks is alive again, and the outage is not learned', (t) => {
  const [detector, lastMs] = regular(100);
  const before = detector.thresholdMs;
  detector.judge(look(lastMs + 2000, lastMs));
  t.is(detector.judge(look(lastMs + 2001, lastMs + 2001)), 'alive');
  t.is(detector.thresholdMs, before);
});

test('dead is slow, and apart from suspect', (t) => {
  const [detector, lastMs] = regular(10);
  t.is(detector.judge(look(lastMs + 10_000, lastMs)), 'suspect');
  t.is(detector.judge(look(lastMs + 10_001, lastMs)), 'dead');
});

test('a peer with long habitual gaps gets a longer threshold', (t) => {
  const [detector] = regular(64, 800);
  t.is(detector.thresholdMs, 1200);
});

test('however irregular the peer, the threshold is capped', (t) => {
  const detector = new Detector(0, awake, { ...defaultDetectorOptions, minIntervals: 100 });
  for (let i = 1; i <= 64; i++) detector.judge(look(i * 9000, i * 9000));
  t.is(detector.thresholdMs, 25_000);
  const [usual] = regular(0);
  t.is(usual.thresholdMs, 750);
});

test('a peer that is heard but never answers is suspect: one direction is cut', (t) => {
  const [detector, lastMs] = regular(20);
  const pendingMs = lastMs;
  t.is(detector.judge(look(lastMs + 500, lastMs + 490, pendingMs)), 'alive');
  t.is(detector.judge(look(lastMs + 900, lastMs + 890, pendingMs)), 'suspect');
  t.is(detector.reason, 'unanswered');
});

test('a long round trip alone is no suspicion', (t) => {
  const detector = new Detector(0, awake);
  const verdict = detector.judge({
    nowMs: 2000,
    lastHeardMs: 1950,
    pingPendingSinceMs: 1100,
    rttMs: 900,
  });
  t.is(verdict, 'alive');
});

test('a closed link is suspect at once and dead when nothing replaces it', (t) => {
  const [detector, lastMs] = regular(10);
  t.is(detector.judge(look(lastMs + 1, undefined)), 'suspect');
  t.is(detector.reason, 'down');
  t.is(detector.judge(look(lastMs + 10_001, undefined)), 'dead');
  t.is(detector.judge(look(lastMs + 10_050, lastMs + 10_049)), 'alive');
});

test('the observer’s own stall is not the peer’s silence', (t) => {
  const stalls = new StallLog();
  const detector = new Detector(0, (fromMs, toMs) => stalls.runningMs(fromMs, toMs));
  stalls.add(100, 5_100);
  t.is(detector.judge(look(5_110, 0)), 'alive');
  t.is(detector.silenceMs, 110);
  t.is(detector.judge(look(5_100 + 700, 0)), 'suspect');
});

test('the stall log subtracts overlaps only, and keeps a bounded number', (t) => {
  const stalls = new StallLog(2);
  stalls.add(0, 10);
  stalls.add(20, 30);
  stalls.add(40, 50);
  t.is(stalls.runningMs(25, 45), 10);
  t.is(stalls.runningMs(31, 39), 8);
  t.is(stalls.runningMs(0, 60), 40);
  t.is(stalls.totalMs, 30);
  t.is(stalls.count, 3);
});
