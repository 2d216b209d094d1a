// What the viewer page asks the server about its stream.

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
}
