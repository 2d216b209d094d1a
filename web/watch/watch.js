// The viewer page: wires the socket, a player and the controls to the stage. What follows from what
// is decided in machine.js, and worded in words.js.

import { canPlay, mediaSourceClass, MsePlayer } from '../player/mse-player.js';
import { ClassicPlayer } from '../player/classic-player.js';
import { rangesOf } from '../player/live-edge.js';
import { SrcPlayer } from '../player/src-player.js';
import { socketUrl, StreamSocket } from '../lib/socket.js';
import { Credentials } from '../lib/credentials.js';
import { element } from '../lib/element.js';
import { at } from '../lib/place.js';
import { codecsOf } from '../player/webm-edit.js';
import { counted, milliseconds } from '../lib/format.js';
import { nameFromPath } from '../lib/stream-name.js';
import { latencyOf, wantsCodecs } from '../player/latency.js';
import { begin, isHitched, isPaused, next, seeks } from './machine.js';
import { SeekBar, stepOf } from './seek-bar.js';
import { askedBehindMs, furthestBackMs, isShifted, LIVE_WITHIN_MS, restartBehindMs, shownBehindMs } from './time-shift.js';
import { kindsOf, mseType, playsOf } from './types.js';
import { explainRefusal, wordsFor } from './words.js';
import { showStats, statsRows, StripReader } from './stats-panel.js';
import { noSuch } from '../lib/no-such.js';

const FIGURES_MS = 500;
/** How often we look whether the picture moves. */
const LOOK_MS = 100;
/** After so long without a picture, the page says why. */
const SLOW_MS = 2500;
/** How long the plain stream may take to show a picture: browsers want seconds of it first. */
const PLAIN_WITHIN_MS = 3000;
/**
 * The same where the browser has a decoder for the picture, so that it will come: Chromium reads
 * 32 KB at a time, and wants two or three of them.
 */
const PLAIN_KNOWN_WITHIN_MS = 20_000;
/** After so long without a picture, the page shows the stream's poster. Most streams play before. */
const STILL_AFTER_MS = 400;
const CONTROLS_MS = 2500;
const POLL_MS = 3000;
/** How old may be what the server said about how far back one can go, when the bar is looked at. */
const BACK_KNOWN_MS = 5000;

/** @typedef {import('./machine.js').Event} PageEvent */
/**
 * Without the time, which every event gets.
 *
 * @template T
 * @typedef {T extends unknown ? Omit<T, 'nowMs'> : never} Untimed
 */

const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const root = document.documentElement;
const stage = $('stage');
const video = element('video', HTMLVideoElement);
const keyField = element('key', HTMLInputElement);
const volume = element('volume', HTMLInputElement);
const still = element('still', HTMLImageElement);
const vlc = element('vlc', HTMLAnchorElement);
const query = new URLSearchParams(location.search);
const name = nameFromPath(location.pathname) ?? '';
const watchPath = at(`live/${encodeURIComponent(name)}`);
const credentials = new Credentials('watch', name);
const strip = new StripReader();
/**
 * The module that plays through WebCodecs, which only those who want it load; null for the others, and
 * once it could not play.
 */
let codecs = wantsCodecs(query) ? await loadCodecs() : null;

/** @type {import('./machine.js').State} */
let state;
/** @type {MsePlayer | SrcPlayer | ClassicPlayer | import('../player/codecs/codecs-player.js').CodecsPlayer | null} */
let player = null;
/** @type {StreamSocket | null} */
let socket = null;
const seekBar = new SeekBar(
  {
    timeline: $('timeline'),
    bar: element('seek', HTMLInputElement),
    live: element('live', HTMLButtonElement),
    behind: $('behind'),
  },
  seek,
);
let askedBackAtMs = -Infinity;
/** How long ago the media behind the newest init segment came. */
let toldBehindMs = 0;
/** @type {Record<'late' | 'slow' | 'ask', ReturnType<typeof setTimeout> | undefined>} */
const plainTimers = { late: undefined, slow: undefined, ask: undefined };

// --- State and words

/** @param {Untimed<PageEvent>} event */
function send(event) {
  follow(next(state, /** @type {PageEvent} */ ({ nowMs: performance.now(), ...event })));
}

/**
 * What the page shows of its state: many times a second, only the rest changes.
 *
 * @type {(keyof import('./machine.js').State)[]}
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
  'slowCodecs',
];

/** @param {import('./machine.js').Step} step */
function follow(step) {
  const former = state;
  state = step.state;
  const isElsewhere = former?.shift.wantedMs !== state.shift.wantedMs || former.shift.isConnecting !== state.shift.isConnecting;
  if (isElsewhere || SHOWN.some((fact) => former[fact] !== state[fact])) {
    speak();
    showPlace();
  }
  for (const effect of step.effects) perform(effect, step);
}

/**
 * @param {import('./machine.js').Effect} effect
 * @param {import('./machine.js').Step} step
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
      newPlayer();
      break;
    case 'announce':
      if (player && 'announce' in player) player.announce(mseType(state.mime), toldBehindMs);
      break;
    case 'seekHere':
      if (player instanceof MsePlayer) player.seekBehind(state.shift.wantedMs);
      break;
    case 'showAddress':
      showAddress();
      break;
    case 'skipped':
      if (player && 'skipped' in player) player.skipped();
      break;
    case 'catchUp':
      player?.catchUp();
      break;
    case 'dropPlayer':
      player?.destroy();
      player = null;
      break;
    case 'openPlain':
      openPlain();
      break;
    case 'closePlain':
      clearTimeout(plainTimers.late);
      clearTimeout(plainTimers.slow);
      clearInterval(plainTimers.ask);
      break;
    case 'watchPlain':
      watchPlain();
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
      showStill();
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
  const paused = isPaused(state);
  const behindMs = state.shift.wantedMs;
  const words = wordsFor(state.name, { ...state, name, isPaused: paused, behindMs });
  const write = (/** @type {string} */ id, /** @type {string} */ text) => {
    if ($(id).textContent !== text) $(id).textContent = text;
  };
  root.dataset.state = state.name;
  write('title', words.title);
  write('text', words.text);
  write('sentence', `${words.title} ${words.text}`.trim());
  root.toggleAttribute('data-paused', paused);
  root.toggleAttribute('data-still', state.isStill);
  root.toggleAttribute('data-hitched', isHitched(state));
  root.dataset.hitch = state.name === 'playing' && !paused ? state.hitch : '';
  root.toggleAttribute('data-shifted', behindMs > 0);
  root.toggleAttribute('data-seeking', state.shift.isConnecting);
  write('badge', state.hitch && state.hitch !== 'slow' ? 'Waiting' : behindMs ? 'Behind live' : 'Live');
  $('play').hidden = !paused;
  if (paused) $('unmute').hidden = true;
  $('pause').ariaLabel = paused ? 'Play' : 'Pause';
  $('key-form').hidden = state.name !== 'locked';
  $('others').hidden = state.name !== 'ended' || !state.hasEnded;
  vlc.hidden = !state.error?.hasPlainStream;
  $('retry').hidden = state.name !== 'error' && state.name !== 'reconnecting';
  if (!hasStill()) still.hidden = true;
}

/** The poster stands behind the words while there is no picture. */
const hasStill = () => state.name === 'waiting' || state.name === 'ended' || state.name === 'connecting';

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

const hasPicture = () => video.readyState > 2;

async function loadCodecs() {
  const loaded = await import('../player/codecs/codecs-player.js').catch(() => null);
  return loaded?.canPlayByCodecs() ? loaded : null;
}

/**
 * Whether the chosen player plays a type. That WebCodecs do not shows when they get it.
 *
 * @param {string} mime
 */
const playsSocket = (mime) => (codecs !== null && !isShifted(state.shift)) || canPlay(mime);

function newPlayer() {
  player?.destroy();
  if (codecs && !isShifted(state.shift)) {
    player = new codecs.CodecsPlayer(
      video,
      {
        ready: () => send({ type: 'ready' }),
        unable({ message }) {
          codecs = null;
          send({ type: 'failed', message: `WebCodecs: ${message}` });
        },
        declared: onDeclared,
      },
      { ignore: state.ignored, latency: latencyOf(query.get('latency')) },
    );
    return;
  }
  if (state.isClassic) {
    player = new ClassicPlayer(video, {
      ready: () => send({ type: 'ready' }),
      failed: ({ message }) => send({ type: 'failed', message }),
    });
    return;
  }
  player = new MsePlayer(
    video,
    {
      ready: () => send({ type: 'ready' }),
      failed: ({ message }) => send({ type: 'failed', message }),
      starved: (kind) => send({ type: 'starved', kind }),
      declared: onDeclared,
    },
    {
      ignore: state.ignored,
      behindMs: isShifted(state.shift) ? restartBehindMs(state.shift) : null,
      latency: latencyOf(query.get('latency')),
    },
  );
}

/** @param {import('../player/webm-scan.js').Track[]} tracks */
function onDeclared(tracks) {
  send({ type: 'declared', tracks });
  return !tracks.some(({ encoding }) => encoding);
}

/** The picture's codecs of a stream that has one. */
const pictures = () => kindsOf(state.mime).video;

/** Without a picture in time, what is left is tried or told. */
function watchPlain() {
  const plays = (/** @type {string} */ codec) =>
    video.canPlayType(`video/mp4;codecs="${codec.length > 4 ? codec : `${codec}.42E01E`}"`) || canPlay(`video/webm;codecs="${codec}"`);
  const isKnown = !state.tracks.some(({ encoding }) => encoding) && pictures().every((codec) => plays(codec));
  clearTimeout(plainTimers.late);
  clearTimeout(plainTimers.slow);
  if (isKnown) plainTimers.slow = setTimeout(() => send({ type: 'plainSlow', codecs: pictures() }), SLOW_MS);
  plainTimers.late = setTimeout(
    () => {
      if (video.readyState < 2 || (pictures().length && !video.videoWidth)) send({ type: 'plainLate' });
    },
    isKnown ? PLAIN_KNOWN_WITHIN_MS : PLAIN_WITHIN_MS,
  );
}

function openPlain() {
  player?.destroy();
  const url = new URL(credentials.url(`${watchPath}.webm`), location.href);
  player = new SrcPlayer(
    video,
    {
      ready() {
        // Sound without its picture is no success.
        if (!pictures().length || video.videoWidth) send({ type: 'ready' });
      },
      lost: () => send({ type: 'plainLost', isBroken: video.error !== null }),
    },
    url.href,
  );
  clearInterval(plainTimers.ask);
  plainTimers.ask = setInterval(askAbout, POLL_MS);
  askAbout();
}

/** Where the socket begins: where the person is. */
function address() {
  const behindMs = restartBehindMs(state.shift);
  return socketUrl(location.href, credentials, behindMs ? { t: String(-behindMs / 1000) } : {});
}

function connect() {
  socket?.close();
  socket = new StreamSocket(address, {
    message: onMessage,
    data(bytes) {
      send({ type: 'data', hasPicture: hasPicture() });
      if (player && !(player instanceof SrcPlayer)) player.push(bytes);
    },
    lost: ({ opened, attempt }) => send({ type: 'lost', opened, attempt }),
  });
  socket.connect();
}

// --- The server

/** The server's answer about the stream, or null. */
function askServer() {
  const url = credentials.url(at(`api/streams/${encodeURIComponent(name)}`));
  return fetch(url, { cache: 'no-store', headers: { accept: 'application/json' } }).catch(() => null);
}

/** Without a socket, what the stream is doing is asked for. */
async function askAbout() {
  const response = await askServer();
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
  const answer = await askServer();
  if (!answer || !socket || asked !== socket || socket.isOpen) return;
  const needsKey = answer.status === 401;
  send({ type: 'answered', problem: explainRefusal(answer.status), needsKey, hadKey: credentials.isKnown });
}

/** @param {import('../lib/socket.js').Message} message */
function onMessage(message) {
  switch (message.type) {
    case 'hello':
      // Said next, where it is so.
      $('recorded').hidden = true;
      send({ type: 'hello', live: message.live, hasPicture: hasPicture() });
      if (message.back_ms !== undefined) send({ type: 'backTold', backMs: message.back_ms, isGrowing: false });
      break;
    case 'init':
      toldBehindMs = message.behind_ms ?? 0;
      send({ type: 'init', mime: message.mime, plays: playsOf(message.mime, playsSocket), hasPicture: hasPicture() });
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
  askedBackAtMs = performance.now();
  const response = await askServer();
  const stream = response?.ok ? await response.json().catch(() => null) : null;
  if (stream) send({ type: 'backTold', backMs: stream.back_ms ?? 0, isGrowing: Boolean(stream.recording) });
  showPlace();
}

/** @param {number | null | undefined} count */
function showViewers(count) {
  const badge = $('viewers');
  badge.hidden = count === undefined || count === null;
  if (!badge.hidden) badge.textContent = counted(count ?? 0, 'viewer');
}

/** What the server has as a picture of the stream: its name at least. */
function showStill() {
  if (video.readyState >= 2 || !hasStill()) return;
  still.onload = () => {
    still.hidden = !hasStill();
  };
  // Lazy is what its place in the page needs; a hidden one would never load so.
  still.loading = 'eager';
  still.src = credentials.url(`${watchPath}/poster`, { bare: '', cache: Date.now() });
}

// --- Figures

const NO_FIGURES = {
  latency_ms: null,
  buffer_ms: 0,
  target_ms: null,
  rate: 1,
  bitrate_bps: null,
  frames: null,
  dropped: null,
  underflows: 0,
  skips: 0,
};

/** What the picture can be read from. */
const shownBy = () => (player && 'picture' in player ? player.picture : video);

function stats() {
  return {
    state: state.name,
    ...(player?.stats() ?? NO_FIGURES),
    codecs: codecsOf(state.mime).join(', '),
    width: video.videoWidth,
    height: video.videoHeight,
    muted: video.muted,
    paused: video.paused,
    current_time_s: video.currentTime,
    glass_ms: strip.ageMs(shownBy()),
    behind_ms: shownBehindMs(state.shift),
    back_ms: furthestBackMs(state.shift, performance.now()),
  };
}

function showFigures() {
  const isMoving = state.name === 'playing' && state.wantsPlay && !isHitched(state) && !isShifted(state.shift);
  const latency = isMoving ? (player?.stats().latency_ms ?? null) : null;
  // In steps of 50 ms: a figure beside a sentence should stand still.
  const text = latency === null ? '' : `About ${milliseconds(Math.max(50, Math.round(latency / 50) * 50))} behind.`;
  if ($('latency').textContent !== text) $('latency').textContent = text;
  if (!$('stats').hidden && player) showStats($('stats'), statsRows(stats()));
}

function tick() {
  send({ type: 'ticked', isOpen: Boolean(socket?.isOpen) });
  showFigures();
  showPlace();
}

function look() {
  const behindMs = player?.stats().latency_ms ?? null;
  send({ type: 'looked', position: video.currentTime, behindMs, isOffline: navigator.onLine === false });
}

// --- Back in time

function showPlace() {
  const backMs = furthestBackMs(state.shift, performance.now());
  seekBar.show({ backMs, behindMs: shownBehindMs(state.shift), isThere: seeks(state) });
}

/**
 * The person wants to be so far behind live.
 *
 * @param {number} behindMs
 */
function seek(behindMs) {
  const backMs = furthestBackMs(state.shift, performance.now());
  const withinMs = Math.min(Math.max(0, behindMs), backMs);
  send({ type: 'sought', behindMs: withinMs, isBuffered: isHere(withinMs) });
  showPlace();
}

/**
 * Whether no other connection is needed to be so far behind live: WebCodecs play nothing but live.
 *
 * @param {number} behindMs
 */
function isHere(behindMs) {
  if (codecs && behindMs < LIVE_WITHIN_MS) return !(player instanceof MsePlayer);
  return player instanceof MsePlayer && player.has(behindMs);
}

/** A page that is loaded again begins where the person is. */
function showAddress() {
  const here = new URL(location.href);
  const behindMs = state.shift.wantedMs;
  here.searchParams.delete('t');
  if (behindMs) here.searchParams.set('t', String(-Math.round(behindMs / 1000)));
  history.replaceState(null, '', here);
}

// --- Controls

function toggleStats() {
  $('stats').hidden = !$('stats').hidden;
  root.toggleAttribute('data-stats', !$('stats').hidden);
  $('stats-button').setAttribute('aria-pressed', String(!$('stats').hidden));
  showFigures();
}

const toggle = () => {
  const { buffered, currentTime } = video;
  send({ type: 'toggled', isBuffered: rangesOf(buffered).some(([from, to]) => currentTime >= from && currentTime < to) });
};

function toggleMute() {
  video.muted = !video.muted;
  if (!video.muted && video.volume === 0) video.volume = 0.5;
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
  // Older phones' own.
  else /** @type {any} */ (video).webkitEnterFullscreen?.();
}

function togglePip() {
  if (document.pictureInPictureElement) document.exitPictureInPicture();
  else video.requestPictureInPicture?.().catch(() => {});
}

let hideControls = 0;
function showControls() {
  stage.classList.add('active');
  if (seeks(state) && performance.now() - askedBackAtMs > BACK_KNOWN_MS) askBack();
  clearTimeout(hideControls);
  hideControls = setTimeout(() => stage.classList.remove('active'), CONTROLS_MS);
}

/** @type {Record<string, () => void>} */
const KEYS = {
  ' ': toggle,
  k: toggle,
  m: toggleMute,
  f: toggleFullscreen,
  s: toggleStats,
  p: togglePip,
  ArrowUp: () => {
    video.volume = Math.min(1, video.volume + 0.1);
  },
  ArrowDown: () => {
    video.volume = Math.max(0, video.volume - 0.1);
  },
};

document.addEventListener('keydown', (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const isField = target?.closest('input, button, a');
  const isOnBar = target?.id === 'seek';
  const step = stepOf(event.key, isOnBar);
  const moves = step !== null && seeks(state) && !$('timeline').hidden;
  const action = moves ? () => seek(shownBehindMs(state.shift) + step) : KEYS[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  // A key that is typed may have any letter.
  if (target?.closest('#key-form')) return;
  const isNative = event.key === ' ' || event.key.startsWith('Arrow') || event.key === 'Home' || event.key === 'End';
  if (isField && !isOnBar && isNative) return;
  event.preventDefault();
  action();
  showControls();
});

// A tap anywhere on the picture plays.
stage.addEventListener('click', ({ target }) => {
  const isControl = target instanceof Element && target.closest('.controls, .button, a');
  if (isPaused(state) && !isControl) toggle();
});
stage.addEventListener('pointermove', showControls);
stage.addEventListener('pointerdown', showControls);
stage.addEventListener('focusin', showControls);
$('pause').onclick = toggle;
$('mute').onclick = toggleMute;
$('unmute').onclick = () => {
  video.muted = false;
  send({ type: 'unmuted' });
};
volume.oninput = () => {
  video.volume = Number(volume.value);
  video.muted = video.volume === 0;
};
$('stats-button').onclick = toggleStats;
$('pip').onclick = togglePip;
$('pip').hidden = !document.pictureInPictureEnabled;
$('fullscreen').onclick = toggleFullscreen;
$('retry').onclick = () => send({ type: 'retried' });
$('key-form').onsubmit = (event) => {
  event.preventDefault();
  credentials.remember(keyField.value);
  send({ type: 'keyGiven' });
};
video.addEventListener('playing', () => send({ type: 'playing' }));
video.ondblclick = toggleFullscreen;
video.onvolumechange = () => {
  root.toggleAttribute('data-muted', video.muted);
  volume.value = String(video.muted ? 0 : video.volume);
  $('mute').ariaLabel = video.muted ? 'Unmute' : 'Mute';
  if (!video.muted) $('unmute').hidden = true;
};
/**
 * The clipboard needs a secure page; elsewhere a selected field does it.
 *
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand('copy');
    field.remove();
    return isCopied;
  }
}

$('share').onclick = async () => {
  const link = `${location.origin}${location.pathname}`;
  const isCopied = await copy(link);
  const hint = credentials.isKnown ? 'Copied. People need the key too.' : 'Copied';
  $('share').textContent = isCopied ? hint : 'Copy failed';
  setTimeout(
    () => {
      $('share').textContent = 'Copy link';
    },
    credentials.isKnown ? 4000 : 2000,
  );
};
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) send({ type: 'shown', isPaused: video.paused });
});
window.addEventListener('online', () => {
  look();
  send({ type: 'online' });
});
window.addEventListener('offline', look);

// --- Begin

root.toggleAttribute('data-embed', query.has('embed'));
$('name').textContent = name;
document.title = `${name} · videostream`;
/** @type {any} */ (window).videostream = {
  get state() {
    return state.name;
  },
  stats,
  get picture() {
    return shownBy();
  },
};
vlc.href = `${watchPath}.webm`;
vlc.onclick = async (event) => {
  event.preventDefault();
  const isCopied = await copy(new URL(credentials.url(`${watchPath}.webm`), location.href).href);
  vlc.textContent = isCopied ? 'Copied. In VLC: Open network stream.' : vlc.href;
};
follow(
  begin({
    hasMse: Boolean(codecs ?? mediaSourceClass()),
    isPlain: query.get('player') === 'src',
    isClassic: query.get('player') === 'classic',
    behindMs: askedBehindMs(query.get('t')),
    nowMs: performance.now(),
  }),
);
setTimeout(showStill, STILL_AFTER_MS);
setInterval(tick, FIGURES_MS);
setInterval(look, LOOK_MS);
showControls();
