// Server-sent events by `fetch`: unlike EventSource it sends a key in a header, not in the address.
//
//   const follower = new Follower('/api/events', { headers, event, lost });
//   follower.start()   and   follower.stop()

import { retryDelayMs } from '../lib/socket.js';

/** Nothing for so long, though the server sends each second: the way is gone. */
const SILENT_MS = 10_000;

/** @typedef {{ name: string, data: any }} Event */

/** Text in, events out. Pure. */
export class EventParser {
  #text = '';

  /**
   * Takes text, cut anywhere.
   *
   * @param {string} text
   * @returns {Event[]} the events that it completes
   */
  push(text) {
    this.#text += text;
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop() ?? '';
    return blocks.map(parse).filter((event) => event !== null);
  }
}

/**
 * @param {string} block
 * @returns {Event | null}
 */
function parse(block) {
  let name = 'message';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  try {
    return { name, data: JSON.parse(data) };
  } catch {
    return null;
  }
}

export class Follower {
  #url;
  #options;
  /** @type {AbortController | null} */
  #request = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer = undefined;
  #attempt = 0;

  /**
   * `headers()` is asked at each attempt, `event` gets each event, `lost` hears of each end.
   *
   * @param {string} url
   * @param {{ headers: () => Record<string, string>, event: (event: Event) => void, lost: () => void }} options
   */
  constructor(url, options) {
    this.#url = url;
    this.#options = options;
  }

  get isFollowing() {
    return this.#request !== null;
  }

  /** Begins anew. */
  start() {
    this.stop();
    this.#attempt = 0;
    this.#follow();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
  }

  async #follow() {
    const request = new AbortController();
    this.#request = request;
    try {
      await this.#read(request);
    } catch {
      // A connection that is lost ends like one that is refused.
    }
    if (this.#request !== request) return;
    this.#options.lost();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#follow(), retryDelayMs(this.#attempt));
    this.#attempt += 1;
  }

  /** @param {AbortController} request */
  async #read(request) {
    this.#watch(request);
    const response = await fetch(this.#url, {
      cache: 'no-store',
      credentials: 'omit',
      headers: { accept: 'text/event-stream', ...this.#options.headers() },
      signal: request.signal,
    });
    if (!response.ok || !response.body) return;
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new EventParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#request !== request) return;
      this.#attempt = 0;
      this.#watch(request);
      for (const event of parser.push(decoder.decode(value, { stream: true }))) this.#options.event(event);
    }
  }

  /** @param {AbortController} request */
  #watch(request) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => request.abort(), SILENT_MS);
  }
}
