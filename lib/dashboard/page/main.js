/** Listens to the server and draws; sends the buttons. */
import { drawBytes } from './bytes.js';
import { drawCharts, watchCharts } from './charts.js';
import { byId, html, setText } from './dom.js';
import { drawPanels } from './panels.js';
import { Topology } from './topology.js';

const token = document.querySelector('meta[name=dwcp-token]').content;
const target = byId('target');
const topology = new Topology(byId('map'), choose);
let latest;

function choose(nodeId) {
  target.value = nodeId;
  topology.update(latest, nodeId);
}

function drawControls(state) {
  const ids = state.nodes.map((node) => node.id);
  if (ids.join() !== [...target.options].map((option) => option.value).join()) {
    const kept = target.value;
    target.replaceChildren(...ids.map((id) => html('option', { value: id }, id)));
    target.value = ids.includes(kept) ? kept : (ids[1] ?? ids[0] ?? '');
  }
  const { enabled, reason } = state.controls;
  for (const button of document.querySelectorAll('button[data-action]')) {
    button.disabled = !enabled;
    button.title = reason;
  }
  target.disabled = !enabled;
  if (!enabled) setText(byId('said'), reason);
}

async function act(action) {
  const node = latest.nodes.find((one) => one.id === target.value);
  const body = JSON.stringify({ action, target: action === 'partition' ? node.region : node.id });
  setText(byId('said'), '…');
  try {
    const answer = await fetch('/act', {
      method: 'POST',
      headers: { 'x-dwcp-token': token },
      body,
    });
    setText(byId('said'), await answer.text());
  } catch {
    setText(byId('said'), 'The server did not answer.');
  }
}

function show(state) {
  latest = state;
  drawControls(state);
  topology.update(state, target.value);
  drawBytes(state.bytes);
  drawCharts(state);
  drawPanels(state);
}

function setLive(on, words) {
  byId('live').dataset.on = on;
  setText(byId('live'), words);
}

for (const button of document.querySelectorAll('button[data-action]')) {
  button.addEventListener('click', () => void act(button.dataset.action));
}
target.addEventListener('change', () => topology.update(latest, target.value));
byId('controls').addEventListener('submit', (event) => event.preventDefault());
watchCharts();

const events = new EventSource('/events');
events.addEventListener('open', () => setLive('1', 'live'));
events.addEventListener('error', () => setLive('0', 'server gone'));
events.addEventListener('message', (event) => show(JSON.parse(event.data)));
