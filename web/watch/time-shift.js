// How far behind live the viewer is, wants to be, and can be. Pure: machine.js asks.

/** Nearer to live than this is live. */
export const LIVE_WITHIN_MS = 2000;
/** Of several seeks in a row beyond what is buffered, the last one counts. */
const SEEK_REST_MS = 300;
/** Off air, and the picture stands for so long: it has come there as well. */
const PLAYED_OUT_MS = 600;

/**
 * @typedef {object} Shift
 * @property {number} wantedMs how far behind live the person wants to be, 0 for live
 * @property {number | null} behindMs how far behind live the picture is, where that is known
 * @property {number} backMs how far back one could go at `toldAtMs`
 * @property {number} toldAtMs
 * @property {boolean} isGrowing whether one can go further back as time passes
 * @property {number | null} connectAtMs when a seek beyond what is buffered is made
 * @property {boolean} isConnecting such a seek is being made, and there is no picture yet
 * @property {{ reason?: string } | null} offline what the server said, and the picture has not come to
 */

/**
 * @param {number} nowMs
 * @param {number} [wantedMs]
 * @returns {Shift}
 */
export function shiftOf(nowMs, wantedMs = 0) {
  return {
    wantedMs,
    behindMs: null,
    backMs: wantedMs,
    toldAtMs: nowMs,
    isGrowing: false,
    connectAtMs: null,
    isConnecting: false,
    offline: null,
  };
}

/**
 * What `?t=` of an address asks for.
 *
 * @param {string | null} text
 */
export function askedBehindMs(text) {
  const seconds = Number(text ?? 0);
  return seconds < 0 ? -seconds * 1000 : 0;
}

/** @param {Shift} shift */
export function isShifted({ wantedMs }) {
  return wantedMs > 0;
}

/**
 * How far back one can go.
 *
 * @param {Shift} shift
 * @param {number} nowMs
 */
export function furthestBackMs({ backMs, toldAtMs, isGrowing, wantedMs }, nowMs) {
  return Math.max(wantedMs, backMs + (isGrowing ? nowMs - toldAtMs : 0));
}

/**
 * Where the person is: where the seek leads that is being made, or where the picture is.
 *
 * @param {Shift} shift
 */
export function shownBehindMs({ wantedMs, behindMs, connectAtMs }) {
  if (wantedMs === 0) return 0;
  return connectAtMs === null ? (behindMs ?? wantedMs) : wantedMs;
}

/**
 * Where to begin when the connection is made anew.
 *
 * @param {Shift} shift
 */
export function restartBehindMs(shift) {
  return Math.round(shownBehindMs(shift));
}

/**
 * The person wants to be so far behind live. `isBuffered`: the player has that, and what follows.
 *
 * @param {Shift} shift
 * @param {{ behindMs: number, isBuffered: boolean, nowMs: number }} event
 * @returns {{ shift: Shift, effects: ('seekHere' | 'showAddress')[] }}
 */
export function seek(shift, { behindMs, isBuffered, nowMs }) {
  const within = Math.min(Math.max(0, behindMs), furthestBackMs(shift, nowMs));
  const wantedMs = within < LIVE_WITHIN_MS ? 0 : within;
  const sought = { ...shift, wantedMs, behindMs: wantedMs, offline: null };
  if (isBuffered) return { shift: { ...sought, connectAtMs: null }, effects: ['seekHere', 'showAddress'] };
  return { shift: { ...sought, connectAtMs: nowMs + SEEK_REST_MS }, effects: [] };
}

/**
 * Whether a seek that has waited for others is to be made.
 *
 * @param {Shift} shift
 * @param {number} nowMs
 */
export function isSeekDue({ connectAtMs }, nowMs) {
  return connectAtMs !== null && nowMs >= connectAtMs;
}

/**
 * Whether the picture has come to where the stream went off air.
 *
 * @param {Shift} shift
 * @param {number} stoodMs how long it has stood still
 */
export function isPlayedOut({ offline }, stoodMs) {
  return offline !== null && stoodMs > PLAYED_OUT_MS;
}

/**
 * A length of time in words: `25 seconds`, `2 minutes 5 seconds`, `1 hour 3 minutes`.
 *
 * @param {number} ms
 */
export function lengthInWords(ms) {
  const whole = Math.max(1, Math.round(ms / 1000));
  const count = (/** @type {number} */ n, /** @type {string} */ one) => (n ? [`${n} ${one}${n === 1 ? '' : 's'}`] : []);
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours) return [...count(hours, 'hour'), ...count(minutes, 'minute')].join(' ');
  return [...count(minutes, 'minute'), ...count(seconds, 'second')].join(' ');
}
