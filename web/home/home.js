// The home page: the streams that are on air, and the way to go live.
//
// The list is asked for every few seconds while the page is visible. Cards stay where they are
// and only their figures change, so nothing jumps under a finger. What the page shows is decided
// in machine.js and worded in words.js.

import { Credentials } from '../lib/credentials.js';
import { counted, since } from '../lib/format.js';
import { at } from '../lib/place.js';
import { plainName, suggestName } from '../lib/stream-name.js';
import { next, start } from './machine.js';
import { hintFor, lockOf, summaryOf } from './words.js';

const REFRESH_MS = 4000;
const POSTER_MS = 15_000;

const $ = (id) => document.getElementById(id);

/** A key typed here is tried for whatever this session opens: it may be for watching, or for both. */
const watching = new Credentials('watch', '');
const publishing = new Credentials('publish', '');

let state = start(suggestName(), plainName());
/** Name to `{ item, posterAtMs }`. */
const cards = new Map();

function send(event) {
  const former = state;
  state = next(state, event);
  // Not at every list: an input method may be at work in the field.
  if (state.value !== former.value || state.typed !== former.typed) $('name').value = state.value;
  show();
}

async function refresh() {
  const hasKey = watching.isKnown;
  try {
    const response = await fetch(at('api/streams'), {
      cache: 'no-store',
      credentials: 'omit',
      headers: { accept: 'application/json', ...watching.headers() },
    });
    // A server of an older kind refuses the whole list.
    if (response.status === 401 || response.status === 403) {
      send({ type: 'refused', hasKey });
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    const streams = Array.isArray(answer) ? answer : (answer.streams ?? []);
    send({ type: 'listed', streams, isLocked: Boolean(answer.locked), hasKey });
  } catch {
    send({ type: 'unanswered' });
  }
}

function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function show() {
  document.documentElement.dataset.state = state.name;
  write('summary', summaryOf(state));
  showCards();
  $('nothing').hidden = state.name !== 'empty';
  showLock();
  showName();
}

function showCards() {
  const names = new Set(state.streams.map(({ name }) => name));
  for (const [name, { item }] of cards) {
    if (names.has(name)) continue;
    item.remove();
    cards.delete(name);
  }
  for (const stream of state.streams) {
    let card = cards.get(stream.name);
    if (!card) {
      card = { item: makeCard(stream.name), posterAtMs: -Infinity };
      cards.set(stream.name, card);
      $('streams').append(card.item);
    }
    fillCard(card, stream);
  }
}

/** The field for the key, where one would show more. */
function showLock() {
  const lock = lockOf(state);
  $('lock').hidden = lock === null;
  $('lock').classList.toggle('small', state.streams.length > 0);
  write('lock-title', lock?.title ?? '');
  write('lock-text', lock?.text ?? '');
}

function showName() {
  const { value, typed, spare, streams } = state;
  const { text, isGood, suggestion } = hintFor({
    name: value,
    typed,
    spare,
    watchAddress: location.host + at('live/'),
    isLive: streams.some(({ name }) => name === value),
  });
  write('hint', text);
  $('name').setCustomValidity(isGood ? '' : text);
  $('name').setAttribute('aria-invalid', String(!isGood));
  $('use').hidden = suggestion === null;
  if (suggestion === null) return;
  $('use').value = suggestion;
  write('use', `Use ${suggestion}`);
}

function makeCard(name) {
  const item = $('card').content.firstElementChild.cloneNode(true);
  item.querySelector('a').href = at(`live/${encodeURIComponent(name)}`);
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
  picture.src = watching.url(at(`live/${encodeURIComponent(stream.name)}.jpg`), { t: Date.now() });
}

$('name').addEventListener('input', ({ isComposing }) => {
  // An input method is at work: its letters are not final.
  if (!isComposing) send({ type: 'typed', value: $('name').value });
});
$('name').addEventListener('compositionend', () => send({ type: 'typed', value: $('name').value }));

$('another').addEventListener('click', () => send({ type: 'named', name: suggestName() }));
$('use').addEventListener('click', () => {
  send({ type: 'named', name: $('use').value });
  $('name').focus();
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const source = event.submitter?.value ?? 'camera';
  location.href = at(`publish/${encodeURIComponent($('name').value)}?source=${source}`);
});

$('lock').addEventListener('submit', (event) => {
  event.preventDefault();
  keep($('key').value);
  $('key').value = '';
  refresh();
});

/** For this session, and for the pages that are opened from here. */
function keep(key) {
  watching.remember(key);
  publishing.remember(key);
}

if (watching.key !== null) keep(watching.key);
$('name').value = state.value;
show();

setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
refresh();
