// What the viewer page asks the server by plain requests.

import { at } from '../lib/place.js';

export class Server {
  #name;
  #credentials;

  /**
   * @param {string} name
   * @param {import('../lib/credentials.js').Credentials} credentials
   */
  constructor(name, credentials) {
    this.#name = name;
    this.#credentials = credentials;
  }

  /** The server's answer about the stream, or null. */
  ask() {
    const url = this.#credentials.url(at(`api/streams/${encodeURIComponent(this.#name)}`));
    return fetch(url, { cache: 'no-store', headers: { accept: 'application/json' } }).catch(() => null);
  }

  /** What is on air, as far as this person may know; null without an answer. */
  async streams() {
    const answer = await this.#get('api/streams');
    return answer === null ? null : (answer.streams ?? []);
  }

  /** Whether there are recordings of the stream. */
  async hasRecordings() {
    const answer = await this.#get(`api/recordings?stream=${encodeURIComponent(this.#name)}&limit=1`);
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
