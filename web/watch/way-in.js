// How the media of a stream come: by its WebSocket, or by its segments where no WebSocket can be had
// (`?via=segments`, or a way that lets none through).
//
//   WebSocket ─► refused twice, and the server has segments ─► segments

import { StreamSocket } from '../lib/socket.js';

/** Losses in a row of sockets that never opened, before segments are tried. */
const REFUSED_MOST = 2;

/** @typedef {import('../lib/socket.js').Listener} Listener */

export class WayIn {
  #address;
  #file;
  #on;
  /** @type {StreamSocket | import('../player/segments/segment-socket.js').SegmentSocket | null} */
  #socket = null;
  #refused = 0;
  #isClosed = false;

  /**
   * @param {() => string} address of the socket
   * @param {(file: string, query?: Record<string, string | number>) => string} file the address of a file of the stream
   * @param {Listener} on
   */
  constructor(address, file, on) {
    this.#address = address;
    this.#file = file;
    this.#on = on;
  }

  get isOpen() {
    return this.#socket?.isOpen ?? false;
  }

  /** @param {{ bySegments?: boolean }} [options] */
  connect({ bySegments = false } = {}) {
    if (bySegments) {
      this.#switch();
      return;
    }
    this.#socket = new StreamSocket(this.#address, {
      ...this.#on,
      open: () => {
        this.#refused = 0;
        this.#on.open?.();
      },
      lost: (loss) => {
        this.#refused = loss.opened ? 0 : this.#refused + 1;
        if (this.#refused >= REFUSED_MOST) this.#tryOthers();
        this.#on.lost?.(loss);
      },
    });
    this.#socket.connect();
  }

  reconnect() {
    this.#socket?.reconnect();
  }

  retryNow() {
    this.#socket?.retryNow();
  }

  close() {
    this.#isClosed = true;
    this.#socket?.close();
  }

  /** Segments are what is left where the server answers, and no socket opens. */
  async #tryOthers() {
    const answer = await fetch(this.#file('live.json'), { cache: 'no-cache' }).catch(() => null);
    if (answer?.ok && !this.isOpen) await this.#switch();
  }

  async #switch() {
    const loaded = await import('../player/segments/segment-socket.js').catch(() => null);
    if (!loaded || this.#isClosed) return;
    this.#socket?.close();
    this.#socket = new loaded.SegmentSocket(this.#file, this.#on);
    this.#socket.connect();
  }
}
