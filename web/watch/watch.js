// The viewer page: wires the socket and a player to the stage, and loads the rest behind the picture (deferred.js).
// What follows from what is decided in machine.js, and worded in words.js.

import { canPlay, mediaSourceClass } from '../player/media-source.js';
import { socketUrl } from '../lib/socket.js';
import { Credentials, withCredentials } from '../lib/credentials.js';
import { element } from '../lib/element.js';
import { at } from '../lib/place.js';
import { counted } from '../lib/format.js';
import { nameFromPath } from '../lib/stream-name.js';
import { rememberedVolume } from '../lib/volume.js';
import { wantsCodecs } from '../player/latency.js';
import { WayIn } from '../player/segments/way-in.js';
import { briefWordsFor } from './brief-words.js';
import { Figures } from './figures.js';
import { holdEvents } from './held.js';
import { next } from './machine.js';
import { loadClassic, loadCodecs, loadMse, Players } from './players.js';
import { Server } from './server.js';
import { begin, isPaused, isSoundOnly } from './states.js';
import { askedBehindMs, furthestBackMs, restartBehindMs } from './time-shift.js';
import { kindsOf, playsOf } from './types.js';
import { View, write } from './view.js';
import { noSuch } from '../lib/no-such.js';

const FIGURES_MS = 500;
/** How often we look whether the picture moves. */
const LOOK_MS = 100;
/** The stream's own picture comes first, then, so much later, what is beside it. */
const DEFERRED_AFTER_MS = 2000;
/** A script that did not load is asked for again after so long at the soonest. */
const AGAIN_AFTER_MS = 1000;

const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const root = document.documentElement;
const video = element('video', HTMLVideoElement);
const keyField = element('key', HTMLInputElement);
const query = new URLSearchParams(location.search);
const name = nameFromPath(location.pathname) ?? '';
const watchPath = at(`live/${encodeURIComponent(name)}`);
const isEmbedded = query.has('embed');
const credentials = new Credentials('watch', name);
const server = new Server(name, credentials);
/** @type {import('./states.js').State} */
let state;
/** @type {WayIn | null} */
let socket = null;
/** @type {import('./deferred.js').Deferred | null} */
let deferred = null;
/** @type {Promise<typeof import('./deferred.js') | null> | null} */
let loading = null;
/** When what is beside the picture is due. */
let deferredAtMs = Infinity;
/** @type {number | null} */
let viewers = null;
/** How long ago the media behind the newest init segment came. */
let toldBehindMs = 0;
/**
 * How many messages come at once behind it.
 *
 * @type {number | null}
 */
let toldBacklog = null;
const beginsBehindMs = askedBehindMs(query.get('t'));
const codecs = wantsCodecs(query) ? await loadCodecs() : null;
const hasMse = Boolean(codecs ?? mediaSourceClass());
const isPlain = query.get('player') === 'src';
const isClassic = query.get('player') === 'classic';
const classic = !isPlain && (isClassic || !hasMse) ? await loadClassic() : null;
const needsMse = !isPlain && !classic && (!codecs || beginsBehindMs > 0);
const mse = needsMse ? await loadMse() : null;
const players = new Players(video, send, { codecs, mse, classic, latency: query.get('latency') });
const view = new View({ poster, isSmooth: query.get('latency') === 'smooth' });
const figures = new Figures(players, video, $('stats'));
const endHold = holdEvents(loadDeferred);

// --- State and words

/** @param {import('./states.js').Untimed} event */
function send(event) {
  follow(next(state, /** @type {import('./states.js').Event} */ ({ nowMs: performance.now(), ...event })));
}

/**
 * What the page shows of its state: many times a second, only the rest changes.
 *
 * @type {(keyof import('./states.js').State)[]}
 */
const SHOWN = [
  'name',
  'error',
  'wantsPlay',
  'isBlocked',
  'isWrongKey',
  'wasOnAir',
  'hasEnded',
  'hitch',
  'isStill',
  'missing',
  'mime',
  'ignored',
  'retryAtMs',
  'slowCodecs',
];

/** @param {import('./states.js').Step} step */
function follow(step) {
  const former = state;
  state = step.state;
  const isElsewhere = former?.shift.wantedMs !== state.shift.wantedMs || former.shift.isConnecting !== state.shift.isConnecting;
  if (isElsewhere || SHOWN.some((fact) => former[fact] !== state[fact])) speak();
  if (former?.name !== state.name) enter();
  for (const effect of step.effects) perform(effect, step);
}

/**
 * @param {import('./states.js').Effect} effect
 * @param {import('./states.js').Step} step
 */
function perform(effect, step) {
  switch (effect) {
    case 'connect':
      connect();
      break;
    case 'reconnect':
      socket?.reconnect();
      break;
    case 'retryNow':
      socket?.retryNow();
      break;
    case 'closeSocket':
      socket?.close();
      break;
    case 'newPlayer':
      players.renew(state);
      break;
    case 'announce':
      players.announce(state.mime, toldBehindMs, toldBacklog);
      break;
    case 'seekHere':
      players.seekHere(state.shift.wantedMs);
      break;
    case 'showAddress':
      loadDeferred().then((rest) => rest?.showAddress(state));
      break;
    case 'skipped':
      players.skipped();
      break;
    case 'catchUp':
      players.player?.catchUp();
      break;
    case 'dropPlayer':
      players.drop();
      break;
    case 'openPlain':
      openPlain();
      break;
    case 'closePlain':
      players.closePlain();
      break;
    case 'watchPlain':
      players.timePlain(state);
      break;
    case 'play':
      play();
      break;
    case 'pause':
      video.pause();
      break;
    case 'askWhy':
      askWhy();
      break;
    case 'askKey':
      keyField.value = '';
      keyField.focus();
      break;
    case 'showStill':
      view.showStill(state);
      break;
    case 'reload':
      location.reload();
      break;
    case 'warn':
      console.warn(step.warning);
      break;
    default:
      noSuch('effect', effect);
  }
}

function speak() {
  const facts = { ...state, name, isPaused: isPaused(state), behindMs: state.shift.wantedMs, isSound: isSoundOnly(state) };
  const words = (deferred?.wordsFor ?? briefWordsFor)(state.name, facts);
  view.show(state, players.player, words);
  if (words) deferred?.tell(state);
  else loadDeferred();
}

/** Loads what comes behind the picture, and does what a person did meanwhile. Null where it does not load now. */
async function loadDeferred() {
  loading ??= import('./deferred.js').catch(() => null);
  const loaded = await loading;
  if (!loaded) {
    endHold(false);
    setTimeout(() => {
      loading = null;
    }, AGAIN_AFTER_MS);
  }
  if (!loaded || deferred) return deferred;
  const page = { name, watchPath, isEmbedded, credentials, players, figures, now: () => state, send, askBack };
  deferred = new loaded.Deferred(page);
  if (viewers !== null) deferred.tellViewers(viewers);
  speak();
  endHold(true);
  return deferred;
}

/** A new picture each time: what is there by now. */
function poster() {
  return credentials.url(`${watchPath}/poster`, { bare: '', cache: Date.now() });
}

/** The page has come to another state. */
function enter() {
  if (state.name !== 'connecting') deferredAtMs = Math.min(deferredAtMs, performance.now() + DEFERRED_AFTER_MS);
  if (state.name === 'ended' || state.name === 'waiting') offerMore();
}

/** Where the person may go from here. */
async function offerMore() {
  const rest = await loadDeferred();
  rest?.refresh(true);
  view.hasRecordings = (await rest?.hasRecordings()) ?? false;
  speak();
}

// --- Playing

async function play() {
  try {
    await video.play();
  } catch (reason) {
    if (!(reason instanceof Error) || reason.name !== 'NotAllowedError' || video.muted) return;
    // Sound needs a click first: begin without, and offer it.
    video.muted = true;
    $('unmute').hidden = false;
    await video.play().catch(() => {
      // Not even that. The tap that starts it will start it with sound.
      video.muted = false;
      send({ type: 'blocked' });
    });
  }
}

function openPlain() {
  const url = new URL(credentials.url(`${watchPath}.webm`), location.href);
  players.openPlain(url.href, () => kindsOf(state.mime).video.length > 0, askAbout);
}

/** Where the socket begins: where the person is. */
function address() {
  const behindMs = restartBehindMs(state.shift);
  return socketUrl(location.href, credentials, behindMs ? { t: String(-behindMs / 1000) } : {});
}

function connect() {
  socket?.close();
  const file = (/** @type {string} */ each, extra = {}) => credentials.url(`${watchPath}/${each}`, extra);
  socket = new WayIn(address, file, {
    message: onMessage,
    data(bytes) {
      send({ type: 'data', hasPicture: players.hasPicture });
      players.push(bytes);
    },
    lost: ({ opened, attempt, retryInMs }) => send({ type: 'lost', opened, attempt, retryInMs }),
  });
  socket.connect({ bySegments: query.get('via') === 'segments' });
}

// --- The server

/** Without a socket, what the stream is doing is asked for. */
async function askAbout() {
  const response = await server.ask();
  if (response?.status === 401) {
    send({ type: 'answered', problem: null, needsKey: true, hadKey: credentials.isKnown });
    return;
  }
  const stream = response?.ok ? await response.json().catch(() => null) : null;
  const mime = stream?.mime ?? null;
  showViewers(stream?.viewers);
  $('recorded').hidden = !stream?.recording;
  send({ type: 'polled', live: Boolean(stream?.live), mime, plays: playsOf(mime ?? '', canPlay) });
}

/** A socket does not say why it was refused: the same server tells a plain request. */
async function askWhy() {
  const asked = socket;
  const answer = await server.ask();
  if (!answer) return;
  const needsKey = answer.status === 401;
  const problem = needsKey ? null : ((await loadDeferred())?.explainRefusal(answer.status) ?? null);
  if (!socket || asked !== socket || socket.isOpen) return;
  send({ type: 'answered', problem, needsKey, hadKey: credentials.isKnown });
}

/** @param {import('../lib/socket.js').Message} message */
function onMessage(message) {
  switch (message.type) {
    case 'hello':
      // Said next, where it is so.
      $('recorded').hidden = true;
      send({ type: 'hello', live: message.live, hasPicture: players.hasPicture });
      if (message.back_ms !== undefined) send({ type: 'backTold', backMs: message.back_ms, isGrowing: false });
      break;
    case 'init':
      toldBehindMs = message.behind_ms ?? 0;
      toldBacklog = message.backlog ?? null;
      send({
        type: 'init',
        mime: message.mime,
        plays: playsOf(message.mime, (type) => players.plays(type, state)),
        hasPicture: players.hasPicture,
      });
      break;
    case 'skip':
    case 'stalled':
    case 'resumed':
      send({ type: message.type });
      break;
    case 'offline':
      send({ type: 'offline', reason: message.reason });
      break;
    case 'viewers':
      showViewers(message.count);
      break;
    case 'recording':
      $('recorded').hidden = !message.on;
      send({ type: 'backTold', backMs: furthestBackMs(state.shift, performance.now()), isGrowing: message.on });
      break;
    default: // A newer server may say more.
  }
}

/** How far back one can go. */
async function askBack() {
  const response = await server.ask();
  const stream = response?.ok ? await response.json().catch(() => null) : null;
  if (stream) send({ type: 'backTold', backMs: stream.back_ms ?? 0, isGrowing: Boolean(stream.recording) });
  deferred?.showPlace(state);
}

/** @param {number | null | undefined} count */
function showViewers(count) {
  $('viewers').classList.toggle('unknown', count === undefined || count === null);
  viewers = count ?? null;
  if (viewers !== null) write('viewers', counted(viewers, 'viewer'));
  deferred?.tellViewers(viewers);
}

// --- Figures

function tick() {
  send({ type: 'ticked', isOpen: Boolean(socket?.isOpen) });
  figures.show(state);
  view.showCountdown(state);
  deferred?.showPlace(state);
  if (performance.now() < deferredAtMs || state.name === 'connecting' || state.name === 'reconnecting') return;
  if (!deferred) loadDeferred();
  else if (!document.hidden) deferred.refresh();
}

function look() {
  view.fit();
  const { latency_ms: behindMs, buffer_ms: aheadMs, gaps } = players.stats();
  send({ type: 'looked', position: video.currentTime, aheadMs, gaps, behindMs, isOffline: navigator.onLine === false });
}

video.addEventListener('playing', () => {
  send({ type: 'playing' });
  // Sound may flow only now.
  if (isSoundOnly(state)) speak();
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) send({ type: 'shown', isPaused: video.paused });
});
window.addEventListener('online', () => {
  look();
  send({ type: 'online' });
});
window.addEventListener('offline', look);

// Without this handler the browser would leave the page with the form.
$('key-form').onsubmit = (event) => {
  event.preventDefault();
  credentials.remember(keyField.value);
  send({ type: 'keyGiven' });
};

// --- Begin

root.toggleAttribute('data-embed', isEmbedded);
write('name', name);
$('name').title = name;
if (isEmbedded) {
  const href = withCredentials(watchPath, location.search);
  Object.assign($('full'), { href, textContent: name, title: `${name} on its own page` });
}
const { volume, isMuted } = rememberedVolume();
Object.assign(video, { volume, muted: isMuted });
// Until the script of the controls is there, they show full volume.
video.addEventListener('volumechange', loadDeferred, { once: true });
/** @type {any} */ (window).videostream = {
  get state() {
    return state.name;
  },
  stats: () => figures.stats(state),
  get picture() {
    return players.picture;
  },
};
follow(
  begin({
    hasMse,
    isPlain,
    isClassic,
    behindMs: beginsBehindMs,
    nowMs: performance.now(),
  }),
);
setInterval(tick, FIGURES_MS);
setInterval(look, LOOK_MS);
