// What the pages of recordings say. Pure.

import { bytes, clock, counted } from '../lib/format.js';

/**
 * One recording, as `/api/recordings` tells it.
 *
 * @typedef {object} Recording
 * @property {string} stream
 * @property {string} file
 * @property {string} url
 * @property {string} started_at
 * @property {number | null} duration_ms
 * @property {number} bytes
 * @property {string | null} mime
 * @property {boolean} live
 */

/**
 * The line below the title.
 *
 * @param {{ count: number, hasMore: boolean, stream: string | null }} list
 */
export function summaryOf({ count, hasMore, stream }) {
  const of = stream === null ? '' : ` of ${stream}`;
  if (count === 0) return `There are no recordings${of}.`;
  return hasMore ? `The newest ${count}${of}` : `${counted(count, 'recording')}${of}`;
}

/**
 * What stands beside the name of a recording.
 *
 * @param {Pick<Recording, 'duration_ms' | 'bytes'>} recording
 */
export function metaOf({ duration_ms: durationMs, bytes: size }) {
  const length = durationMs === null ? '' : `${clock(durationMs / 1000)} · `;
  return `${length}${bytes(size)}`;
}

/** @param {number} status of the answer; 0 without one */
export function explainRefusal(status) {
  if (status === 401) return 'This needs a key. Enter the key for watching.';
  if (status === 403) return 'The key is not the right one. Enter another.';
  return 'The server did not answer. Load the page again.';
}
