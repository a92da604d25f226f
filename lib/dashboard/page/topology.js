/** The map: regions, nodes, links, and a pulse for traffic that was really counted. */
import { motionReduced, onResize, setText, svg } from './dom.js';

const maxPulses = 60;
const nodeRadius = 15;

function pairOf(a, b) {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

/** Regions on an ellipse, the first at lower left; nodes side by side in their region. */
function place(state, width, height) {
  const regions = [...new Set(state.nodes.map((node) => node.region))];
  const narrow = width < 520;
  const widest = Math.max(...regions.map((r) => state.nodes.filter((n) => n.region === r).length));
  const hull = { w: Math.max(narrow ? 118 : 168, widest * (narrow ? 56 : 72) + 24), h: 104 };
  const rx = Math.max(0, width / 2 - hull.w / 2 - 4);
  const ry = Math.max(0, height / 2 - hull.h / 2 - 6);
  const start = regions.length === 2 ? Math.PI : (Math.PI * 5) / 6;
  const spots = new Map();
  const nodes = new Map();
  regions.forEach((region, index) => {
    const angle = start + (index * 2 * Math.PI) / regions.length;
    const lone = regions.length === 1;
    const x = width / 2 + (lone ? 0 : (rx * Math.cos(angle)) / (regions.length === 3 ? 0.866 : 1));
    const sin = Math.sin(angle);
    const y = height / 2 + (lone ? 0 : regions.length === 3 && sin > 0 ? ry : ry * sin);
    spots.set(region, { x, y, ...hull });
    const here = state.nodes.filter((node) => node.region === region);
    here.forEach((node, i) => {
      nodes.set(node.id, {
        x: x + (i - (here.length - 1) / 2) * (narrow ? 56 : 72),
        y: y + 2,
        region,
      });
    });
  });
  const middle = { x: width / 2, y: height / 2 };
  const bend = narrow ? 0.06 : 0.17;
  return { spots, nodes, middle, bend, key: `${width}x${height}:${[...nodes.keys()].join()}` };
}

/** A gentle arc that bows towards the middle, so that no line runs through a third node. */
function arc(a, b, { middle, bend }) {
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
  const [dx, dy] = [middle.x - x, middle.y - y];
  const bow = (bend * Math.hypot(b.x - a.x, b.y - a.y)) / Math.max(1, Math.hypot(dx, dy));
  const [cx, cy] = [x + dx * bow, y + dy * bow];
  return { d: `M${a.x} ${a.y}Q${cx} ${cy} ${b.x} ${b.y}`, x: (x + cx) / 2, y: (y + cy) / 2 };
}

function nodeMark(node, at, onChoose) {
  const group = svg(
    'g',
    { class: 'node', tabindex: 0, role: 'button', transform: `translate(${at.x} ${at.y})` },
    svg('circle', { class: 'ring', r: nodeRadius }),
    svg('circle', { class: 'core', r: 6 }),
    svg('path', { class: 'mark cross', d: 'M-5-5 5 5M5-5-5 5' }),
    svg('path', { class: 'mark pause', d: 'M-3.5-5V5M3.5-5V5' }),
    svg('text', { class: 'name', y: 30 }),
    svg('text', { class: 'role', y: 44 }),
  );
  group.addEventListener('click', () => onChoose(node.id));
  group.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    onChoose(node.id);
  });
  return group;
}

export class Topology {
  #box;
  #onChoose;
  #root = svg('svg', { role: 'group', 'aria-label': 'Regions, nodes and links' });
  #key = '';
  #state;
  #wires = new Map();
  #labels = new Map();
  #hulls = new Map();
  #marks = new Map();
  #bytes = new Map();
  #pulses = new Set();
  #pulseLayer;
  #frame = 0;

  constructor(box, onChoose) {
    this.#box = box;
    this.#onChoose = onChoose;
    box.append(this.#root);
    onResize(box, () => this.#state && this.update(this.#state, this.chosen));
  }

  chosen = '';

  update(state, chosen) {
    this.#state = state;
    this.chosen = chosen;
    const { width, height } = this.#box.getBoundingClientRect();
    if (width === 0 || state.nodes.length === 0) return;
    const layout = place(state, width, height);
    if (layout.key !== this.#key) this.#build(state, layout);
    this.#paint(state);
  }

  #build(state, layout) {
    this.#key = layout.key;
    for (const map of [this.#wires, this.#labels, this.#hulls, this.#marks]) map.clear();
    this.#pulses.clear();
    const wires = svg('g');
    const hulls = svg('g');
    const labels = svg('g');
    const marks = svg('g');
    this.#pulseLayer = svg('g');
    this.#root.replaceChildren(hulls, wires, this.#pulseLayer, labels, marks);
    for (const [region, spot] of layout.spots) {
      const [x, y] = [spot.x - spot.w / 2, spot.y - spot.h / 2];
      const hull = svg('rect', { class: 'hull', x, y, width: spot.w, height: spot.h, rx: 18 });
      hulls.append(hull);
      marks.append(svg('text', { class: 'region', x: x + 14, y: y + 23 }, region));
      this.#hulls.set(region, hull);
    }
    this.#buildWires(state, layout, wires, labels);
    for (const node of state.nodes) {
      const mark = nodeMark(node, layout.nodes.get(node.id), this.#onChoose);
      this.#marks.set(node.id, mark);
      marks.append(mark);
    }
  }

  #buildWires(state, layout, wires, labels) {
    for (const link of state.links) {
      const [a, b] = [layout.nodes.get(link.a), layout.nodes.get(link.b)];
      if (!a || !b) continue;
      const inside = a.region === b.region;
      const d = inside ? `M${a.x} ${a.y}L${b.x} ${b.y}` : arc(a, b, layout).d;
      const path = svg('path', { class: 'wire', d });
      wires.append(path);
      this.#wires.set(pairOf(link.a, link.b), path);
      const pair = pairOf(a.region, b.region);
      if (inside || this.#labels.has(pair)) continue;
      const [p, q] = [layout.spots.get(a.region), layout.spots.get(b.region)];
      const mid = arc(p, q, layout);
      const at = `translate(${mid.x} ${mid.y})`;
      const text = svg('text', { y: 4.5 });
      const box = svg('rect', { x: -29, y: -13, width: 58, height: 26, rx: 13 });
      const label = svg('g', { class: 'rtt', transform: at }, box, text);
      labels.append(label);
      this.#labels.set(pair, label);
    }
  }

  #paint(state) {
    const regionOf = new Map(state.nodes.map((node) => [node.id, node.region]));
    const pairs = new Map();
    const cutLinks = new Map();
    for (const link of state.links) {
      const key = pairOf(link.a, link.b);
      const path = this.#wires.get(key);
      if (!path) continue;
      const moved = link.bytes - (this.#bytes.get(key) ?? link.bytes);
      this.#bytes.set(key, link.bytes);
      path.dataset.up = link.up ? '1' : '0';
      path.dataset.cut = link.cut ? '1' : '0';
      const heat = moved <= 0 ? 0 : Math.min(1, Math.log10(moved) / 6);
      path.style.setProperty('--heat', heat.toFixed(2));
      if (moved > 0 && link.up && !link.cut) this.#pulse(path, moved, link.rttMs ?? 10);
      const [from, to] = [regionOf.get(link.a), regionOf.get(link.b)];
      if (from === to) continue;
      const pair = pairOf(from, to);
      const seen = pairs.get(pair) ?? { cut: true, rtt: undefined };
      pairs.set(pair, { cut: seen.cut && link.cut, rtt: seen.rtt ?? link.rttMs });
      for (const region of [from, to]) {
        cutLinks.set(region, (cutLinks.get(region) ?? true) && link.cut);
      }
    }
    for (const [pair, label] of this.#labels) {
      const { cut, rtt } = pairs.get(pair) ?? { cut: false };
      label.dataset.cut = cut ? '1' : '0';
      setText(label.lastChild, cut ? 'cut' : rtt === undefined ? '–' : `${Math.round(rtt)} ms`);
    }
    for (const [region, hull] of this.#hulls) hull.dataset.cut = cutLinks.get(region) ? '1' : '0';
    for (const node of state.nodes) this.#paintNode(node);
  }

  #paintNode(node) {
    const mark = this.#marks.get(node.id);
    mark.dataset.state = node.state;
    mark.dataset.node = node.id;
    mark.dataset.chosen = node.id === this.chosen ? '1' : '0';
    const word = node.state === 'alive' ? (node.role ?? '') : node.state;
    mark.setAttribute(
      'aria-label',
      `${node.id}: ${node.state}${node.role ? `, ${node.role}` : ''}`,
    );
    setText(mark.querySelector('.name'), node.id);
    setText(mark.querySelector('.role'), word);
  }

  /** One dot per counted burst, larger for more bytes; it crosses ten times slower than the link. */
  #pulse(path, bytes, rttMs) {
    if (motionReduced.matches || document.hidden || this.#pulses.size >= maxPulses) return;
    const radius = Math.min(7, Math.max(1.5, Math.log10(bytes) * 1.5 - 1.8));
    const dot = svg('circle', { class: 'pulse', r: radius.toFixed(1) });
    const durationMs = Math.max(350, Math.min(1400, rttMs * 5));
    const back = Math.random() < 0.5;
    this.#pulses.add({ dot, path, length: path.getTotalLength(), durationMs, back, startMs: 0 });
    this.#pulseLayer.append(dot);
    if (this.#frame === 0) this.#frame = requestAnimationFrame((now) => this.#step(now));
  }

  #step(now) {
    for (const pulse of this.#pulses) {
      pulse.startMs ||= now;
      const share = (now - pulse.startMs) / pulse.durationMs;
      if (share >= 1) {
        pulse.dot.remove();
        this.#pulses.delete(pulse);
        continue;
      }
      const along = (pulse.back ? 1 - share : share) * pulse.length;
      const at = pulse.path.getPointAtLength(along);
      pulse.dot.setAttribute('cx', at.x);
      pulse.dot.setAttribute('cy', at.y);
    }
    this.#frame = this.#pulses.size === 0 ? 0 : requestAnimationFrame((n) => this.#step(n));
  }
}
