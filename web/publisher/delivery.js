// How much of what was recorded has reached the server, and how old what waits has become.
//
// Pure: byte counts and times come in.
//
//   recorded ─► socket's queue ─► system's buffers, network ─► server
//   handed()    bufferedAmount     (no page can see these)     received_bytes of the stream
//
// The socket's queue alone hides a full uplink for as long as the system's buffers have room,
// which for a small stream is many seconds. So the server's own count is asked for, and what it
// does not have counts as waiting. Its count starts elsewhere and also has bytes of framing: the
// difference to ours is its largest of late.

import { RateMeter } from '../lib/rate-meter.js';

/** Longer than any backlog before the recording starts anew. */
const WINDOW_MS = 30_000;
/** A question to the server that takes longer than this is late: with a question a second, 3 s are kept. */
const ANSWER_MS = 1200;
/** What arrives is told over at least this time, where there are counts that old. */
const COUNT_MS = 900;

export class Delivery {
  #handed = 0;
  /**
   * Oldest first: `[atMs, handed until then]`.
   *
   * @type {[number, number][]}
   */
  #history = [];
  #sent = 0;
  #sentMeter = new RateMeter(3000);
  #queued = 0;
  /**
   * Oldest first: `[atMs, received − handed]`.
   *
   * @type {[number, number][]}
   */
  #offsets = [];
  /** @type {number | null} */
  #received = null;
  /**
   * By the server's count, which is the truer one. Null until it has told two.
   *
   * @type {RateMeter | null}
   */
  #arrivedMeter = null;
  /**
   * The server's counts of the last second and the one before it, oldest first: `[atMs, received]`.
   *
   * @type {[number, number][]}
   */
  #counts = [];
  /** What the server lacked when it was last asked, and how old that was. */
  #missing = { bytes: 0, ms: 0 };
  /**
   * The question that waits for its answer: `{ atMs, handed }`.
   *
   * @type {{ atMs: number, handed: number } | null}
   */
  #question = null;

  /**
   * @param {number} bytes
   * @param {number} nowMs
   */
  handed(bytes, nowMs) {
    this.#handed += bytes;
    this.#history.push([nowMs, this.#handed]);
    while (this.#history[0][0] < nowMs - 2 * WINDOW_MS) this.#history.shift();
  }

  /**
   * What the socket still holds.
   *
   * @param {number} bytes
   * @param {number} nowMs
   */
  queued(bytes, nowMs) {
    this.#queued = Math.min(bytes, this.#handed);
    const sent = Math.max(this.#sent, this.#handed - this.#queued);
    this.#sentMeter.add(sent - this.#sent, nowMs);
    this.#sent = sent;
  }

  /** @param {number} nowMs */
  asked(nowMs) {
    this.#question ??= { atMs: nowMs, handed: this.#handed };
  }

  /**
   * The server's count for the stream, or null where it answers without one.
   *
   * @param {number | null} received
   * @param {number} nowMs
   */
  answered(received, nowMs) {
    this.#question = null;
    if (received === null) return;
    // Counts anew: another server, or another stream by that name.
    if (this.#received !== null && received < this.#received) {
      this.#offsets = [];
      this.#counts = [];
    }
    if (this.#received !== null && received >= this.#received) this.#arrivedMeter?.add(received - this.#received, nowMs);
    this.#arrivedMeter ??= new RateMeter(3000);
    this.#received = received;
    this.#counts.push([nowMs, received]);
    while (this.#counts.length > 2 && this.#counts[1][0] <= nowMs - COUNT_MS) this.#counts.shift();
    this.#offsets.push([nowMs, received - this.#handed]);
    while (this.#offsets[0][0] < nowMs - WINDOW_MS) this.#offsets.shift();
    const offset = Math.max(...this.#offsets.map(([, difference]) => difference));
    const arrived = received - offset;
    this.#missing = { bytes: this.#handed - arrived, ms: this.#ageMs(arrived, nowMs) };
  }

  get hasAny() {
    return this.#handed > 0;
  }

  /**
   * Bytes that are on their way, as far as is known.
   *
   * @param {number} nowMs
   */
  waitingBytes(nowMs) {
    const unanswered = this.#question !== null && this.isStuck(nowMs) ? this.#handed - this.#question.handed : 0;
    return Math.max(this.#queued, this.#missing.bytes + unanswered);
  }

  /**
   * How long the oldest byte that has not arrived has been on its way.
   *
   * @param {number} nowMs
   */
  behindMs(nowMs) {
    const lateMs = this.#lateMs(nowMs);
    const missingMs = lateMs > ANSWER_MS ? this.#missing.ms + lateMs : this.#missing.ms;
    return Math.max(this.#ageMs(this.#handed - this.#queued, nowMs), missingMs);
  }

  /**
   * Whether the server has stopped answering.
   *
   * @param {number} nowMs
   */
  isStuck(nowMs) {
    return this.#lateMs(nowMs) > ANSWER_MS;
  }

  /**
   * What is sent, as far as can be told: not what is recorded.
   *
   * @param {number} nowMs
   */
  bitsPerSecond(nowMs) {
    const sent = this.#sentMeter.bitsPerSecond(nowMs);
    return this.#arrivedMeter?.hasBegun ? Math.min(sent, this.#arrivedMeter.bitsPerSecond(nowMs)) : sent;
  }

  /**
   * What arrived at the server of late, by two of its counts; null before there are two.
   *
   * @returns {number | null}
   */
  get arrivedBitsPerSecond() {
    const [first, last] = [this.#counts[0], this.#counts[this.#counts.length - 1]];
    if (!first || last[0] <= first[0]) return null;
    return ((last[1] - first[1]) * 8000) / (last[0] - first[0]);
  }

  /** @param {number} nowMs */
  #lateMs(nowMs) {
    return this.#question === null ? 0 : nowMs - this.#question.atMs;
  }

  /**
   * @param {number} arrived
   * @param {number} nowMs
   */
  #ageMs(arrived, nowMs) {
    const oldest = this.#history.find(([, until]) => until > arrived);
    return oldest ? nowMs - oldest[0] : 0;
  }
}
