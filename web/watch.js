// The viewer page: wires the socket, a player and the controls to the stage.

import { canPlay, mediaSourceClass, MsePlayer } from './mse-player.js';
import { SrcPlayer } from './src-player.js';
import { socketUrl, StreamSocket } from './socket.js';
import { withCredentials } from './credentials.js';
import { codecsOf } from './webm-edit.js';
import { counted, milliseconds } from './format.js';
import { nameFromPath } from './stream-name.js';
import { explainRefusal, explainUnplayable, wordsFor } from './watch-words.js';
import { showStats, statsRows, StripReader } from './stats-panel.js';

const FIGURES_MS = 500;
/** Off air for so long after we saw it: it has ended rather than paused. */
const ENDED_AFTER_MS = 30_000;
/** On air, and yet nothing comes: the connection is dead without knowing it. */
const SILENT_MS = 12_000;
/** Fresh joins after faults within this time, before we give up. */
const FAULTS_WITHIN_MS = 20_000;
const FAULTS_MOST = 4;
const CONTROLS_MS = 2500;
const POLL_MS = 3000;

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const stage = $('stage');
const video = $('video');
const query = new URLSearchParams(location.search);
const name = nameFromPath(location.pathname) ?? '';
const watchPath = `/live/${encodeURIComponent(name)}`;
const strip = new StripReader();

let state = 'idle';
let error = null;
let player = null;
let socket = null;
let mime = '';
let isOnAir = false;
let wasOnAir = false;
let offAirAtMs = 0;
let lastDataMs = performance.now();
let ignoredKind = null;
let wantsPlay = true;
let faults = [];
/** The connection that the player was fed by is gone; the next one brings its own. */
let isStale = false;

// --- State and words

function setState(next, problem = null) {
  state = next;
  error = problem;
  root.dataset.state = next;
  speak();
}

function speak() {
  const isPaused = state === 'playing' && !wantsPlay;
  const words = wordsFor(state, { name, error, isPaused, wasOnAir });
  const write = (id, text) => {
    if ($(id).textContent !== text) $(id).textContent = text;
  };
  write('title', words.title);
  write('text', words.text);
  write('sentence', `${words.title} ${words.text}`.trim());
  root.toggleAttribute('data-paused', isPaused);
  $('retry').hidden = state !== 'error' && state !== 'reconnecting';
  const showsStill = state === 'waiting' || state === 'ended' || state === 'connecting';
  if (!showsStill) $('still').hidden = true;
}

// --- Playing

function startPlaying() {
  setState('playing');
  if (wantsPlay) play();
}

async function play() {
  wantsPlay = true;
  try {
    await video.play();
  } catch (reason) {
    if (reason.name !== 'NotAllowedError' || video.muted) return;
    // Sound needs a click first: begin without, and offer it.
    video.muted = true;
    $('unmute').hidden = false;
    await video.play().catch(() => pause());
  }
  speak();
}

function pause() {
  wantsPlay = false;
  video.pause();
  speak();
}

function togglePlay() {
  if (wantsPlay) {
    pause();
  } else {
    player?.catchUp();
    play();
  }
}

function newPlayer() {
  isStale = false;
  player?.destroy();
  player = new MsePlayer(video, {
    ready: startPlaying,
    failed: (reason) => joinAfresh(reason),
    starved(kind) {
      ignoredKind = kind;
      joinAfresh(null);
    },
  }, { ignore: ignoredKind });
}

/** A new player and a new connection, which begins at the newest keyframe. */
function joinAfresh(reason) {
  const nowMs = performance.now();
  faults = faults.filter((atMs) => nowMs - atMs < FAULTS_WITHIN_MS);
  faults.push(nowMs);
  console.warn(`joining afresh: ${reason?.message ?? `tracks ended, ignoring ${ignoredKind}`}`);
  if (faults.length > FAULTS_MOST) {
    socket.close();
    setState('error', {
      title: 'The stream cannot be played.',
      text: `${reason ? `The browser says: ${reason.message}. ` : ''}Press Try again, or open it in another browser.`,
    });
    return;
  }
  newPlayer();
  setState(wasOnAir ? 'reconnecting' : 'connecting');
  socket.reconnect();
}

function useSrcPlayer() {
  socket?.close();
  player?.destroy();
  const url = new URL(withCredentials(`${watchPath}.webm`, location.search), location.href);
  setState('connecting');
  player = new SrcPlayer(video, {
    ready: startPlaying,
    lost() {
      if (video.error && isOnAir && mime && !video.canPlayType(mime)) setState('error', explainUnplayable(mime));
      else setState(isOnAir ? 'reconnecting' : wasOnAir ? 'ended' : 'waiting');
    },
  }, url.href);
  setInterval(askAbout, POLL_MS);
  askAbout();
}

/** What the server says of the stream, or null. */
async function readState() {
  const url = withCredentials(`/api/streams/${encodeURIComponent(name)}`, location.search);
  const response = await fetch(url, { cache: 'no-store' }).catch(() => null);
  return response?.ok ? response.json().catch(() => null) : null;
}

/** Without a socket, what the stream is doing is asked for. */
async function askAbout() {
  const stream = await readState();
  isOnAir = Boolean(stream?.live);
  wasOnAir ||= isOnAir;
  mime = stream?.mime ?? mime;
  showViewers(stream?.viewers);
  if (!isOnAir && state !== 'error' && state !== 'playing') setState(wasOnAir ? 'ended' : 'waiting');
}

// --- The socket

function onMessage(message) {
  switch (message.type) {
    case 'hello':
      if (message.live) onAir();
      else offAir();
      break;
    case 'init':
      onAir();
      mime = message.mime;
      if (isStale) newPlayer();
      if (canPlay(mime)) player.announce(mime);
      else if (video.canPlayType(mime) || /matroska/.test(mime)) useSrcPlayer();
      else {
        socket.close();
        setState('error', explainUnplayable(mime));
      }
      break;
    case 'skip':
      player.skipped();
      break;
    case 'offline':
      offAir();
      break;
    case 'viewers':
      showViewers(message.count);
      break;
    default: // A newer server may say more.
  }
}

function onAir() {
  isOnAir = true;
  wasOnAir = true;
  lastDataMs = performance.now();
  if (state === 'waiting' || state === 'ended') setState(video.readyState > 2 ? 'playing' : 'connecting');
}

function offAir() {
  isOnAir = false;
  offAirAtMs = performance.now();
  setState('waiting');
  showStill();
}

function onData(bytes) {
  lastDataMs = performance.now();
  if (!isOnAir) onAir();
  player.push(bytes);
}

async function onLost({ opened, attempt }) {
  isStale = true;
  if (state !== 'error') setState(wasOnAir || attempt > 0 ? 'reconnecting' : 'connecting');
  if (opened || attempt > 0) return;
  const url = withCredentials(watchPath, location.search);
  const answer = await fetch(url, { method: 'HEAD', credentials: 'omit' }).catch(() => null);
  const refusal = answer && explainRefusal(answer.status);
  if (!refusal) return;
  socket.close();
  setState('error', refusal);
}

function showViewers(count) {
  const badge = $('viewers');
  badge.hidden = count === undefined || count === null;
  if (!badge.hidden) badge.textContent = `${counted(count, 'viewer')}`;
}

/** The last poster, behind the words, while there is no picture. */
async function showStill() {
  if (video.readyState >= 2 || !(await readState())?.poster) return;
  $('still').onload = () => {
    $('still').hidden = state !== 'waiting' && state !== 'ended';
  };
  $('still').src = withCredentials(`${watchPath}.jpg`, location.search, { t: Date.now() });
}

// --- Figures

function stats() {
  const known = player?.stats() ?? {};
  return {
    state,
    ...known,
    codecs: codecsOf(mime).join(', '),
    width: video.videoWidth,
    height: video.videoHeight,
    muted: video.muted,
    paused: video.paused,
    current_time_s: video.currentTime,
    glass_ms: strip.ageMs(video),
  };
}

function showFigures() {
  const nowMs = performance.now();
  const latency = state === 'playing' && wantsPlay ? player?.stats().latency_ms ?? null : null;
  // In steps of 50 ms: a figure beside a sentence should stand still.
  const text = latency === null ? '' : `About ${milliseconds(Math.max(50, Math.round(latency / 50) * 50))} behind.`;
  if ($('latency').textContent !== text) $('latency').textContent = text;
  if (state === 'waiting' && wasOnAir && nowMs - offAirAtMs > ENDED_AFTER_MS) setState('ended');
  if (isOnAir && socket?.isOpen && nowMs - lastDataMs > SILENT_MS) {
    lastDataMs = nowMs;
    isStale = true;
    setState('reconnecting');
    socket.reconnect();
  }
  if (!$('stats').hidden && player) showStats($('stats'), statsRows(stats()));
}

// --- Controls

function toggleStats() {
  $('stats').hidden = !$('stats').hidden;
  root.toggleAttribute('data-stats', !$('stats').hidden);
  $('stats-button').setAttribute('aria-pressed', String(!$('stats').hidden));
  showFigures();
}

function toggleMute() {
  video.muted = !video.muted;
  if (!video.muted && video.volume === 0) video.volume = 0.5;
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {});
  else video.webkitEnterFullscreen?.();
}

function togglePip() {
  if (document.pictureInPictureElement) document.exitPictureInPicture();
  else video.requestPictureInPicture?.().catch(() => {});
}

let hideControls = 0;
function showControls() {
  stage.classList.add('active');
  clearTimeout(hideControls);
  hideControls = setTimeout(() => stage.classList.remove('active'), CONTROLS_MS);
}

const KEYS = {
  ' ': togglePlay, k: togglePlay, m: toggleMute, f: toggleFullscreen, s: toggleStats, p: togglePip,
  ArrowUp: () => { video.volume = Math.min(1, video.volume + 0.1); },
  ArrowDown: () => { video.volume = Math.max(0, video.volume - 0.1); },
};

document.addEventListener('keydown', (event) => {
  const isField = event.target.closest?.('input, button, a');
  const action = KEYS[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isField && (event.key === ' ' || event.key.startsWith('Arrow'))) return;
  event.preventDefault();
  action();
  showControls();
});

stage.addEventListener('pointermove', showControls);
stage.addEventListener('pointerdown', showControls);
stage.addEventListener('focusin', showControls);
$('pause').onclick = togglePlay;
$('mute').onclick = toggleMute;
$('unmute').onclick = () => {
  video.muted = false;
  play();
};
$('volume').oninput = ({ target }) => {
  video.volume = Number(target.value);
  video.muted = video.volume === 0;
};
$('stats-button').onclick = toggleStats;
$('pip').onclick = togglePip;
$('pip').hidden = !document.pictureInPictureEnabled;
$('fullscreen').onclick = toggleFullscreen;
$('retry').onclick = () => (state === 'error' || !socket ? location.reload() : socket.retryNow());
video.addEventListener('playing', () => {
  if (isOnAir && wantsPlay && state !== 'error') setState('playing');
});
video.ondblclick = toggleFullscreen;
video.onvolumechange = () => {
  root.toggleAttribute('data-muted', video.muted);
  $('volume').value = video.muted ? 0 : video.volume;
  $('mute').ariaLabel = video.muted ? 'Unmute' : 'Mute';
  if (!video.muted) $('unmute').hidden = true;
};
$('share').onclick = async ({ target }) => {
  const link = `${location.origin}${location.pathname}`;
  await navigator.clipboard?.writeText(link).then(
    () => { target.textContent = 'Copied'; },
    () => { target.textContent = 'Copy failed'; },
  );
  setTimeout(() => { target.textContent = 'Copy link'; }, 2000);
};
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && state === 'playing' && wantsPlay && video.paused) play();
});
window.addEventListener('online', () => socket?.retryNow());

// --- Begin

root.toggleAttribute('data-embed', query.has('embed'));
$('name').textContent = name;
document.title = `${name} · videostream`;
window.videostream = { get state() { return state; }, stats };
setInterval(showFigures, FIGURES_MS);
showControls();

if (query.get('player') === 'src' || !mediaSourceClass()) {
  useSrcPlayer();
} else {
  setState('connecting');
  newPlayer();
  socket = new StreamSocket(socketUrl(location.href), { message: onMessage, data: onData, lost: onLost });
  socket.connect();
}
