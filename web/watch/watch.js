// The viewer page: wires the socket, a player and the controls to the stage.

import { canPlay, mediaSourceClass, MsePlayer } from '../player/mse-player.js';
import { SrcPlayer } from '../player/src-player.js';
import { socketUrl, StreamSocket } from '../lib/socket.js';
import { Credentials } from '../lib/credentials.js';
import { hitchOf } from './hitch.js';
import { at } from '../lib/place.js';
import { codecsOf, isAudioCodec, mimeWithoutKind } from '../player/webm-edit.js';
import { counted, milliseconds } from '../lib/format.js';
import { nameFromPath } from '../lib/stream-name.js';
import { explainMissing, explainRefusal, explainUnplayable, wordsFor } from './words.js';
import { showStats, statsRows, StripReader } from './stats-panel.js';

const FIGURES_MS = 500;
/** Off air for so long after we saw it: it has ended rather than paused. */
const ENDED_AFTER_MS = 30_000;
/** On air, and yet nothing comes, nor word of why: the connection is dead without knowing it. */
const SILENT_MS = 7000;
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
const watchPath = at(`live/${encodeURIComponent(name)}`);
const credentials = new Credentials('watch', name);
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
/** The browser lets nothing play before a tap. */
let isBlocked = false;
/** The publisher ended the stream, rather than lost it. */
let hasEnded = false;
/** The server says that nothing comes from the publisher. */
let isStalled = false;
let skipsAtMs = [];
let movedAtMs = performance.now();
let lastPosition = 0;
let hitch = '';
/** What of the stream this browser cannot play, in words. */
let missing = '';
let isWrongKey = false;
/** What the newest init segment declares. */
let tracks = [];
/** Once without success: the plain stream is not tried again for this type. */
let plainFailed = '';
let isSrc = false;
let plainTimer = 0;
/** What the browser takes its time to begin with, once that is worth a word. */
let slowCodecs = [];
let slowTimer = 0;
let askTimer = 0;

// --- State and words

function setState(next, problem = null) {
  state = next;
  error = problem;
  if (next !== 'connecting') slowCodecs = [];
  root.dataset.state = next;
  movedAtMs = performance.now();
  speak();
}

/** Asks for a key, in the page. */
function askForKey(wasWrong) {
  isWrongKey = wasWrong;
  socket?.close();
  setState('locked');
  $('key').value = '';
  $('key').focus();
}

function speak() {
  const isPaused = state === 'playing' && !wantsPlay;
  const words = wordsFor(state, { name, error, isPaused, isBlocked, wasOnAir, hasEnded, hitch, isWrongKey, missing, slowCodecs });
  const write = (id, text) => {
    if ($(id).textContent !== text) $(id).textContent = text;
  };
  write('title', words.title);
  write('text', words.text);
  write('sentence', `${words.title} ${words.text}`.trim());
  root.toggleAttribute('data-paused', isPaused);
  root.dataset.hitch = state === 'playing' && !isPaused ? hitch : '';
  write('badge', hitch && hitch !== 'slow' ? 'Waiting' : 'Live');
  $('play').hidden = !isPaused;
  if (isPaused) $('unmute').hidden = true;
  $('pause').ariaLabel = isPaused ? 'Play' : 'Pause';
  $('key-form').hidden = state !== 'locked';
  $('others').hidden = state !== 'ended' || !hasEnded;
  $('vlc').hidden = state !== 'error' || !error?.hasPlainStream;
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
  isBlocked = false;
  try {
    await video.play();
  } catch (reason) {
    if (reason.name !== 'NotAllowedError' || video.muted) return;
    // Sound needs a click first: begin without, and offer it.
    video.muted = true;
    $('unmute').hidden = false;
    await video.play().catch(() => {
      // Not even that. The tap that starts it will start it with sound.
      video.muted = false;
      isBlocked = true;
      pause();
    });
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
      // What this browser cannot play is left out for good.
      if (missing) return;
      ignoredKind = kind;
      joinAfresh(null);
    },
    declared(each) {
      tracks = each;
      if (!tracks.some(({ encoding }) => encoding)) return true;
      playPlainly();
      return false;
    },
  }, { ignore: ignoredKind });
}

/**
 * Plays as much of a type as this browser knows: all of it, or the picture or the sound alone, or
 * the plain stream, which it may play although Media Source Extensions refuse it.
 */
function playType() {
  const codecs = codecsOf(mime);
  const type = mseType();
  const kinds = { audio: codecs.filter(isAudioCodec), video: codecs.filter((codec) => !isAudioCodec(codec)) };
  const without = (kind) => kinds[kind].length > 0 && kinds[kind].length < codecs.length && canPlay(mimeWithoutKind(type, kind));
  if (canPlay(type)) {
    if (missing) leaveOut(null, '');
    player.announce(type);
  } else if (without('audio')) {
    leaveOut('audio', explainMissing('audio', kinds.audio));
  } else if (plainFailed !== mime) {
    playPlainly();
  } else if (without('video')) {
    leaveOut('video', explainMissing('video', kinds.video));
  } else {
    giveUp();
  }
}

function leaveOut(kind, words) {
  missing = words;
  if (ignoredKind !== kind) {
    ignoredKind = kind;
    newPlayer();
  }
  player.announce(mseType());
}

/** Where all depends on the codecs: Media Source Extensions know Matroska by WebM's name only. */
function mseType() {
  return mime.replace('video/x-matroska', 'video/webm').replace('audio/x-matroska', 'audio/webm');
}

function giveUp() {
  socket?.close();
  player?.destroy();
  player = null;
  setState('error', explainUnplayable(mime, codecsOf(mime), tracks));
}

/** Tries the plain stream; without a picture in time, what is left is tried or told. */
function playPlainly() {
  if (isSrc) return;
  useSrcPlayer();
  clearTimeout(plainTimer);
  const pictures = codecsOf(mime).filter((codec) => !isAudioCodec(codec));
  const isKnown = !tracks.some(({ encoding }) => encoding)
    && pictures.every((codec) => video.canPlayType(`video/mp4;codecs="${codec.length > 4 ? codec : `${codec}.42E01E`}"`) || canPlay(`video/webm;codecs="${codec}"`));
  clearTimeout(slowTimer);
  slowTimer = setTimeout(() => {
    if (state !== 'connecting' || !isKnown) return;
    slowCodecs = pictures;
    speak();
  }, SLOW_MS);
  plainTimer = setTimeout(() => {
    if (video.readyState < 2 || (pictures.length && !video.videoWidth)) plainIsNoWay();
  }, isKnown ? PLAIN_KNOWN_WITHIN_MS : PLAIN_WITHIN_MS);
}

function plainIsNoWay() {
  clearTimeout(plainTimer);
  clearTimeout(slowTimer);
  clearInterval(askTimer);
  plainFailed = mime;
  isSrc = false;
  const codecs = codecsOf(mime);
  const isSoundKnown = codecs.some(isAudioCodec) && canPlay(mimeWithoutKind(mseType(), 'video'));
  if (tracks.some(({ encoding }) => encoding) || !isSoundKnown) {
    giveUp();
    return;
  }
  newPlayer();
  connect();
}

function connect() {
  socket?.close();
  socket = new StreamSocket(socketUrl(location.href, credentials), { message: onMessage, data: onData, lost: onLost });
  socket.connect();
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
  const url = new URL(credentials.url(`${watchPath}.webm`), location.href);
  isSrc = true;
  setState('connecting');
  player = new SrcPlayer(video, {
    ready() {
      // Sound without its picture is no success.
      const wantsPicture = codecsOf(mime).some((codec) => !isAudioCodec(codec));
      if (!wantsPicture || video.videoWidth) startPlaying();
    },
    lost() {
      if (video.error && isOnAir && mime && !canPlay(mime)) plainIsNoWay();
      else setState(isOnAir ? 'reconnecting' : wasOnAir ? 'ended' : 'waiting');
    },
  }, url.href);
  askTimer = setInterval(askAbout, POLL_MS);
  askAbout();
}

/** The server's answer about the stream, or null. */
function askServer() {
  const url = credentials.url(at(`api/streams/${encodeURIComponent(name)}`));
  return fetch(url, { cache: 'no-store', headers: { accept: 'application/json' } }).catch(() => null);
}

/** What the server says of the stream, or null. */
async function readState() {
  const response = await askServer();
  if (response?.status === 401 && isSrc) askForKey(credentials.isKnown);
  return response?.ok ? response.json().catch(() => null) : null;
}

/** Without a socket, what the stream is doing is asked for. */
async function askAbout() {
  const stream = await readState();
  isOnAir = Boolean(stream?.live);
  wasOnAir ||= isOnAir;
  mime = stream?.mime ?? mime;
  showViewers(stream?.viewers);
  if (!isOnAir && state !== 'error' && state !== 'playing' && state !== 'locked') setState(wasOnAir ? 'ended' : 'waiting');
}

// --- The socket

function onMessage(message) {
  switch (message.type) {
    case 'hello':
      isStalled = false;
      if (message.live) onAir();
      else offAir();
      break;
    case 'init':
      onAir();
      mime = message.mime;
      if (isStale) newPlayer();
      playType();
      break;
    case 'skip':
      player.skipped();
      skipsAtMs = [...skipsAtMs.slice(-9), performance.now()];
      break;
    case 'stalled':
      isStalled = true;
      break;
    case 'resumed':
      isStalled = false;
      break;
    case 'offline':
      // Another one goes on in its place at once, with other tracks: the picture stays until then.
      if (message.reason !== 'replaced') offAir(message.reason);
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
  hasEnded = false;
  lastDataMs = performance.now();
  if (state === 'waiting' || state === 'ended') setState(video.readyState > 2 ? 'playing' : 'connecting');
}

function offAir(reason) {
  isOnAir = false;
  isStalled = false;
  hasEnded = reason === 'ended';
  offAirAtMs = performance.now();
  setState(hasEnded ? 'ended' : 'waiting');
  showStill();
}

function onData(bytes) {
  lastDataMs = performance.now();
  isStalled = false;
  if (!isOnAir) onAir();
  player?.push(bytes);
}

async function onLost({ opened, attempt }) {
  isStale = true;
  if (state !== 'error') setState(wasOnAir || attempt > 0 ? 'reconnecting' : 'connecting');
  if (opened) return;
  // A socket does not say why it was refused: the same server tells a plain request.
  const asked = socket;
  const answer = await askServer();
  if (asked !== socket || socket.isOpen) return;
  if (answer?.status === 401) {
    askForKey(credentials.isKnown);
    return;
  }
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
  $('still').src = credentials.url(`${watchPath}.jpg`, { cache: Date.now() });
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
  const latency = state === 'playing' && wantsPlay && (!hitch || hitch === 'slow') ? player?.stats().latency_ms ?? null : null;
  // In steps of 50 ms: a figure beside a sentence should stand still.
  const text = latency === null ? '' : `About ${milliseconds(Math.max(50, Math.round(latency / 50) * 50))} behind.`;
  if ($('latency').textContent !== text) $('latency').textContent = text;
  if (state === 'waiting' && wasOnAir && nowMs - offAirAtMs > ENDED_AFTER_MS) setState('ended');
  if (isOnAir && !isStalled && !isSrc && socket?.isOpen && nowMs - lastDataMs > SILENT_MS) {
    lastDataMs = nowMs;
    isStale = true;
    setState('reconnecting');
    socket.reconnect();
  }
  if (!$('stats').hidden && player) showStats($('stats'), statsRows(stats()));
}

/** Whether the picture moves, and what is said when it does not. */
function look() {
  const nowMs = performance.now();
  if (video.currentTime !== lastPosition || state !== 'playing' || !wantsPlay) movedAtMs = nowMs;
  lastPosition = video.currentTime;
  const seen = hitchOf({
    nowMs,
    movedAtMs,
    dataAtMs: isSrc ? nowMs : lastDataMs,
    isOnAir,
    // A server on this very machine needs no network.
    isOffline: navigator.onLine === false && nowMs - lastDataMs > FIGURES_MS,
    isStalled,
    skipsAtMs,
  });
  const isMoving = seen.hitch && seen.hitch !== 'slow' && state === 'playing';
  root.toggleAttribute('data-still', state === 'playing' && wantsPlay && seen.isStill);
  if (seen.hitch === hitch && Boolean(isMoving) === root.hasAttribute('data-hitched')) return;
  root.toggleAttribute('data-hitched', Boolean(isMoving));
  hitch = seen.hitch;
  speak();
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
  // A key that is typed may have any letter.
  if (event.target.closest?.('#key-form')) return;
  if (isField && (event.key === ' ' || event.key.startsWith('Arrow'))) return;
  event.preventDefault();
  action();
  showControls();
});

// A tap anywhere on the picture plays.
stage.addEventListener('click', ({ target }) => {
  if (state === 'playing' && !wantsPlay && !target.closest('.controls, .button, a')) togglePlay();
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
$('key-form').onsubmit = (event) => {
  event.preventDefault();
  credentials.remember($('key').value);
  setState('connecting');
  if (isSrc || !mediaSourceClass()) location.reload();
  else connect();
};
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
/** The clipboard needs a secure page; elsewhere a selected field does it. */
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

$('share').onclick = async ({ target }) => {
  const link = `${location.origin}${location.pathname}`;
  const isCopied = await copy(link);
  const hint = credentials.isKnown ? 'Copied. People need the key too.' : 'Copied';
  target.textContent = isCopied ? hint : 'Copy failed';
  setTimeout(() => { target.textContent = 'Copy link'; }, credentials.isKnown ? 4000 : 2000);
};
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && state === 'playing' && wantsPlay && video.paused) play();
});
window.addEventListener('online', () => {
  look();
  // What was open before may be dead without knowing it.
  if (isOnAir && performance.now() - lastDataMs > FIGURES_MS) socket?.reconnect();
  else socket?.retryNow();
});
window.addEventListener('offline', look);

// --- Begin

root.toggleAttribute('data-embed', query.has('embed'));
$('name').textContent = name;
document.title = `${name} · videostream`;
window.videostream = { get state() { return state; }, stats };
$('vlc').href = `${watchPath}.webm`;
$('vlc').onclick = async (event) => {
  event.preventDefault();
  const isCopied = await copy(new URL(credentials.url(`${watchPath}.webm`), location.href).href);
  $('vlc').textContent = isCopied ? 'Copied. In VLC: Open network stream.' : $('vlc').href;
};
setInterval(showFigures, FIGURES_MS);
setInterval(look, LOOK_MS);
showControls();

if (query.get('player') === 'src' || !mediaSourceClass()) {
  useSrcPlayer();
} else {
  setState('connecting');
  newPlayer();
  connect();
}
