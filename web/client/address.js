// From what an importer gives as `src` to the addresses of a stream. Pure.

import { at } from '../lib/place.js';
import { nameFromPath } from '../lib/stream-name.js';
import { askedBehindMs } from '../watch/time-shift.js';

/** The page of a stream, below any path prefix; its file is understood too. */
const STREAM_PATH = /\/live\/[^/]+$/;

/**
 * @typedef {object} Address
 * @property {string} name of the stream
 * @property {URL} url of its page, and of its socket
 * @property {URL} state what the server says of it
 * @property {URL} media the plain stream
 * @property {URL} poster
 * @property {number} behindMs how far behind live to begin
 * @property {Secrets} credentials
 */

/** An `src` that names no stream, or one that this page cannot reach, in words for its author. */
export class AddressError extends Error {}

/** The key or token of one stream. Unlike a page's (lib/credentials.js) they are kept nowhere. */
export class Secrets {
  /** @type {{ key: string | null, token: string | null }} */
  #known;

  /** @param {{ key: string | null, token: string | null }} known */
  constructor(known) {
    this.#known = known;
  }

  get isKnown() {
    return this.#known.key !== null || this.#known.token !== null;
  }

  /** @param {string | null} key */
  set key(key) {
    this.#known.key = key;
  }

  /**
   * A path with them, and with `extra`, behind it.
   *
   * @param {string} path
   * @param {Record<string, string | number>} [extra]
   */
  url(path, extra = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...extra, ...this.#known })) if (value !== null) query.set(name, String(value));
    const text = query.toString();
    return text ? `${path}?${text}` : path;
  }
}

/**
 * `src` may be relative to `base`, the address of the page, and may name a socket (`wss:`).
 *
 * @param {string} src
 * @param {string} base
 * @param {{ key?: string | null, token?: string | null }} [secrets]
 * @returns {Address}
 */
export function addressOf(src, base, { key = null, token = null } = {}) {
  let given;
  try {
    given = new URL(src, base);
  } catch {
    throw new AddressError(`“${src}” is no address.`);
  }
  given.protocol = given.protocol.replace(/^ws/, 'http');
  if (given.pathname.length > 1) given.pathname = given.pathname.replace(/\/$/, '');
  const name = nameIn(given);
  if (name === null) throw new AddressError(`“${src}” is not the address of a stream: it looks like https://example.org/live/NAME.`);
  if (new URL(base).protocol === 'https:' && given.protocol === 'http:' && !isLoopback(given.hostname)) {
    throw new AddressError(`A page on https cannot play “${src}”, which is on http.`);
  }
  const asked = given.searchParams;
  const credentials = new Secrets({ key: key ?? asked.get('key'), token: token ?? asked.get('token') });
  const to = (/** @type {string} */ path) => new URL(at(path, given.pathname), given);
  const page = `live/${encodeURIComponent(name)}`;
  return {
    name,
    url: to(page),
    state: to(`api/streams/${encodeURIComponent(name)}`),
    media: to(`${page}.webm`),
    poster: to(`${page}/poster`),
    behindMs: askedBehindMs(asked.get('t')),
    credentials,
  };
}

/**
 * An address with the key or token, which sockets, pictures and media cannot send as a header.
 *
 * @param {URL} url
 * @param {Secrets} credentials
 * @param {Record<string, string | number>} [extra]
 */
export function withSecrets(url, credentials, extra = {}) {
  return new URL(credentials.url(url.pathname, extra), url).href;
}

/** @param {URL} url */
function nameIn({ protocol, pathname }) {
  return /^https?:$/.test(protocol) && STREAM_PATH.test(pathname) ? nameFromPath(pathname) : null;
}

/**
 * Browsers take these for secure.
 *
 * @param {string} hostname
 */
function isLoopback(hostname) {
  return /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}
