/** Two drawings over time: time-to-fresh per region, and call latency around faults. */
import { byId, html, msText, onResize, setText, svg } from './dom.js';

const windowMs = 40_000;

function text(x, y, className, words, anchor = 'start') {
  return svg('text', { x, y, class: className, 'text-anchor': anchor }, words);
}

function line(x1, y1, x2, y2, className, more = {}) {
  return svg('line', { x1, y1, x2, y2, class: className, ...more });
}

/** A round number at or above `most`. */
function ceiling(most) {
  for (const top of [10, 20, 50, 100, 200, 300, 400, 500, 750, 1000, 2000, 5000]) {
    if (top >= most) return top;
  }
  return Math.ceil(most / 10_000) * 10_000;
}

function freshRow(region, top, y, left, width) {
  const at = (ms) => left + (Math.min(ms, top) / top) * (width - left - 12);
  const parts = [text(0, y - 2, 'label', region.region)];
  const rtt = region.rttMs;
  parts.push(text(0, y + 15, 'tick', rtt === undefined ? '' : `${msText(rtt)} rtt`));
  parts.push(line(left, y, width - 12, y, 'grid'));
  if (rtt !== undefined && rtt >= 10) {
    for (const times of [1, 2, 3]) {
      if (rtt * times > top) continue;
      parts.push(line(at(rtt * times), y - 12, at(rtt * times), y + 12, 'unit'));
      parts.push(text(at(rtt * times), y + 24, 'tick', `${times}×`, 'middle'));
    }
  }
  for (const ms of region.samplesMs) {
    parts.push(svg('circle', { class: 'sample', cx: at(ms), cy: y, r: 4 }));
  }
  if (region.p50Ms !== undefined) {
    const x = at(region.p50Ms);
    parts.push(line(x, y - 13, x, y + 13, 'median'));
    const words = `p50 ${msText(region.p50Ms)}   p99 ${msText(region.p99Ms)}`;
    const anchor = x > width * 0.6 ? 'end' : 'start';
    parts.push(text(anchor === 'end' ? x + 4 : x - 4, y - 18, 'value', words, anchor));
  }
  return parts;
}

function drawFresh(box, regions) {
  const { width, height } = box.getBoundingClientRect();
  if (!regions.some((region) => region.count > 0)) {
    box.replaceChildren(html('p', { class: 'empty' }, 'No update has arrived anywhere yet.'));
    return;
  }
  const marks = regions.flatMap((region) => [
    ...region.samplesMs,
    region.p99Ms ?? 0,
    (region.rttMs ?? 0) * 1.2,
  ]);
  const top = ceiling(Math.max(...marks));
  const left = 74;
  const step = (height - 24) / regions.length;
  const parts = regions.flatMap((region, i) =>
    freshRow(region, top, step * (i + 0.62), left, width),
  );
  for (const share of [0, 0.5, 1]) {
    const x = left + share * (width - left - 12);
    const anchor = share === 1 ? 'end' : share === 0 ? 'start' : 'middle';
    parts.push(text(x, height - 2, 'tick', share === 0 ? '0' : msText(top * share), anchor));
  }
  const said = regions.map((r) => `${r.region}: p50 ${msText(r.p50Ms)}, p99 ${msText(r.p99Ms)}`);
  const label = `Time to fresh. ${said.join('. ')}`;
  box.replaceChildren(svg('svg', { role: 'img', 'aria-label': label }, ...parts));
}

function callAxes(calls, width, height, y) {
  const parts = [];
  for (const ms of [1, 10, 100, 1000]) {
    parts.push(line(44, y(ms), width, y(ms), 'grid'));
    parts.push(text(38, y(ms) + 4, 'tick', msText(ms).replace('.0', ''), 'end'));
  }
  if (calls.barMs !== undefined) {
    parts.push(line(44, y(calls.barMs), width, y(calls.barMs), 'limit'));
    parts.push(text(50, y(calls.barMs) - 5, 'limit-text', `bar ${msText(calls.barMs)}`));
  }
  return parts;
}

function callMarks(calls, from, to, x, width, height) {
  const parts = [];
  const ends = [-Infinity, -Infinity, -Infinity];
  for (const mark of calls.marks) {
    if (mark.tMs < from || mark.tMs > to) continue;
    const at = x(mark.tMs);
    const room = mark.text.length * 6.6 + 10;
    const flip = at + room > width;
    const start = flip ? at - room : at;
    const row = ends.findIndex((end) => end < start);
    const kind = { 'data-kind': mark.kind };
    parts.push(line(at, 14 * Math.max(0, row), at, height - 20, 'event-line', kind));
    // No room for its words: the line stays, the log has the words.
    if (row < 0) continue;
    ends[row] = start + room;
    const words = text(
      flip ? at - 5 : at + 5,
      11 + 14 * row,
      'event-text',
      mark.text,
      flip ? 'end' : 'start',
    );
    words.dataset.kind = mark.kind;
    parts.push(words);
  }
  return parts;
}

function drawCalls(box, calls) {
  const { width, height } = box.getBoundingClientRect();
  if (!calls || calls.buckets.length === 0) {
    box.replaceChildren(html('p', { class: 'empty' }, 'No calls have been made yet.'));
    return;
  }
  const to = calls.buckets.at(-1)[0];
  const buckets = calls.buckets.filter((bucket) => bucket[0] > to - windowMs);
  const from = Math.min(buckets[0][0], to - 5000);
  const [top, bottom] = [44, height - 22];
  const x = (ms) => 44 + ((ms - from) / (to - from)) * (width - 44);
  const y = (ms) =>
    bottom - (Math.log10(Math.max(0.7, Math.min(1400, ms)) / 0.7) / 3.3) * (bottom - top);
  const parts = callAxes(calls, width, height, y);
  let path = '';
  let lastMs = -Infinity;
  for (const [tMs, count, failed, p50, worst] of buckets) {
    if (count > 0) {
      path += `${tMs - lastMs > 1500 ? 'M' : 'L'}${x(tMs).toFixed(1)} ${y(p50).toFixed(1)}`;
      lastMs = tMs;
      parts.push(svg('circle', { class: 'worst', cx: x(tMs), cy: y(worst), r: 2.2 }));
    }
    if (failed > 0)
      parts.push(svg('rect', { class: 'failed', x: x(tMs) - 2, y: top - 8, width: 4, height: 8 }));
  }
  parts.push(svg('path', { class: 'p50', d: path }));
  parts.push(...callMarks(calls, from, to, x, width, height));
  parts.push(
    text(44, height - 3, 'tick', `${msText(to - from)} ago`),
    text(width, height - 3, 'tick', 'latest', 'end'),
  );
  const label = `Call latency: ${calls.total} calls, ${calls.failed} failed`;
  box.replaceChildren(svg('svg', { role: 'img', 'aria-label': label }, ...parts));
}

const drawnKeys = new Map();
let charted;

function redraw(force) {
  if (!charted) return;
  for (const [id, data, draw] of [
    ['fresh', charted.freshness, drawFresh],
    ['calls', charted.calls, drawCalls],
  ]) {
    const key = JSON.stringify(data ?? null);
    if (!force && drawnKeys.get(id) === key) continue;
    drawnKeys.set(id, key);
    draw(byId(id), data);
  }
  const calls = charted.calls;
  const words = `${calls?.total.toLocaleString('en')} calls, ${calls?.failed} failed. Line p50, dots worst per quarter second`;
  setText(byId('calls-note'), calls && calls.total > 0 ? words : '');
}

export function drawCharts(state) {
  charted = state;
  redraw(false);
}

export function watchCharts() {
  for (const id of ['fresh', 'calls']) onResize(byId(id), () => redraw(true));
}
