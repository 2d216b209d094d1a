// The home page: the streams that are on air, and the way to go live.
//
// The list is asked for every few seconds while the page is visible. Cards stay where they are
// and only their figures change, so nothing jumps under a finger.

import { counted, since } from './format.js';
import { isStreamName, suggestName, toStreamName } from './stream-name.js';

const REFRESH_MS = 4000;
const POSTER_MS = 15_000;

const $ = (id) => document.getElementById(id);
const form = $('compose');
const nameField = $('name');
const streamList = $('streams');

/** Name to `{ item, posterAtMs }`. */
const cards = new Map();

function setState(state, summary) {
  document.documentElement.dataset.state = state;
  if ($('summary').textContent !== summary) $('summary').textContent = summary;
}

async function refresh() {
  try {
    const response = await fetch('/api/streams', { cache: 'no-store' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    show(Array.isArray(answer) ? answer : answer.streams ?? []);
  } catch {
    setState('unreachable', 'The server does not answer. Trying again.');
  }
}

function show(streams) {
  const live = streams.filter((stream) => stream.live !== false);
  // Those who come late stand last: the order of a list in use must not change.
  live.sort((a, b) => (b.uptime_s ?? 0) - (a.uptime_s ?? 0));
  const names = new Set(live.map(({ name }) => name));
  for (const [name, { item }] of cards) {
    if (names.has(name)) continue;
    item.remove();
    cards.delete(name);
  }
  for (const stream of live) {
    let card = cards.get(stream.name);
    if (!card) {
      card = { item: makeCard(stream.name), posterAtMs: -Infinity };
      cards.set(stream.name, card);
      streamList.append(card.item);
    }
    fillCard(card, stream);
  }
  $('nothing').hidden = live.length > 0;
  const viewers = live.reduce((sum, stream) => sum + (stream.viewers ?? 0), 0);
  setState(
    live.length ? 'live' : 'empty',
    live.length ? `${counted(live.length, 'stream')}, ${counted(viewers, 'viewer')}` : 'No streams right now',
  );
}

function makeCard(name) {
  const item = $('card').content.firstElementChild.cloneNode(true);
  item.querySelector('a').href = `/live/${encodeURIComponent(name)}`;
  item.querySelector('.card-name').textContent = name;
  item.querySelector('.poster-letter').textContent = name[0].toUpperCase();
  return item;
}

function fillCard(card, stream) {
  const meta = `${counted(stream.viewers, 'viewer')} · ${since(stream.uptime_s)}`;
  const metaLine = card.item.querySelector('.card-meta');
  if (metaLine.textContent !== meta) metaLine.textContent = meta;
  if (!stream.poster || performance.now() - card.posterAtMs < POSTER_MS) return;
  card.posterAtMs = performance.now();
  // Loaded out of sight first: the old poster stays until the new one is whole.
  const picture = new Image();
  picture.onload = () => {
    const image = card.item.querySelector('img');
    image.src = picture.src;
    image.hidden = false;
  };
  picture.src = `/live/${encodeURIComponent(stream.name)}.jpg?t=${Date.now()}`;
}

function hint() {
  const name = nameField.value;
  const isGood = isStreamName(name);
  $('hint').textContent = isGood
    ? `People watch at ${location.host}/live/${name}`
    : 'Letters, figures, dot, dash and underscore, not beginning with a dot.';
  nameField.setCustomValidity(isGood ? '' : 'Use letters, figures, dot, dash and underscore, not beginning with a dot.');
}

nameField.addEventListener('input', () => {
  const name = toStreamName(nameField.value);
  if (name !== nameField.value) nameField.value = name;
  hint();
});

$('another').addEventListener('click', () => {
  nameField.value = suggestName();
  hint();
});

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const source = event.submitter?.value ?? 'camera';
  location.href = `/publish/${encodeURIComponent(nameField.value)}?source=${source}`;
});

nameField.value = suggestName();
hint();

setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
refresh();
