/** Small doors to the document, and how numbers read. */
const svgSpace = 'http://www.w3.org/2000/svg';

export const motionReduced = matchMedia('(prefers-reduced-motion: reduce)');

export function byId(id) {
  return document.getElementById(id);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgSpace, tag), attributes, children);
}

/** Sets text only when it changed, so that screen readers and selections stay calm. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Three significant digits: 8.41 MB, 73.8 kB, 512 B. */
export function bytesText(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export function msText(ms) {
  if (ms === undefined || ms === null) return '';
  if (ms >= 10_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(1)} ms`;
}

export function clockText(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Draws again when the box changes size; the drawing is 1:1 in CSS pixels. */
export function onResize(box, draw) {
  new ResizeObserver(draw).observe(box);
}
