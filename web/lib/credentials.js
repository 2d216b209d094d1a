// What lets a person in: a key, or a token in a signed link.
//
// They come with the page's address (`?key=`, `?token=`), or a person types a key, which then
// stays in the session's storage: never in the address bar, where others may read it. The page
// hands them on to its socket and to what it fetches from the same server, and to nothing else: a
// link to share never has them.
//
//   const credentials = new Credentials('watch', 'demo');
//   fetch(credentials.url(at('api/streams/demo')))
//   credentials.remember('typed by a person')

import { siteRoot } from './place.js';

const NAMES = ['key', 'token'];

/**
 * `path` on the same server, with the page's key and token behind whatever `query` has.
 *
 * @param {string} path
 * @param {string} pageSearch
 * @param {Record<string, string>} [query]
 */
export function withCredentials(path, pageSearch, query = {}) {
  const asked = new URLSearchParams(pageSearch);
  const carried = new URLSearchParams(query);
  for (const name of NAMES) {
    const value = asked.get(name);
    if (value !== null) carried.set(name, value);
  }
  const text = carried.toString();
  return text ? `${path}?${text}` : path;
}

export class Credentials {
  #search;
  #storage;
  #slot;
  #siteSlot;
  /**
   * The key where there is no storage (a frame on another site may have none).
   *
   * @type {string | null}
   */
  #typed = null;

  /**
   * What `act` (`watch` or `publish`) on the stream `name` needs. An empty name stands for the
   * whole site: its key also serves streams that have none of their own.
   *
   * @param {'watch' | 'publish'} act
   * @param {string} name
   * @param {{ page?: Pick<Location, 'pathname' | 'search'>, storage?: Storage | null }} options
   */
  constructor(act, name, { page = globalThis.location, storage = sessionStorageOrNull() } = {}) {
    this.#search = new URLSearchParams(page.search);
    this.#storage = storage;
    const slot = (/** @type {string} */ of) => `videostream ${act} ${siteRoot(page.pathname)}${of}`;
    this.#slot = slot(name);
    this.#siteSlot = slot('');
  }

  /** The key to use, or null. One that was typed counts more than the address's. */
  get key() {
    return this.#stored() ?? this.#search.get('key');
  }

  /** Whether there is anything to show to the server. */
  get isKnown() {
    return this.key !== null || this.#search.has('token');
  }

  /**
   * A key that a person typed: for this session, in this tab.
   *
   * @param {string} key
   */
  remember(key) {
    this.#typed = key;
    this.#attempt((storage) => storage.setItem(this.#slot, key));
  }

  /** The typed key was wrong, or is not wanted any more. */
  forget() {
    this.#typed = null;
    this.#attempt((storage) => {
      storage.removeItem(this.#slot);
      storage.removeItem(this.#siteSlot);
    });
  }

  /**
   * For `fetch`, where a header will do. A token goes the same way.
   *
   * @returns {Record<string, string>}
   */
  headers() {
    const secret = this.#stored() ?? this.#search.get('token') ?? this.#search.get('key');
    // Headers are bytes: a key in another script goes as UTF-8.
    return secret === null ? {} : { authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(secret))}` };
  }

  /**
   * For sockets, pictures and media, which take no headers: `extra` and the key or token.
   *
   * @param {Record<string, string | number>} [extra]
   */
  query(extra = {}) {
    const typed = this.#stored();
    const carried = new URLSearchParams();
    for (const [name, value] of Object.entries(extra)) carried.set(name, String(value));
    if (typed !== null) carried.set('key', typed);
    else {
      for (const name of NAMES) {
        const value = this.#search.get(name);
        if (value !== null) carried.set(name, value);
      }
    }
    return carried;
  }

  /**
   * `path` with that query behind it.
   *
   * @param {string} path
   * @param {Record<string, string | number>} [extra]
   */
  url(path, extra = {}) {
    const text = this.query(extra).toString();
    return text ? `${path}?${text}` : path;
  }

  #stored() {
    return this.#typed ?? this.#attempt((storage) => storage.getItem(this.#slot) ?? storage.getItem(this.#siteSlot)) ?? null;
  }

  /**
   * Storage may be forbidden, or full.
   *
   * @template T
   * @param {(storage: Storage) => T} use
   * @returns {T | null}
   */
  #attempt(use) {
    try {
      return this.#storage ? use(this.#storage) : null;
    } catch {
      return null;
    }
  }
}

function sessionStorageOrNull() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
