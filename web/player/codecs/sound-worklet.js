// Plays what sound.js sends, on the browser's sound thread, and says where it is.

import { SampleRing } from './sample-ring.js';

/** Between reports: 43 ms at 48 kHz. */
const REPORT_EVERY = 16;

const scope = /** @type {any} */ (globalThis);

class StreamSound extends scope.AudioWorkletProcessor {
  /** @type {SampleRing | null} */
  #ring = null;
  #rate = 1;
  #turn = 0;
  #moves = 0;

  constructor() {
    super();
    this.port.onmessage = (/** @type {MessageEvent} */ { data }) => this.#take(data);
  }

  /** @param {any} message */
  #take({ startMs, channels, sampleRate, rate, moveToMs }) {
    if (channels) {
      if (this.#ring?.sampleRate !== sampleRate) this.#ring = new SampleRing(sampleRate, channels.length);
      this.#ring?.push(startMs, channels);
      const buffers = channels.map((/** @type {Float32Array} */ { buffer }) => buffer);
      this.port.postMessage({ spare: channels }, buffers);
    }
    if (rate !== undefined) this.#rate = rate;
    if (moveToMs !== undefined) {
      this.#ring?.moveTo(moveToMs);
      this.#moves += 1;
      this.#report();
    }
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, [output]) {
    const ring = this.#ring;
    if (this.#turn % REPORT_EVERY === 0) this.#report();
    this.#turn += 1;
    if (ring && output.length) ring.read(output, (this.#rate * ring.sampleRate) / scope.sampleRate);
    return true;
  }

  /** Where it is at the start of the block that is written next. */
  #report() {
    const ring = this.#ring;
    this.port.postMessage({
      contextSeconds: scope.currentTime,
      positionMs: ring?.positionMs ?? null,
      endMs: ring?.endMs ?? null,
      isDry: ring?.isDry ?? true,
      underflows: ring?.underflows ?? 0,
      moves: this.#moves,
    });
  }
}

scope.registerProcessor('stream-sound', StreamSound);
