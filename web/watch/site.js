// What the viewer page asks the server about other streams, and about what was recorded of its own.

import { at } from '../lib/place.js';

export class Site {
  #credentials;

  /** @param {import('../lib/credentials.js').Credentials} credentials */
  constructor(credentials) {
    this.#credentials = credentials;
  }

  /** What is on air, as far as this person may know; null without an answer. */
  async streams() {
    const answer = await this.#get('api/streams');
    return answer === null ? null : (answer.streams ?? []);
  }

  /**
   * Whether there are recordings of a stream.
   *
   * @param {string} name
   */
  async hasRecordings(name) {
    const answer = await this.#get(`api/recordings?stream=${encodeURIComponent(name)}&limit=1`);
    return answer !== null && answer.recordings.length > 0;
  }

  /** @param {string} path */
  #get(path) {
    const headers = { accept: 'application/json', ...this.#credentials.headers() };
    return fetch(at(path), { cache: 'no-store', credentials: 'omit', headers })
      .then((response) => (response.ok ? response.json() : null))
      .catch(() => null);
  }
}
