/** Raw against wire: one honest headline and bars on a log scale that says so. */
import { byId, bytesText, html, setText } from './dom.js';

const floorBytes = 1000;

function share(bytes, topBytes) {
  if (bytes <= floorBytes) return 0.006;
  return Math.log10(bytes / floorBytes) / Math.log10(topBytes / floorBytes);
}

function scaleMarks(topBytes) {
  const marks = [];
  for (let at = floorBytes; at <= topBytes; at *= 10)
    marks.push(html('span', {}, bytesText(at).replace(/\.0+ /, ' ')));
  return marks;
}

function barOf(row, topBytes) {
  const fill = html('div', { class: 'fill' });
  fill.style.transform = `scaleX(${share(row.bytes, topBytes).toFixed(4)})`;
  return html(
    'div',
    { class: 'bar', 'data-ours': row.ours ? '1' : '0' },
    html('div', {}, html('span', {}, row.label), html('b', {}, bytesText(row.bytes))),
    html('div', { class: 'track', 'aria-hidden': 'true' }, fill),
  );
}

/** One column per version, on a linear scale of their own. */
function columns(steps) {
  const most = Math.max(1, ...steps.map((step) => step.bytes));
  const items = steps.map((step) => {
    const column = html('i');
    column.style.transform = `scaleY(${Math.max(0.02, step.bytes / most).toFixed(3)})`;
    const figure = html('b', {}, bytesText(step.bytes));
    return html('li', {}, html('div', { 'aria-hidden': 'true' }, column), figure, step.label);
  });
  return html('ol', { class: 'steps', 'aria-label': 'Wire bytes of each version' }, ...items);
}

let drawnBytes = '';

export function drawBytes(bytes) {
  const key = JSON.stringify(bytes ?? null);
  if (key === drawnBytes) return;
  drawnBytes = key;
  const box = byId('bytes');
  setText(byId('bytes-title'), bytes?.title ?? '');
  if (!bytes) return box.replaceChildren(html('p', { class: 'empty' }, 'Nothing written yet.'));
  const most = Math.max(floorBytes * 10, ...bytes.rows.map((row) => row.bytes));
  const topBytes = 10 ** Math.ceil(Math.log10(most));
  const parts = [];
  if (bytes.headline) {
    const { value, text } = bytes.headline;
    parts.push(html('p', { class: 'hero' }, html('strong', {}, value), html('span', {}, text)));
  }
  parts.push(...bytes.rows.map((row) => barOf(row, topBytes)));
  parts.push(html('div', { class: 'scale', 'aria-hidden': 'true' }, ...scaleMarks(topBytes)));
  if (bytes.steps?.length > 0) parts.push(columns(bytes.steps));
  parts.push(html('p', { class: 'note' }, `Bars on a log scale. ${bytes.note}`));
  box.replaceChildren(...parts);
}
