// A stream without a WebSocket: its segments, one after another, told as a StreamSocket tells them.
//
//   live.json ─► init-G.webm ─► N.webm ─► N+1.webm ─► …      each asked for before it begins
//
// A request for the segment that grows brings it as it grows, where caches on the way let it; else
// whole (see pace.js). A transfer that breaks is taken up again where its last whole block was: a
// number means the same bytes for ever.

import { Cutter } from './cutter.js';
import { Pace } from './pace.js';
import { retryDelayMs } from '../../lib/socket.js';

/** @typedef {{ name: string, generation: number, mime: string, init: string, gops: { n: number, duration_ms: number }[], open: number | null }} List */
/** @typedef {import('./cutter.js').Part} Part */

/** Between two looks whether there is a stream. */
const LOOK_MS = 1000;
/** So long after a segment's end its successor should have begun, or the list tells why not. */
const NEXT_WITHIN_MS = 2500;
/** The segment that grows should bring bytes within this time, or the one before is shown first. */
const BYTES_WITHIN_MS = 500;
/** How often a transfer of one segment is taken up again. */
const TRIES_MOST = 5;
/** A segment's time where none is known. */
const SEGMENT_MS = 2000;
/** A connection that lasted this long was a good one. */
const GOOD_AFTER_MS = 5000;

/** The stream cannot go on from where it is: it has to be joined anew. */
class Broken extends Error {}

export class SegmentSocket {
  #url;
  #on;
  /** @type {AbortController | null} */
  #abort = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer = undefined;
  #isOpen = false;
  #isClosed = false;
  #isLive = false;
  #attempt = 0;
  #openedAtMs = 0;
  #generation = 0;
  #segmentMs = SEGMENT_MS;
  #pace = new Pace();
  /** @type {{ part: Part, dueMs: number }[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #outTimer = undefined;

  /**
   * `url(file, query)` is the address of a file of the stream. `on` as for a StreamSocket.
   *
   * @param {(file: string, query?: Record<string, string | number>) => string} url
   * @param {import('../../lib/socket.js').Listener} on
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** Whether the way here brings segments whole. */
  get isWhole() {
    return this.#pace.isWhole;
  }

  connect() {
    if (this.#isClosed || this.#abort) return;
    clearTimeout(this.#retryTimer);
    const abort = new AbortController();
    this.#abort = abort;
    this.#run(abort.signal).catch((error) => this.#lost(abort, error));
  }

  reconnect() {
    if (this.#isClosed) return;
    this.#stop();
    this.#attempt = 0;
    this.connect();
  }

  retryNow() {
    if (!this.#isClosed && !this.#abort) this.connect();
  }

  close() {
    this.#isClosed = true;
    this.#stop();
  }

  #stop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#outTimer);
    this.#waiting = [];
    this.#abort?.abort();
    this.#abort = null;
    this.#isOpen = false;
    this.#isLive = false;
  }

  /**
   * @param {AbortController} abort
   * @param {unknown} error
   */
  #lost(abort, error) {
    if (this.#abort !== abort) return;
    const opened = this.#isOpen;
    const lastedMs = opened ? performance.now() - this.#openedAtMs : 0;
    this.#stop();
    if (lastedMs > GOOD_AFTER_MS) this.#attempt = 0;
    const attempt = this.#attempt;
    const retryInMs = retryDelayMs(attempt);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => this.connect(), retryInMs);
    const reason = error instanceof Error ? error.message : String(error);
    this.#on.lost?.({ code: 1006, reason, opened, lastedMs, attempt, retryInMs });
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    this.#pace.reset();
    let list = await this.#list(signal);
    this.#isOpen = true;
    this.#openedAtMs = performance.now();
    this.#isLive = list?.open !== null && list !== null;
    this.#on.open?.();
    this.#on.message?.({ type: 'hello', stream: list?.name ?? '', live: this.#isLive });
    while (!list || list.open === null) {
      await pause(LOOK_MS, signal);
      list = await this.#list(signal);
    }
    this.#goLive();
    await this.#begin(list, signal);
    await this.#follow(list, list.open, signal);
  }

  /**
   * Null while there is none.
   *
   * @param {AbortSignal} signal
   * @param {Record<string, string | number>} [query]
   * @returns {Promise<List | null>}
   */
  async #list(signal, query) {
    const response = await fetch(this.#url('live.json', query), { signal, cache: 'no-cache' });
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`live.json is answered with ${response.status}`);
    return response.json();
  }

  /**
   * The init segment of a list's newest segments.
   *
   * @param {List} list
   * @param {AbortSignal} signal
   */
  async #begin(list, signal) {
    const response = await fetch(this.#url(list.init), { signal });
    if (!response.ok) throw new Broken(`${list.init} is answered with ${response.status}`);
    const init = new Uint8Array(await response.arrayBuffer());
    this.#generation = list.generation;
    this.#segmentMs = list.gops.at(-1)?.duration_ms ?? SEGMENT_MS;
    // What was before goes out before.
    this.#flush(Infinity);
    this.#on.message?.({ type: 'init', mime: list.mime, generation: list.generation, behind_ms: 0 });
    this.#on.data?.(init);
  }

  /**
   * @param {List} list
   * @param {number} first
   * @param {AbortSignal} signal
   */
  async #follow(list, first, signal) {
    let asked = this.#ask(first, signal);
    const before = list.gops.at(-1);
    // Where the way brings segments whole, the one that grows is long in coming.
    if (before && before.n === first - 1 && !(await isWithin(asked.response, BYTES_WITHIN_MS))) {
      this.#pace.waits(Infinity, 0);
      await this.#take(before.n, this.#ask(before.n, signal), signal);
    }
    for (let number = first; ; number += 1) {
      await this.#take(number, asked, signal);
      asked = this.#ask(number + 1, signal);
      const withinMs = this.#pace.isWhole ? 2 * this.#segmentMs + NEXT_WITHIN_MS : NEXT_WITHIN_MS;
      if (!(await isWithin(asked.response, withinMs))) await this.#explain(signal);
    }
  }

  /**
   * @param {number} number
   * @param {AbortSignal} signal
   */
  #ask(number, signal) {
    const response = fetch(this.#url(`${number}.webm`), { signal });
    // It may fail before its turn comes, which looks at it.
    response.catch(() => null);
    return { response, askedMs: performance.now() };
  }

  /**
   * Why the next segment does not begin.
   *
   * @param {AbortSignal} signal
   */
  async #explain(signal) {
    const list = await this.#list(signal);
    if (list && list.open !== null) return;
    this.#flush(Infinity);
    this.#isLive = false;
    this.#on.message?.({ type: 'offline', reason: 'lost' });
  }

  #goLive() {
    if (!this.#isLive) this.#on.message?.({ type: 'hello', stream: '', live: true });
    this.#isLive = true;
  }

  /**
   * Takes one segment to its end, and gives out its blocks.
   *
   * @param {number} number
   * @param {{ response: Promise<Response>, askedMs: number }} asked
   * @param {AbortSignal} signal
   */
  async #take(number, { response, askedMs }, signal) {
    const cutter = new Cutter();
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await response;
        // Half a minute without the next: the publisher is gone, or its GOPs are long.
        if (answer.status === 404 && !cutter.given) {
          await this.#wait(number, signal);
        } else {
          if (!answer.ok) throw new Broken(`${number}.webm is answered with ${answer.status}`);
          this.#goLive();
          await this.#learn(answer, signal);
          await this.#read(answer, cutter, askedMs);
          if (!cutter.isWhole) throw new TypeError('the segment ends inside a block');
          return;
        }
      } catch (error) {
        // A network that is gone says TypeError; what was given stays good.
        if (signal.aborted || !(error instanceof TypeError) || tries >= TRIES_MOST) throw error;
        await pause(retryDelayMs(tries), signal);
        cutter.again();
      }
      askedMs = performance.now();
      response = this.#ask(number, signal).response;
    }
  }

  /**
   * Waits until this segment, which has not begun, may be asked for again.
   *
   * @param {number} number
   * @param {AbortSignal} signal
   */
  async #wait(number, signal) {
    const list = await this.#list(signal);
    const newest = list?.open ?? list?.gops.at(-1)?.n;
    // It is gone, or the server has begun anew.
    if (newest !== undefined && newest !== number - 1 && newest !== number) throw new Broken(`segment ${number} is gone`);
    await pause(LOOK_MS, signal);
  }

  /**
   * A segment may need another init segment than those before it.
   *
   * @param {Response} answer
   * @param {AbortSignal} signal
   */
  async #learn(answer, signal) {
    const generation = Number(answer.headers.get('x-videostream-generation') ?? this.#generation);
    if (generation === this.#generation) return;
    const list = await this.#list(signal);
    if (list?.generation !== generation) throw new Broken('the stream begins anew');
    await this.#begin(list, signal);
  }

  /**
   * @param {Response} answer
   * @param {Cutter} cutter
   * @param {number} askedMs
   */
  async #read(answer, cutter, askedMs) {
    const reader = answer.body?.getReader();
    if (!reader) throw new Broken('this browser reads no streams');
    /** @type {number | null} */
    let firstMs = null;
    let lastMs = 0;
    /** @type {number | null} */
    let startMs = null;
    let endMs = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const nowMs = performance.now();
      lastMs = nowMs;
      const parts = cutter.push(value);
      if (firstMs === null) {
        firstMs = nowMs;
        this.#pace.waits(nowMs - askedMs, this.#segmentMs);
        if (parts.length) this.#pace.begins(parts[0].timestampMs, nowMs);
      }
      for (const part of parts) {
        startMs ??= part.timestampMs;
        endMs = Math.max(endMs, part.timestampMs);
        this.#waiting.push({ part, dueMs: this.#pace.due(part.timestampMs, nowMs) });
      }
      this.#flush(nowMs);
    }
    if (startMs === null || firstMs === null) return;
    this.#segmentMs = Math.max(endMs - startMs, 1);
    this.#pace.came({ askedMs, firstMs, lastMs, mediaMs: this.#segmentMs });
  }

  /**
   * Gives out what is due, in one message.
   *
   * @param {number} nowMs
   */
  #flush(nowMs) {
    clearTimeout(this.#outTimer);
    const count = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
    if (due.length) this.#on.data?.(joined(due.map(({ part }) => part.bytes)));
    const next = this.#waiting[0];
    if (next) this.#outTimer = setTimeout(() => this.#flush(performance.now()), Math.max(next.dueMs - performance.now(), 0));
  }
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/**
 * Whether something is settled so soon.
 *
 * @param {Promise<unknown>} what
 * @param {number} ms
 */
function isWithin(what, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const settled = () => {
      clearTimeout(timer);
      resolve(true);
    };
    what.then(settled, settled);
  });
}
