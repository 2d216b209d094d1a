// One stream on its way to the server: recorder, uplink and socket together.
//
//   media ─► Recorder ─► Blobs ─► StreamSocket
//               ▲                    │ bufferedAmount
//               └────── Uplink ◄─────┘
//
// Every connection, and every new beginning on one, starts with a new recording, because the
// server must see an EBML header first.

import { Recorder } from './recorder.js';
import { StreamSocket } from './socket.js';
import { Uplink } from './uplink.js';

const TICK_MS = 250;
/** A queue that has not drained in this time belongs to a dead connection. */
const DRAIN_MOST_MS = 10_000;
/** Connections that the server closed soon after they opened, before we stop trying. */
const REFUSALS_MOST = 5;
/** Time for the recorder's last block before the socket closes. */
const FINISH_MS = 400;

export class Broadcast {
  viewers = null;
  #on;
  #socket;
  #recorder;
  #uplink;
  #media;
  #mimeType;
  #ticker = null;
  #drainingSinceMs = null;
  #refusals = 0;
  #sentBytes = 0;
  #isOver = false;

  /**
   * `on.live()`, `on.lost({ code, reason, opened, attempt })`, `on.replaced()`,
   * `on.failed({ code, reason })`, `on.draining(isDraining)`, `on.warning({ code, message })`.
   */
  constructor(url, media, { mimeType, videoBitsPerSecond }, on) {
    this.#on = on;
    this.#media = media;
    this.#mimeType = mimeType;
    this.#uplink = new Uplink(videoBitsPerSecond);
    this.#recorder = new Recorder({
      data: (blob) => this.#send(blob),
      failed: (error) => this.#give({ code: 0, reason: error.message }),
      finished: () => {
        if (this.#isOver) this.#socket.close();
      },
    });
    this.#socket = new StreamSocket(url, {
      open: () => this.#record(),
      message: (message) => this.#hear(message),
      lost: (how) => this.#lost(how),
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#socket.connect();
  }

  get bitsPerSecond() {
    return this.#uplink.bitsPerSecond(performance.now());
  }

  get sentBytes() {
    return this.#sentBytes;
  }

  /** The type that is really recorded. */
  get mimeType() {
    return this.#recorder.mimeType || this.#mimeType;
  }

  /** Goes on with other tracks or another codec, on the same connection. */
  change(media, { mimeType, videoBitsPerSecond }) {
    this.#media = media;
    this.#mimeType = mimeType;
    this.#uplink = new Uplink(videoBitsPerSecond);
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

  #abandon() {
    this.#isOver = true;
    clearInterval(this.#ticker);
    this.#recorder.stop();
    this.#socket.close();
  }

  #give(problem) {
    if (this.#isOver) return;
    this.#abandon();
    this.#on.failed(problem);
  }

  #record() {
    try {
      this.#recorder.start(this.#media, {
        mimeType: this.#mimeType,
        videoBitsPerSecond: this.#uplink.videoBitsPerSecond,
      });
    } catch (error) {
      this.#give({ code: 0, reason: error.message });
    }
  }

  #send(blob) {
    if (!this.#socket.send(blob)) return;
    this.#sentBytes += blob.size;
    this.#uplink.recorded(blob.size, performance.now());
  }

  #hear(message) {
    switch (message.type) {
      case 'ready':
        this.#on.live();
        break;
      case 'viewers':
        this.viewers = message.count;
        break;
      case 'warning':
        this.#on.warning(message);
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

  #lost(how) {
    this.#recorder.stop();
    this.#settle();
    // Opened, then closed at once: the server does not like what it gets.
    this.#refusals = how.opened && how.lastedMs < 2000 ? this.#refusals + 1 : 0;
    if (this.#refusals >= REFUSALS_MOST) this.#give(how);
    else if (!this.#isOver) this.#on.lost(how);
  }

  #tick() {
    if (!this.#socket.isOpen) return;
    const nowMs = performance.now();
    switch (this.#uplink.decide(this.#socket.bufferedAmount, nowMs)) {
      case 'stop':
        this.#drainingSinceMs = nowMs;
        this.#recorder.finish();
        this.#on.draining(true);
        break;
      case 'start':
        this.#settle();
        this.#record();
        break;
      default:
        if (this.#drainingSinceMs !== null && nowMs - this.#drainingSinceMs > DRAIN_MOST_MS) {
          this.#recorder.stop();
          this.#settle();
          this.#on.lost({ code: 0, reason: '', opened: true, attempt: 0 });
          this.#socket.reconnect();
        }
    }
  }

  #settle() {
    if (this.#drainingSinceMs === null) return;
    this.#drainingSinceMs = null;
    this.#uplink = new Uplink(this.#uplink.videoBitsPerSecond);
    this.#on.draining(false);
  }
}
