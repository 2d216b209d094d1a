// One stream on its way to the server: recorder, uplink and socket together.
//
//   media ─► Recorder ─► data ──► StreamSocket
//               ▲                    │ bufferedAmount
//               └── Uplink ◄── Delivery ◄── what the server says that it received
//
// Every connection, and every new beginning on one, starts with a new recording, because the
// server must see an EBML header first.

import { Delivery } from './delivery.js';
import { Recorder, sizeOf } from './recorder.js';
import { StreamSocket } from '../lib/socket.js';
import { Uplink } from './uplink.js';

/** @typedef {{ code: number, reason: string }} Problem */
/**
 * @typedef {object} Listener
 * @property {() => void} live
 * @property {(loss: { code: number, reason: string, opened: boolean, attempt: number }) => void} lost
 * @property {() => void} replaced
 * @property {(problem: Problem) => void} failed
 * @property {(warning: { code?: string, message?: string }) => void} warning
 * @property {(quality: import('./uplink.js').Quality) => void} quality
 */
/** `make`: see recorder.js. @typedef {import('./uplink.js').Wanted & { mimeType: string, make?: import('./recorder.js').Make | null }} Wanted */

const TICK_MS = 250;
/** How often the server is asked what it received, and how long we wait for that. */
const ASK_MS = 500;
const ASK_MOST_MS = 8000;
/** Closed, but not because the stream is over: viewers are to wait. */
const CLOSE_TROUBLE = 4000;
/** A queue that has not drained in this time belongs to a dead connection. */
const DRAIN_MOST_MS = 10_000;
/** Connections that the server closed soon after they opened, before we stop trying. */
const REFUSALS_MOST = 5;
/** Time for the recorder's last block before the socket closes. */
const FINISH_MS = 400;

export class Broadcast {
  /** @type {number | null} */
  viewers = null;

  /**
   * Whether the server records the stream; `null` where it cannot.
   *
   * @type {boolean | null}
   */
  isRecorded = null;
  #on;
  #socket;
  #recorder;
  #uplink;
  #delivery = new Delivery();
  #askReceived;
  #isAsking = false;
  #nextAskMs = 0;
  #isReady = false;
  #media;
  #mimeType;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticker = undefined;
  /** @type {number | null} */
  #drainingSinceMs = null;
  #refusals = 0;
  #recordedBytes = 0;
  #isOver = false;

  /**
   * `on.live()`, `on.lost({ code, reason, opened, attempt })`, `on.replaced()`,
   * `on.failed({ code, reason })`, `on.warning({ code, message })`, `on.quality(quality)` just before
   * a recording of another quality begins.
   * `askReceived(signal)` resolves to the bytes of this stream that the server has received, or to null
   * where it does not tell; it rejects when there is no answer.
   *
   * @param {string} url
   * @param {MediaStream} media
   * @param {Wanted} wanted
   * @param {(signal: AbortSignal) => Promise<number | null>} askReceived
   * @param {Listener} on
   */
  constructor(url, media, wanted, askReceived, on) {
    this.#askReceived = askReceived;
    this.#on = on;
    this.#media = media;
    this.#mimeType = wanted.mimeType;
    this.#uplink = new Uplink(wanted);
    this.#recorder = new Recorder(
      {
        data: (data) => this.#send(data),
        failed: (error) => this.#give({ code: 0, reason: error.message }),
        finished: () => {
          if (this.#isOver) this.#socket.close();
        },
      },
      wanted.make,
    );
    this.#socket = new StreamSocket(url, {
      open: () => this.#record(),
      message: (message) => this.#hear(message),
      lost: (how) => this.#lost(how),
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#socket.connect();
  }

  /** What is sent, not what is recorded. */
  get bitsPerSecond() {
    return this.#delivery.bitsPerSecond(performance.now());
  }

  get recordedBitsPerSecond() {
    return this.#uplink.bitsPerSecond(performance.now());
  }

  /** In this recording. */
  get recordedBytes() {
    return this.#recordedBytes;
  }

  get isRecording() {
    return this.#recorder.isRecording && !this.isDraining;
  }

  /** Whether anything was handed to this connection. */
  get hasSent() {
    return this.#delivery.hasAny;
  }

  /** Recording pauses until what is queued has gone out. */
  get isDraining() {
    return this.#drainingSinceMs !== null;
  }

  /** The server said that it takes this stream, and the connection stands. */
  get isConnected() {
    return this.#isReady;
  }

  get behindMs() {
    return this.#delivery.behindMs(performance.now());
  }

  get isStuck() {
    return this.#delivery.isStuck(performance.now());
  }

  /** What is recorded now. */
  get quality() {
    return this.#uplink.quality;
  }

  /** Whether the connection carries less than was chosen. */
  get isReduced() {
    return this.#uplink.isReduced;
  }

  /** The type that is really recorded. */
  get mimeType() {
    return this.#recorder.mimeType || this.#mimeType;
  }

  /**
   * Goes on with other tracks or another codec, on the same connection.
   *
   * @param {MediaStream} media
   * @param {Wanted} wanted
   */
  change(media, wanted) {
    this.#media = media;
    this.#mimeType = wanted.mimeType;
    this.#drainingSinceMs = null;
    this.#uplink = new Uplink(wanted);
    if (this.#socket.isOpen) this.#record();
  }

  retryNow() {
    this.#socket.retryNow();
  }

  stop() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#ticker);
    if (!this.#socket.isOpen || !this.#recorder.isRecording) {
      this.#abandon();
      return;
    }
    this.#recorder.finish();
    setTimeout(() => this.#abandon(), FINISH_MS);
  }

  #abandon(code = 1000) {
    this.#isOver = true;
    clearInterval(this.#ticker);
    this.#recorder.stop();
    this.#socket.close(code);
  }

  /** @param {Problem} problem */
  #give(problem) {
    if (this.#isOver) return;
    this.#abandon(CLOSE_TROUBLE);
    this.#on.failed(problem);
  }

  get #settings() {
    const { videoBitsPerSecond, audioBitsPerSecond } = this.#uplink.quality;
    return { mimeType: this.#mimeType, videoBitsPerSecond, audioBitsPerSecond };
  }

  #record() {
    this.#recordedBytes = 0;
    try {
      this.#recorder.start(this.#media, this.#settings);
    } catch (error) {
      this.#give({ code: 0, reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** @param {import('./recorder.js').Data} data */
  #send(data) {
    if (!this.#socket.send(data)) return;
    const nowMs = performance.now();
    const size = sizeOf(data);
    this.#recordedBytes += size;
    this.#uplink.recorded(size, nowMs);
    this.#delivery.handed(size, nowMs);
  }

  /** @param {import('../lib/socket.js').Message} message */
  #hear(message) {
    switch (message.type) {
      case 'ready':
        this.#isReady = true;
        this.#on.live();
        break;
      case 'viewers':
        this.viewers = message.count;
        this.#recorder.setViewers(message.count);
        break;
      case 'recording':
        this.isRecorded = message.on;
        break;
      case 'warning':
        this.#on.warning({ code: message.code, message: message.message });
        break;
      case 'restart':
        // While the queue drains, a new recording is coming anyway.
        if (!this.#uplink.isDraining) this.#record();
        break;
      case 'replaced':
        this.#abandon();
        this.#on.replaced();
        break;
      default: // A newer server may say more.
    }
  }

  /** @param {import('../lib/socket.js').Loss} how */
  #lost(how) {
    this.#disconnected();
    // Closed in good order: the server means it.
    if (how.code === 1000 && !this.#isOver) {
      this.#give(how);
      return;
    }
    // Opened, then closed at once: the server does not like what it gets.
    this.#refusals = how.opened && how.lastedMs < 2000 ? this.#refusals + 1 : 0;
    if (this.#refusals >= REFUSALS_MOST) this.#give(how);
    else if (!this.#isOver) this.#on.lost(how);
  }

  #tick() {
    if (!this.#socket.isOpen) return;
    const nowMs = performance.now();
    this.#delivery.queued(this.#socket.bufferedAmount, nowMs);
    if (this.hasSent && this.#isReady && !this.#isAsking && nowMs >= this.#nextAskMs) this.#ask(nowMs);
    switch (this.#uplink.decide(this.#signs(nowMs))) {
      case 'stop':
        this.#drainingSinceMs = nowMs;
        this.#recorder.finish();
        break;
      case 'start':
        this.#drainingSinceMs = null;
        this.#on.quality(this.quality);
        this.#record();
        break;
      case 'change':
        this.#on.quality(this.quality);
        if (!this.#recorder.setRates(this.#settings)) this.#record();
        break;
      default:
        if (this.#drainingSinceMs !== null && nowMs - this.#drainingSinceMs > DRAIN_MOST_MS) {
          this.#disconnected();
          this.#on.lost({ code: 0, reason: '', opened: true, attempt: 0 });
          this.#socket.reconnect();
        }
    }
  }

  /** @param {number} nowMs */
  #signs(nowMs) {
    return {
      waitingBytes: this.#delivery.waitingBytes(nowMs),
      behindMs: this.#delivery.behindMs(nowMs),
      arrivedBitsPerSecond: this.#delivery.arrivedBitsPerSecond,
      nowMs,
    };
  }

  #disconnected() {
    this.#isReady = false;
    this.#recorder.stop();
    this.#drainingSinceMs = null;
    this.#uplink.reconnected();
    this.#delivery = new Delivery();
  }

  /** @param {number} nowMs */
  async #ask(nowMs) {
    const delivery = this.#delivery;
    this.#isAsking = true;
    this.#nextAskMs = nowMs + ASK_MS;
    delivery.asked(nowMs);
    try {
      const received = await this.#askReceived(AbortSignal.timeout(ASK_MOST_MS));
      delivery.answered(received, performance.now());
    } catch {
      // The question stays open, and is asked again.
    }
    this.#isAsking = false;
  }
}
