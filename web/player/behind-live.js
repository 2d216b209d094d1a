// Decides how a player goes on behind the live edge: at the stream's own pace, from where it was told.
//
// It stands in for LiveEdge (live-edge.js) while a person watches what was before. Pure.

import { hasRunDry, rangesOf } from './live-edge.js';

/** @typedef {import('./live-edge.js').Range} Range */
/** @typedef {import('./live-edge.js').Seen} Seen */
/** @typedef {import('./live-edge.js').Decision} Decision */

/** What lies ahead before the first play. */
const TARGET_SECONDS = 0.5;
const START_WAIT_MS = 1000;
/** A range that begins so little after the wanted time will do: sound and picture begin at different times. */
const SAME_SECONDS = 0.05;
/** Browsers round positions by less than this. */
const ROUNDING_SECONDS = 0.01;
const MOVES_BY_SECONDS = 0.001;

const STEADY = { rate: 1, seekTo: null, reason: 'steady' };

export class BehindLive {
  target = TARGET_SECONDS;
  underflows = 0;
  seeks = 0;
  gaps = 0;
  onlyToKeyframes = false;
  #wanted;
  /** @type {number | null} */
  #lastPosition = null;
  #lastMovedMs = -Infinity;

  /**
   * `wanted()` gives the seconds of media to begin at, where they are known.
   *
   * @param {() => number | null} wanted
   */
  constructor(wanted) {
    this.#wanted = wanted;
  }

  /**
   * Where to begin: at the wanted time, or as near to it as there is something.
   *
   * @param {Range[]} ranges
   * @param {number[]} [keyframes]
   */
  landing(ranges, keyframes = []) {
    return placeIn(ranges, this.#wanted() ?? ranges[0][0], this.onlyToKeyframes ? keyframes : null);
  }

  /** After a pause it goes on where it was. */
  catchUp() {
    return null;
  }

  /** @param {{ position: number, ranges: Range[], waitedMs: number }} options */
  mayStart({ position, ranges, waitedMs }) {
    return leftAt(position, ranges) >= TARGET_SECONDS || waitedMs >= START_WAIT_MS;
  }

  underflow() {
    this.underflows += 1;
  }

  /**
   * Over a gap once this side of it is played out.
   *
   * @param {Seen} seen
   * @returns {Decision}
   */
  decide({ nowMs, position, ranges, isPaused = false, isSeeking = false }) {
    const isHeld = isPaused || isSeeking;
    if (isHeld || this.#lastPosition === null || Math.abs(position - this.#lastPosition) > MOVES_BY_SECONDS) {
      this.#lastPosition = position;
      this.#lastMovedMs = nowMs;
    }
    if (isHeld || !hasRunDry(leftAt(position, ranges), nowMs - this.#lastMovedMs)) return STEADY;
    const ahead = ranges[indexAt(position, ranges) + 1];
    if (!ahead) return STEADY;
    this.seeks += 1;
    this.gaps += 1;
    return { rate: 1, seekTo: ahead[0], reason: 'gap' };
  }
}

/**
 * The index of the range that a position is in, or of the last range before it; -1 where there is none.
 *
 * @param {number} position
 * @param {Range[]} ranges
 */
function indexAt(position, ranges) {
  return ranges.findLastIndex(([from]) => position >= from - ROUNDING_SECONDS);
}

/**
 * The seconds that are left to play before the next gap; below 0 where the position is in a gap.
 *
 * @param {number} position
 * @param {Range[]} ranges
 */
function leftAt(position, ranges) {
  const here = ranges[indexAt(position, ranges)];
  return here ? here[1] - position : -Infinity;
}

/**
 * The place nearest to `wanted` from which playback can go on; at a keyframe, where `keyframes` are given.
 *
 * @param {Range[]} ranges of which there is one at least
 * @param {number} wanted
 * @param {number[] | null} keyframes ascending
 */
export function placeIn(ranges, wanted, keyframes) {
  const [start, end] = ranges.find(([, to]) => wanted <= to) ?? ranges[ranges.length - 1];
  const ideal = Math.min(Math.max(start, wanted), Math.max(start, end - TARGET_SECONDS));
  if (!keyframes) return ideal;
  return keyframes.findLast((time) => time >= start && time <= ideal) ?? start;
}

/**
 * Whether playback can go on at `wanted` with what is there.
 *
 * @param {TimeRanges} buffered
 * @param {number} wanted
 */
export function isThere(buffered, wanted) {
  return rangesOf(buffered).some(([from, to]) => wanted >= from - SAME_SECONDS && wanted <= to - TARGET_SECONDS / 2);
}
