// What a stream has sent, glued into one file that a video element can play. Pure.
//
//   init | GOP GOP GOP …      oldest GOPs go, never the one that is being played
//
//   const glue = new Glue();
//   for (const piece of scanner.push(message)) glue.push(piece);
//   new Blob(glue.parts())
//
// Each file begins with the newest init segment and a keyframe. Its timestamps are the stream's: so a
// place in one file is the same place in the next.

/** @typedef {import('./webm-scan.js').Piece} Piece */
/** @typedef {{ startMs: number, endMs: number, byteLength: number, parts: Uint8Array[] }} Gop */

/** Media before the place that is played: for a seek to find its keyframe. */
const KEPT_BEFORE_MS = 4000;
/** All that is kept: a minute at 4 Mbit/s. Beyond it the oldest go although they are being played. */
const BYTES_MOST = 32 << 20;
/** So far behind the end playback begins. A new file is due before that is played. */
export const TARGET_MS = 3000;
/** The file that is shown ends so soon: the next one is due, if there is more in it. */
const LEFT_MS = 1000;
/** A file with less that is new is not worth the interruption. */
const FRESH_LEAST_MS = 500;
/** The first file waits for so much to be in it, and no longer than this. */
const FIRST_WITHIN_MS = 4000;
/** Farther behind the end than this, playback begins anew. */
const BEHIND_MOST_MS = 9000;

export class Glue {
  /** @type {Uint8Array | null} */
  #init = null;
  /** @type {Gop[]} */
  #gops = [];
  /** Counts init segments. */
  generation = 0;

  /**
   * Adds what the server sent, in its order.
   *
   * @param {Piece} piece
   */
  push({ type, bytes, blocks }) {
    if (type === 'init') {
      this.#init = bytes;
      this.#gops = [];
      this.generation += 1;
      return;
    }
    const first = blocks[0];
    if (!this.#init || !first) return;
    const opens = type === 'cluster' && (first.isKeyframe || first.kind !== 'video');
    if (opens) this.#gops.push({ startMs: first.timestampMs, endMs: first.timestampMs, byteLength: 0, parts: [] });
    const gop = this.#gops.at(-1);
    if (!gop) return;
    gop.parts.push(bytes);
    gop.byteLength += bytes.length;
    for (const { timestampMs } of blocks) gop.endMs = Math.max(gop.endMs, timestampMs);
  }

  /** The file, in pieces: nothing before the first keyframe has come. */
  parts() {
    const [init, gops] = [this.#init, this.#gops];
    return init && gops.length ? [init, ...gops.flatMap(({ parts }) => parts)] : [];
  }

  /** Of the first frame, or null. */
  get startMs() {
    return this.#gops[0]?.startMs ?? null;
  }

  /** Of the newest frame, or null. */
  get endMs() {
    return this.#gops.at(-1)?.endMs ?? null;
  }

  get byteLength() {
    return this.#gops.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /**
   * Lets go of what is behind the place that is played.
   *
   * @param {number} positionMs
   */
  trim(positionMs) {
    const isPast = () => this.#gops[1].startMs < positionMs - KEPT_BEFORE_MS;
    while (this.#gops.length > 1 && (isPast() || this.byteLength > BYTES_MOST)) this.#gops.shift();
  }
}

/**
 * Whether the next file is due.
 *
 * @param {{ shownEndMs: number | null, positionMs: number, startMs: number | null, endMs: number | null,
 *   waitedMs: number }} place `shownEndMs`: of the file that is shown, null before the first, for which the
 *   player has been waiting for `waitedMs`
 */
export function isDue({ shownEndMs, positionMs, startMs, endMs, waitedMs }) {
  if (startMs === null || endMs === null) return false;
  // With less in it the next would be due at once, and the one after that.
  if (shownEndMs === null) return endMs - startMs >= TARGET_MS || waitedMs >= FIRST_WITHIN_MS;
  // A stream that begins anew is older than what is shown of the one before.
  const freshMs = endMs < shownEndMs ? Infinity : endMs - shownEndMs;
  return freshMs >= FRESH_LEAST_MS && shownEndMs - positionMs <= LEFT_MS;
}

/**
 * Where playback goes on in a file from `startMs` to `endMs`: where it was, or near the end when that is
 * not in it or too far behind.
 *
 * @param {{ positionMs: number | null, startMs: number, endMs: number }} place
 */
export function placeIn({ positionMs, startMs, endMs }) {
  const isThere = positionMs !== null && positionMs >= startMs && positionMs <= endMs;
  if (isThere && endMs - positionMs <= BEHIND_MOST_MS) return positionMs;
  return Math.max(startMs, endMs - TARGET_MS);
}

/**
 * What to add to a video element's time for the stream's own: nothing in Chromium, which keeps the
 * timestamps of a file; in Firefox, where each file begins at 0, the time of its first frame.
 *
 * @param {number} startMs of the file
 * @param {number} shownMs the element's time at its first frame
 */
export function offsetOf(startMs, shownMs) {
  return Math.abs(startMs - shownMs) < 500 ? 0 : startMs - shownMs;
}
