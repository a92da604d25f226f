/** The panels made of words: header, acts, conflicts, events. */
import { byId, clockText, html, setText } from './dom.js';

const stateWords = {
  waiting: 'waiting',
  running: 'running',
  passed: '✓ passed',
  failed: '✗ failed',
  'not built': 'not built yet',
};

const drawn = new Map();

/** Calls `draw` only when the data of that panel changed. */
function whenChanged(id, data, draw) {
  const key = JSON.stringify(data);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  byId(id).replaceChildren(...draw(data));
}

function actCard(act) {
  const state = html('span', { class: 'state' }, stateWords[act.state]);
  return html(
    'li',
    { 'data-state': act.state, 'data-act': act.id },
    html('h3', {}, html('span', {}, act.title), state),
    html('p', {}, act.headline),
  );
}

function held(value, lost) {
  const where = html('em', {}, lost ? `${value.region}, in the audit record` : value.region);
  return html(
    'div',
    { class: 'held', 'data-lost': lost ? '1' : '0' },
    html('span', {}, value.text),
    where,
  );
}

function conflictRow(conflict) {
  return html(
    'div',
    { class: 'conflict' },
    html('div', {}, html('h3', {}, conflict.key), html('p', { class: 'policy' }, conflict.policy)),
    html(
      'div',
      { class: 'values' },
      ...conflict.visible.map((value) => held(value, false)),
      ...conflict.audited.map((value) => held(value, true)),
    ),
  );
}

function eventLine(event) {
  return html(
    'li',
    { 'data-kind': event.kind },
    html('time', {}, clockText(event.tMs)),
    html('span', {}, event.text),
  );
}

export function drawPanels(state) {
  setText(byId('title'), state.title);
  setText(byId('clock'), clockText(state.nowMs));
  const tier = byId('tier');
  setText(tier, state.tier.name);
  tier.title = state.tier.reason;
  setText(byId('map-note'), `${state.nodes.length} nodes, ${state.links.length} links`);
  whenChanged('acts', state.acts, (acts) => acts.map(actCard));
  whenChanged('conflicts', state.conflicts, (conflicts) =>
    conflicts.length > 0
      ? conflicts.map(conflictRow)
      : [html('p', { class: 'empty' }, 'No key has been written on both sides yet.')],
  );
  whenChanged('events', state.events, (events) => events.toReversed().map(eventLine));
}
