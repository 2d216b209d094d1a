// Decoded frames that wait to be shown, oldest first. Each must be closed: decoders have few. Pure.

/** @typedef {{ timestamp: number, close: () => void }} Frame `timestamp` in microseconds */

/** A frame is shown at the display's refresh nearest to its time. */
const NEAREST_MS = 8;

/**
 * How many of the `timestamps` (ascending) are due: the last of these is to be shown, and those
 * before it are left out. Pure.
 *
 * @param {number[]} timestamps
 * @param {number} mediaMs
 */
export function countDue(timestamps, mediaMs) {
  const later = timestamps.findIndex((timestampMs) => timestampMs > mediaMs + NEAREST_MS);
  return later < 0 ? timestamps.length : later;
}

/** @template {Frame} F */
export class FrameQueue {
  /** Frames that were never shown. */
  dropped = 0;
  /** @type {F[]} */
  #frames = [];

  get length() {
    return this.#frames.length;
  }

  /** @param {F} frame */
  push(frame) {
    this.#frames.push(frame);
  }

  /**
   * Closes the frames that are late for good: a newer one is due too.
   *
   * @param {number} mediaMs
   */
  dropLate(mediaMs) {
    const due = this.#due(mediaMs);
    for (const frame of this.#frames.splice(0, Math.max(0, due - 1))) {
      this.dropped += 1;
      frame.close();
    }
  }

  /**
   * The frame to be shown now, or null where the one that is shown stays. It is the caller's to close.
   *
   * @param {number} mediaMs
   * @returns {F | null}
   */
  take(mediaMs) {
    this.dropLate(mediaMs);
    return this.#due(mediaMs) ? (this.#frames.shift() ?? null) : null;
  }

  clear() {
    for (const frame of this.#frames.splice(0)) frame.close();
  }

  /** @param {number} mediaMs */
  #due(mediaMs) {
    return countDue(
      this.#frames.map(({ timestamp }) => timestamp / 1000),
      mediaMs,
    );
  }
}
