// The frames of a picture on their way to its SourceBuffer, with repeats where it stands still.
//
//   came      │ │ │ │                       │ │ │
//   written   │ │ │ │    ╵   ╵   ╵   ╵   ╵  │ │ │       ╵ the last picture once more
//
// A shared window that stands still sends a frame a second or fewer. Players take each pause for
// missing data: `buffered` is in pieces, a seek into one of them never ends, and sound waits. With
// a repeat every so often a picture that stands still is an ordinary stream. See repeat-frame.js.
//
// Frames are written anew, each at its own time in a Cluster of ours, because Clusters are 32 s
// long at most and a picture may stand still for longer.
//
// Pure: bytes and times come in, appends come out.

import { FrameTimes } from './frame-times.js';
import { Repeater } from './repeat-frame.js';
import { blockAt, clusterHead, lasting } from './webm-edit.js';
import { joined, readInit } from './webm-scan.js';

/** @typedef {import('./webm-scan.js').Piece} Piece */
/** @typedef {import('./source-buffer.js').Append} Append */
/**
 * A frame as it is to be written: an `element` that came, whose time is at `timeAt`, or a repeat
 * (`frame`) that lasts `lengthMs`.
 *
 * @typedef {{ atMs: number, isKeyframe: boolean, element: Uint8Array, timeAt: number, frame?: undefined }} Came
 * @typedef {{ atMs: number, isKeyframe: boolean, frame: Uint8Array, lengthMs: number }} Repeat
 * @typedef {Came | Repeat} Item
 */

/** Between repeats, so that the end of the picture follows the end of the sound, or the clock. */
const STEP_MS = 60;
/** Over a long pause that is past the steps grow; Chromium takes each up to twice the one before. */
const STEP_GROWTH = 1.7;
/** A pause between two frames that players bear without a repeat: more than a shared tab that stands still makes. */
const PAUSE_MS = 400;
/** After a repeat the next ones come at once, for so long: frames are few. */
const SPARSE_MS = 1000;
/** So many frames without a pause between them, and frames are few no more. */
const FLOWING_FRAMES = 2;
/** A frame this far behind a repeat is shown at once; further behind, all frames are shown later. */
const BEHIND_MS = 300;
/** While frames flow, the share of the time between two that makes up for having been shown later. */
const GIVEN_BACK = 0.25;
/** Relative times have 16 bits. */
const CLUSTER_TICKS = 32_000;

export class Pictures {
  #isFirefox;
  #times;
  /** @type {Repeater | null} */
  #repeater = null;
  #trackNumber = 1;
  #ticksPerMs = 1;
  /**
   * The newest frame, as written; and how long it was said to last, if it was.
   *
   * @type {number | null}
   */
  #lastMs = null;
  /** @type {number | null} */
  #lengthMs = null;
  #sparseUntilMs = -Infinity;
  /** @type {number | null} */
  #clusterTicks = null;
  /**
   * The publisher's newest frame by the stream's clock, and how many came without a pause.
   *
   * @type {number | null}
   */
  #cameMs = null;
  #flowing = 0;
  /** Added to the stream's times, where repeats ran ahead of them. */
  #offsetMs = 0;
  #overshotMs = 0;
  /** Whether frames flowed when they were repeated last, so that the next one is late, and not rare. */
  #wasFlowing = false;

  /** @param {{ isFirefox: boolean }} options */
  constructor({ isFirefox }) {
    this.#isFirefox = isFirefox;
    this.#times = isFirefox ? new FrameTimes() : null;
  }

  /** The newest frame's time by the stream's clock, or null. */
  get lastMs() {
    return this.#lastMs === null ? null : this.#lastMs - this.#offsetMs;
  }

  get offsetMs() {
    return this.#offsetMs;
  }

  get canRepeat() {
    return this.#lastMs !== null && Boolean(this.#repeater?.frame());
  }

  /** How far repeats were ahead of frames that were late, once. */
  takeOvershot() {
    const overshotMs = this.#overshotMs;
    this.#overshotMs = 0;
    return overshotMs;
  }

  /** @param {Uint8Array} bytes */
  init(bytes) {
    const { timestampScale, tracks } = readInit(bytes);
    const track = tracks.find(({ kind }) => kind === 'video');
    this.#repeater = new Repeater(track?.codecId ?? '');
    this.#trackNumber = track?.number ?? 1;
    this.#ticksPerMs = 1e6 / timestampScale;
    this.#clusterTicks = null;
  }

  /**
   * A piece's frames: an append `{ bytes, startsAppend, keyframeAt }`, or null.
   *
   * @param {Piece} options
   * @returns {Append | null}
   */
  push({ type, bytes, blocks }) {
    const frames = blocks.filter(({ kind, ignored }) => kind === 'video' && !ignored);
    /** @type {Item[]} */
    const items = [];
    let lastMs = this.#lastMs;
    for (const block of frames) {
      this.#note(block.timestampMs);
      const atMs = this.#place(block.timestampMs, lastMs);
      if (lastMs !== null && atMs - lastMs > (this.#lengthMs === null ? PAUSE_MS : 1.5 * STEP_MS)) {
        items.push(...this.#repeats(lastMs, atMs - STEP_MS / 2));
      }
      this.#lengthMs = null;
      const element = bytes.subarray(block.from, block.to);
      items.push({ atMs, isKeyframe: block.isKeyframe, element, timeAt: block.timeAt - block.from });
      this.#repeater?.see(bytes.subarray(block.timeAt + 3, block.frameTo), block.isKeyframe);
      lastMs = atMs;
    }
    return this.#write(items, type === 'cluster');
  }

  /**
   * Repeats the last picture up to a time, once it is `lateMs` behind.
   *
   * @param {number} toMs
   * @param {number} [lateMs]
   * @returns {Append | null}
   */
  fill(toMs, lateMs = PAUSE_MS) {
    const lastMs = this.#lastMs;
    if (lastMs === null) return null;
    const isSparse = lastMs < this.#sparseUntilMs;
    // Frames that are shown later than at best are on time for this.
    if (toMs - lastMs < (isSparse ? STEP_MS : lateMs)) return null;
    this.#wasFlowing ||= !isSparse;
    return this.#write(this.#repeats(lastMs, toMs), false);
  }

  /**
   * Frames that come one after the other need no repeats, however late they are.
   *
   * @param {number} timestampMs
   */
  #note(timestampMs) {
    const isFlowing = this.#cameMs !== null && timestampMs - this.#cameMs < PAUSE_MS;
    this.#flowing = isFlowing ? this.#flowing + 1 : 0;
    this.#cameMs = timestampMs;
    if (this.#flowing >= FLOWING_FRAMES) this.#sparseUntilMs = -Infinity;
  }

  /**
   * A frame's time as it is to be written, behind the last one.
   *
   * @param {number} timestampMs
   * @param {number | null} lastMs
   */
  #place(timestampMs, lastMs) {
    const atMs = timestampMs + this.#offsetMs;
    if (lastMs === null || atMs > lastMs) {
      // A pause gives back what the repeats took.
      if (lastMs !== null && this.#offsetMs > 0) {
        const leastMs = Math.max(0, lastMs + 1 - timestampMs);
        const givenBack = atMs - lastMs > PAUSE_MS ? 1 : GIVEN_BACK;
        this.#offsetMs = Math.max(leastMs, this.#offsetMs - (atMs - lastMs) * givenBack);
      }
      this.#wasFlowing = false;
      return timestampMs + this.#offsetMs;
    }
    const behindMs = lastMs - atMs;
    if (this.#wasFlowing) this.#overshotMs = Math.max(this.#overshotMs, behindMs);
    this.#wasFlowing = false;
    if (behindMs <= BEHIND_MS) return lastMs + 1;
    this.#offsetMs = lastMs + STEP_MS / 2 - timestampMs;
    return lastMs + STEP_MS / 2;
  }

  /**
   * @param {number} fromMs
   * @param {number} toMs
   * @returns {Repeat[]}
   */
  #repeats(fromMs, toMs) {
    const frame = this.#repeater?.frame();
    if (!frame) return [];
    /** @type {Repeat[]} */
    const items = [];
    let [atMs, longestMs] = [fromMs, STEP_MS];
    while (toMs - atMs >= 1) {
      // Growing steps at first, and small ones again towards the end, where playback is.
      const stepMs = Math.min(longestMs, Math.max(STEP_MS, (toMs - atMs) / 2), toMs - atMs);
      longestMs *= STEP_GROWTH;
      atMs += stepMs;
      const former = items.at(-1);
      if (former) former.lengthMs = stepMs;
      items.push({ atMs, isKeyframe: frame.isKeyframe, frame: frame.bytes, lengthMs: STEP_MS });
    }
    return items;
  }

  /**
   * @param {Item[]} items
   * @param {boolean} opensCluster
   * @returns {Append | null}
   */
  #write(items, opensCluster) {
    if (!items.length) return null;
    const dated = this.#times?.date(items.map((item) => this.#undated(item)));
    /** @type {Uint8Array[]} */
    const parts = [];
    /** @type {number | null} */
    let keyframeAt = null;
    let startsAppend = dated?.isApart ?? false;
    items.forEach((item, i) => {
      const atMs = dated ? dated.times[i] : item.atMs;
      const ticks = Math.round(atMs * this.#ticksPerMs);
      const isEntry = !item.frame && item.isKeyframe && opensCluster;
      if (isEntry || this.#clusterTicks === null || ticks - this.#clusterTicks > CLUSTER_TICKS) {
        this.#clusterTicks = ticks;
        startsAppend ||= parts.length === 0;
        parts.push(clusterHead(ticks));
      }
      if (isEntry) keyframeAt = atMs / 1000;
      const element = this.#element(item, ticks - this.#clusterTicks, atMs);
      const isLast = i + 1 === items.length;
      parts.push(dated && isLast ? lasting(element, item.isKeyframe, this.#ticks(dated.lengthMs)) : element);
      this.#lastMs = atMs;
    });
    return { bytes: joined(parts), startsAppend, keyframeAt };
  }

  /**
   * For {@link FrameTimes}: while frames are few, and behind a repeat, the next repeat comes soon.
   *
   * @param {Item} item
   */
  #undated({ atMs, isKeyframe, frame }) {
    return { timestampMs: atMs, isKeyframe, stepMs: frame || atMs < this.#sparseUntilMs ? STEP_MS : null };
  }

  /**
   * @param {Item} item
   * @param {number} relative
   * @param {number} atMs
   */
  #element(item, relative, atMs) {
    if (item.frame) {
      this.#sparseUntilMs = atMs + SPARSE_MS;
      this.#lengthMs = item.lengthMs;
      const block = blockAt(this.#trackNumber, relative, item.frame, item.isKeyframe);
      // A block that says how long it lasts is shown at once, rather than when the next one tells.
      return this.#isFirefox ? block : lasting(block, item.isKeyframe, this.#ticks(item.lengthMs));
    }
    const element = item.element.slice();
    new DataView(element.buffer).setInt16(item.timeAt, relative);
    this.#lengthMs = null;
    if (this.#isFirefox || atMs >= this.#sparseUntilMs) return element;
    this.#lengthMs = STEP_MS;
    return lasting(element, item.isKeyframe, this.#ticks(STEP_MS));
  }

  /** @param {number} ms */
  #ticks(ms) {
    return Math.max(1, Math.ceil(ms * this.#ticksPerMs));
  }
}
