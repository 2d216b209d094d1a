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

/**
 * What came of a request to delete a recording, and what to do.
 *
 * @param {number} status of the answer; 0 without one
 * @param {boolean} hasKey whether the request showed a key or a token
 * @returns {{ text: string, isGone: boolean, needsKey: boolean }}
 */
export function explainDeletion(status, hasKey) {
  const stays = (/** @type {string} */ text, needsKey = false) => ({ text, isGone: false, needsKey });
  switch (status) {
    case 204:
    case 404:
      return { text: '', isGone: true, needsKey: false };
    case 401:
    case 403:
      if (!hasKey) return stays('This needs the key for publishing. Enter it.', true);
      return stays('This key does not allow it. Enter the key for publishing.', true);
    case 409:
      return stays('It is still being recorded. End the stream or its recording, then delete it.');
    case 500:
      return stays('The server could not delete it. Its log has the reason.');
    case 503:
      return stays('The server is busy. Try again in a moment.');
    default:
      return stays('The server did not answer. Try again.');
  }
}
