// One SourceBuffer's share of a stream: all its tracks, or those of one kind.
//
// Picture and sound get a lane each, because in a shared SourceBuffer a gap in the sound costs the
// picture up to the next keyframe: Chromium where a Cluster begins (as when a Firefox publisher
// begins anew: it ends its sound up to 0.7 s before its picture), Firefox everywhere, and there so
// does a Cluster that opens with fewer than four blocks.

import { AppendQueue } from './source-buffer.js';
import { Scanner } from './webm-scan.js';
import { mimeWithoutKind, withoutFrameLength, withoutKind } from './webm-edit.js';

/** @typedef {import('./webm-scan.js').Kind} Kind */
/** @typedef {import('./webm-scan.js').Piece} Piece */

/**
 * What to leave out in each lane, for a stream's kinds of tracks and those to be ignored. Pure.
 *
 * @param {{ hasVideo: boolean, hasAudio: boolean }} options
 * @returns {(Kind | null)[]}
 */
export function planLanes({ hasVideo, hasAudio }) {
  return hasVideo && hasAudio ? ['audio', 'video'] : [null];
}

export class Lane {
  #without;
  /**
   * Takes out the other kind; what is already alone passes as it is.
   *
   * @type {Scanner | null}
   */
  #filter = null;
  /** What writes the picture's frames; null where there is no picture. */
  #pictures;
  #queue;

  /**
   * `without` is the kind left to another lane, or null. `pictures` is where this lane's frames go
   * through, or null when it carries sound.
   *
   * @param {Kind | null} without
   * @param {import('./pictures.js').Pictures | null} pictures
   * @param {() => number} position
   * @param {import('./source-buffer.js').Listener} on
   */
  constructor(without, pictures, position, on) {
    this.#without = without;
    this.#pictures = pictures;
    if (without) {
      this.#filter = new Scanner();
      this.#filter.ignore(without);
    }
    this.#queue = new AppendQueue(position, on);
  }

  /** Seconds, ascending: where the buffered GOPs begin. */
  get keyframes() {
    return this.#queue.keyframes;
  }

  /** Whether all that was pushed is in the SourceBuffer. */
  get isIdle() {
    return this.#queue.isIdle;
  }

  /**
   * The SourceBuffer's type for the whole stream's.
   *
   * @param {string} mime
   */
  type(mime) {
    return this.#without ? mimeWithoutKind(mime, this.#without) : mime;
  }

  /** @param {SourceBuffer} sourceBuffer */
  attach(sourceBuffer) {
    this.#queue.attach(sourceBuffer);
  }

  /** @param {string} mime */
  changeType(mime) {
    this.#queue.changeType(this.type(mime));
  }

  stop() {
    this.#queue.stop();
  }

  /** @param {Uint8Array} bytes */
  init(bytes) {
    this.#filter?.push(bytes);
    const init = this.#without ? withoutKind(bytes, this.#without) : bytes;
    this.#pictures?.init(init);
    this.#queue.push(this.#pictures ? withoutFrameLength(init) : init, { startsAppend: true });
  }

  /**
   * A piece of the whole stream that is no init segment.
   *
   * @param {Piece} piece
   */
  push(piece) {
    const pieces = this.#filter ? this.#filter.push(piece.bytes) : [piece];
    pieces.forEach((each) => (this.#pictures ? this.#pushPicture(this.#pictures.push(each)) : this.#append(each)));
  }

  /**
   * See `Pictures.fill`.
   *
   * @param {number} toMs
   * @param {number} lateMs
   */
  fill(toMs, lateMs) {
    if (this.#pictures) this.#pushPicture(this.#pictures.fill(toMs, lateMs));
  }

  /** @param {import('./source-buffer.js').Append | null} append */
  #pushPicture(append) {
    if (append) this.#queue.push(append.bytes, append);
  }

  /** @param {Piece} options */
  #append({ type, bytes, blocks }) {
    if (!bytes.length) return;
    const first = blocks.find(({ ignored }) => !ignored);
    const startsAppend = type === 'cluster';
    // Sound may be cut anywhere.
    this.#queue.push(bytes, { startsAppend, keyframeAt: startsAppend && first ? first.timestampMs / 1000 : null });
  }
}
