// The dashboard: each stream and the process in charts of the last hour, as the server sends them.
//
// While the page is out of sight it follows nothing: the server keeps the hour, and sends it again.

import { Credentials } from '../lib/credentials.js';
import { element, within } from '../lib/element.js';
import { at } from '../lib/place.js';
import { Removal } from '../lib/removal.js';
import { explain, makeCharts } from './board.js';
import { Follower } from './events.js';
import { History } from './history.js';
import { lockOf, metaOf, PROCESS_CHARTS, STREAM_CHARTS, summaryOf } from './words.js';

/** @typedef {import('./words.js').Stream} Stream */
/** @typedef {import('./board.js').Chart} Chart */
/** @typedef {{ item: HTMLElement, charts: Chart[], isInSight: boolean }} Board */

const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const keyField = element('key', HTMLInputElement);
const credentials = new Credentials('watch', '');
const WHAT_ENDS = 'Its publisher is disconnected and viewers see that the stream has ended. It may come back.';
const removal = new Removal();
const spans = [...document.querySelectorAll('#span button')].map((button) => ({ button, valueS: Number(button.getAttribute('value')) }));
const processCharts = makeCharts($('process-charts'), PROCESS_CHARTS);

/** @type {import('./words.js').State} */
let state = 'connecting';
/** @type {Stream[]} */
let streams = [];
let isLocked = false;
let nowS = 0;
/** 0 until the server has told how much there is. */
let spanS = 0;
/** @type {History | null} */
let processHistory = null;
/** @type {Map<string, History>} */
const histories = new Map();
/** @type {Map<string, Board>} */
const boards = new Map();

// What is out of sight is not drawn.
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const board = [...boards.values()].find(({ item }) => item === target);
    if (!board) continue;
    board.isInSight = isIntersecting;
  }
  draw();
});

const follower = new Follower(at('api/events'), {
  headers: () => credentials.headers(),
  event: take,
  lost() {
    state = 'reconnecting';
    show();
  },
});

/** @param {import('./events.js').Event} event */
function take({ name, data }) {
  if (name === 'history') {
    // Times of a server that started anew begin anew.
    if (data.stream === null) processHistory = new History(data);
    else histories.set(data.stream, new History(data));
    return;
  }
  if (name !== 'state') return;
  state = 'live';
  nowS = data.time_s;
  streams = data.streams;
  isLocked = data.locked;
  processHistory?.add(nowS, data.process);
  if (spanS === 0 && processHistory) showSpan(processHistory.spanAt(nowS));
  for (const { name: stream } of streams) {
    if (!histories.has(stream)) {
      const figures = STREAM_CHARTS.map(({ figure }) => figure);
      histories.set(stream, new History({ stream, figures, rows: [] }));
    }
    histories.get(stream)?.add(nowS, data.samples[stream]);
  }
  show();
}

/**
 * @param {string} id
 * @param {string} text
 */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function show() {
  document.documentElement.dataset.state = state;
  write('summary', summaryOf({ state, streams }));
  showStreams();
  const lock = state === 'live' ? lockOf({ locked: isLocked, hasKey: credentials.isKnown, count: streams.length }) : null;
  $('lock').hidden = lock === null;
  $('lock').classList.toggle('small', streams.length > 0);
  if (lock) {
    write('lock-title', lock.title);
    write('lock-text', lock.text);
  }
  $('nothing').hidden = state !== 'live' || isLocked || streams.length > 0;
  draw();
}

function showStreams() {
  const names = new Set(streams.map(({ name }) => name));
  for (const [name, { item }] of boards) {
    if (names.has(name)) continue;
    sight.unobserve(item);
    item.remove();
    boards.delete(name);
    histories.delete(name);
  }
  for (const stream of streams) {
    let board = boards.get(stream.name);
    if (!board) {
      board = makeBoard(stream.name);
      boards.set(stream.name, board);
      $('streams').append(board.item);
      sight.observe(board.item);
    }
    const meta = within(board.item, '.board-meta', HTMLElement);
    const text = metaOf(stream);
    if (meta.textContent !== text) meta.textContent = text;
  }
}

/**
 * @param {string} name
 * @returns {Board}
 */
function makeBoard(name) {
  const copy = element('board', HTMLTemplateElement).content.cloneNode(true);
  const item = within(/** @type {DocumentFragment} */ (copy), 'section', HTMLElement);
  const link = within(item, 'h2 a', HTMLAnchorElement);
  link.href = at(`live/${encodeURIComponent(name)}`);
  link.textContent = name;
  item.setAttribute('aria-label', name);
  const end = within(item, '.end', HTMLButtonElement);
  end.setAttribute('aria-label', `End stream ${name}`);
  end.addEventListener('click', () => {
    element('sure-title', HTMLElement).textContent = `End ${name}?`;
    removal.ask({ stream: name, path: at(`api/streams/${encodeURIComponent(name)}`), text: WHAT_ENDS });
  });
  const charts = makeCharts(within(item, '.charts', HTMLElement), STREAM_CHARTS);
  return { item, charts, isInSight: true };
}

function draw() {
  if (spanS === 0) return;
  const view = { nowS, spanS };
  if (processHistory) for (const chart of processCharts) chart.draw(processHistory, view);
  for (const [name, { charts, isInSight }] of boards) {
    const history = histories.get(name);
    if (history && isInSight) for (const chart of charts) chart.draw(history, view);
  }
}

/** @param {number} seconds */
function showSpan(seconds) {
  spanS = seconds;
  for (const { button, valueS } of spans) button.setAttribute('aria-pressed', String(valueS === spanS));
  document.documentElement.dataset.span = String(spanS);
}

for (const { button, valueS } of spans) {
  button.addEventListener('click', () => {
    showSpan(valueS);
    draw();
  });
}
explain($('meanings'), [...STREAM_CHARTS, ...PROCESS_CHARTS]);

$('lock').addEventListener('submit', (event) => {
  event.preventDefault();
  credentials.remember(keyField.value);
  keyField.value = '';
  follower.start();
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden) follower.stop();
  else if (!follower.isFollowing) follower.start();
});

if (!document.hidden) follower.start();
