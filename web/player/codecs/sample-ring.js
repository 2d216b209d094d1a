// Samples of sound by the stream's time, played at a speed that may change a little. Pure.
//
//   kept       ├──────────────────────────┤ end
//   position             ▲──► each sample read moves it on by the speed
//
// Where there is no sound to read, the position stands still: what comes late is played late, and
// the delay has grown by as much.

/** Kept of what was pushed. */
const KEPT_SECONDS = 4;
/** Timestamps are rounded: sound this close to the end of the last is its continuation. */
const JOIN_MS = 20;
/** Sound begins and ends softly, over so many samples. */
const RAMP = 96;

export class SampleRing {
  underflows = 0;
  sampleRate;
  #capacity;
  /** @type {Float32Array[]} */
  #channels;
  /** The stream's time of sample 0; null before any sound. @type {number | null} */
  #originMs = null;
  /** Samples are numbered from the first. */
  #start = 0;
  #end = 0;
  /** Between two samples as a rule; null until told. @type {number | null} */
  #position = null;
  #gain = 0;
  #isDry = true;
  #last;

  /**
   * @param {number} sampleRate
   * @param {number} channels
   */
  constructor(sampleRate, channels) {
    this.sampleRate = sampleRate;
    this.#capacity = Math.ceil(sampleRate * KEPT_SECONDS);
    this.#channels = Array.from({ length: channels }, () => new Float32Array(this.#capacity));
    this.#last = new Float32Array(channels);
  }

  /** The stream's time of the next sample to be read, or null. */
  get positionMs() {
    return this.#originMs === null || this.#position === null ? null : this.#toMs(this.#position);
  }

  get endMs() {
    return this.#originMs === null ? null : this.#toMs(this.#end);
  }

  get isDry() {
    return this.#isDry;
  }

  /** @param {number} ms */
  moveTo(ms) {
    if (this.#originMs === null) return;
    this.#position = ((ms - this.#originMs) * this.sampleRate) / 1000;
    this.#gain = 0;
  }

  /**
   * @param {number} startMs
   * @param {Float32Array[]} channels
   */
  push(startMs, channels) {
    const { length } = channels[0];
    if (this.#originMs === null) this.#originMs = startMs;
    let from = Math.round(((startMs - this.#originMs) * this.sampleRate) / 1000);
    if (Math.abs(from - this.#end) < (JOIN_MS * this.sampleRate) / 1000) from = this.#end;
    const skipped = Math.max(0, this.#end - from);
    if (skipped >= length) return;
    this.#silence(Math.min(from, this.#end + this.#capacity));
    if (from > this.#end) this.#start = this.#end = from;
    this.#channels.forEach((ring, c) => {
      const samples = channels[Math.min(c, channels.length - 1)];
      for (let i = skipped; i < length; i += 1) ring[(from + i) % this.#capacity] = samples[i];
    });
    this.#end = from + length;
    this.#start = Math.max(this.#start, this.#end - this.#capacity);
  }

  /**
   * Fills `outputs`, one array for each channel. `step` is how far to move for each sample.
   *
   * @param {Float32Array[]} outputs
   * @param {number} step
   */
  read(outputs, step) {
    const { length } = outputs[0];
    for (let i = 0; i < length; i += 1) {
      const position = this.#position;
      const isThere = position !== null && position >= this.#start && position + 1 < this.#end;
      if (isThere && position !== null) {
        this.#isDry = false;
        this.#gain = Math.min(1, this.#gain + 1 / RAMP);
        this.#sampleAt(position, outputs, i);
      } else {
        this.#fade(outputs, i);
      }
      if (position === null) continue;
      if (isThere || position < this.#start) this.#position = position + step;
      else if (!this.#isDry) {
        this.#isDry = true;
        this.underflows += 1;
        this.#gain = 0;
      }
    }
  }

  /**
   * @param {number} position
   * @param {Float32Array[]} outputs
   * @param {number} i
   */
  #sampleAt(position, outputs, i) {
    const whole = Math.floor(position);
    const share = position - whole;
    const [here, next] = [whole % this.#capacity, (whole + 1) % this.#capacity];
    outputs.forEach((output, c) => {
      const ring = this.#channels[Math.min(c, this.#channels.length - 1)];
      output[i] = (ring[here] * (1 - share) + ring[next] * share) * this.#gain;
      this.#last[Math.min(c, this.#last.length - 1)] = output[i];
    });
  }

  /**
   * @param {Float32Array[]} outputs
   * @param {number} i
   */
  #fade(outputs, i) {
    this.#last.forEach((last, c) => {
      this.#last[c] = last * 0.95;
    });
    outputs.forEach((output, c) => {
      output[i] = this.#last[Math.min(c, this.#last.length - 1)];
    });
  }

  /** @param {number} to */
  #silence(to) {
    if (to - this.#end >= this.#capacity) return;
    for (; this.#end < to; this.#end += 1) {
      for (const ring of this.#channels) ring[this.#end % this.#capacity] = 0;
    }
  }

  /** @param {number} sample */
  #toMs(sample) {
    return (this.#originMs ?? 0) + (sample * 1000) / this.sampleRate;
  }
}
