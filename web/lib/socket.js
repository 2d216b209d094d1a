// One stream's WebSocket, which comes back by itself.
//
// A page and its socket share one address, so the socket's URL is the page's, with another
// scheme. Text messages are JSON objects with a `type`; binary messages are the stream.
//
//   connecting ─► open ─► (lost) ─► waiting, longer each time ─► connecting
//
// The page hears of every change and never has to ask for a retry.

import { withCredentials } from './credentials.js';

/**
 * A message of the server: its type, and what that one says.
 *
 * @typedef {{ type: string, [field: string]: any }} Message
 */
/** @typedef {{ code: number, reason: string, opened: boolean, lastedMs: number, attempt: number, retryInMs: number }} Loss */
/**
 * @typedef {object} Listener
 * @property {() => void} [open]
 * @property {(message: Message) => void} [message]
 * @property {(bytes: Uint8Array) => void} [data]
 * @property {(loss: Loss) => void} [lost]
 */

/**
 * One that the page opened before its script was there, with what came meanwhile: `missed` is gone once a
 * `StreamSocket` has it.
 *
 * @typedef {WebSocket & { missed?: Event[] }} EarlySocket
 */

export const SUBPROTOCOL = 'videostream.v1';

/** The first retry comes after a quarter of a second at most, later ones after 8 s at most. */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 8000;
/** A connection that lasted this long was a good one: the next loss starts from the first delay. */
const GOOD_AFTER_MS = 5000;
/** A way that swallows what is sent gives no answer: browsers themselves wait for minutes. */
const CONNECT_WITHIN_MS = 10_000;

/**
 * How long to wait before retry number `attempt` (0 is the first).
 *
 * Half fixed, half random, so that a thousand viewers of a server that restarted do not all
 * come back in the same instant.
 *
 * @param {number} attempt
 */
export function retryDelayMs(attempt, random = Math.random) {
  const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 16));
  return Math.round(full * (0.5 + 0.5 * random()));
}

/**
 * The socket's address for a page's address. Of the query only key and token are passed on: those
 * of the address itself, or those that `credentials` (see credentials.js) knows. `extra` is added.
 *
 * @param {string} pageUrl
 * @param {Pick<import('./credentials.js').Credentials, 'url'> | null} [credentials]
 * @param {Record<string, string>} [extra]
 */
export function socketUrl(pageUrl, credentials = null, extra = {}) {
  const page = new URL(pageUrl);
  const path = credentials ? credentials.url(page.pathname, extra) : withCredentials(page.pathname, page.search, extra);
  const url = new URL(path, page);
  url.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/**
 * A control message, or null for what is not one. Unknown types are the caller's to ignore.
 *
 * @param {string} text
 * @returns {Message | null}
 */
export function parseMessage(text) {
  try {
    const message = JSON.parse(text);
    return message && typeof message.type === 'string' ? message : null;
  } catch {
    return null;
  }
}

/**
 * The socket that the page opened already, if it leads to `url`. One that leads elsewhere is closed.
 *
 * @param {string} url
 * @returns {EarlySocket | null}
 */
function takeEarly(url) {
  const page = /** @type {{ earlySocket?: EarlySocket }} */ (globalThis);
  const early = page.earlySocket ?? null;
  page.earlySocket = undefined;
  if (!early || early.url === url) return early;
  early.close();
  return null;
}

export class StreamSocket {
  #url;
  #on;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #connectTimer = undefined;
  #attempt = 0;
  /** @type {number | null} */
  #openedAtMs = null;
  #closed = false;

  /**
   * `on.open()`, `on.message(object)`, `on.data(Uint8Array)`,
   * `on.lost({ code, reason, opened, lastedMs, attempt, retryInMs })`; all optional.
   *
   * `url` may be a function, which is asked at each attempt.
   *
   * @param {string | (() => string)} url
   * @param {Listener} on
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /**
   * Bytes or a Blob; Blobs are sent in the order of the calls. False when not connected.
   *
   * @param {BufferSource | Blob} data
   */
  send(data) {
    if (!this.#socket || !this.isOpen) return false;
    this.#socket.send(data);
    return true;
  }

  connect() {
    if (this.#closed || this.#socket) return;
    clearTimeout(this.#retryTimer);
    const url = typeof this.#url === 'string' ? this.#url : this.#url();
    const early = takeEarly(url);
    const socket = early ?? new WebSocket(url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#openedAtMs = null;
    this.#connectTimer = setTimeout(() => {
      this.#discard();
      this.#lost(1006, 'no answer');
    }, CONNECT_WITHIN_MS);
    socket.onopen = () => {
      clearTimeout(this.#connectTimer);
      this.#openedAtMs = performance.now();
      this.#on.open?.();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') {
        this.#on.data?.(new Uint8Array(data));
        return;
      }
      const message = parseMessage(data);
      if (message) this.#on.message?.(message);
    };
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    // Not within the call: the caller may not be ready for messages yet.
    if (early) queueMicrotask(() => this.#catchUp(early));
  }

  /** @param {EarlySocket} socket */
  #catchUp(socket) {
    const { missed = [] } = socket;
    delete socket.missed;
    for (const event of missed) {
      // What came may have closed it.
      if (socket === this.#socket) /** @type {any} */ (socket)[`on${event.type}`]?.(event);
    }
  }

  /** Drops the connection and comes back at once, as after a wake-up or a stall. */
  reconnect() {
    if (this.#closed) return;
    // Not 1000: from a publisher that would tell viewers that the stream has ended.
    this.#discard(4000);
    this.#attempt = 0;
    this.connect();
  }

  /** Brings a waiting retry forward: the network is back, or the person pressed the button. */
  retryNow() {
    if (!this.#closed && !this.#socket) this.connect();
  }

  /** For good. */
  close(code = 1000) {
    this.#closed = true;
    this.#discard(code);
  }

  #discard(code = 1000) {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#connectTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    clearTimeout(this.#connectTimer);
    this.#socket = null;
    const opened = this.#openedAtMs !== null;
    const lastedMs = this.#openedAtMs === null ? 0 : performance.now() - this.#openedAtMs;
    if (lastedMs > GOOD_AFTER_MS) this.#attempt = 0;
    const attempt = this.#attempt;
    const retryInMs = retryDelayMs(attempt);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.connect(), retryInMs);
    this.#on.lost?.({ code, reason, opened, lastedMs, attempt, retryInMs });
  }
}
