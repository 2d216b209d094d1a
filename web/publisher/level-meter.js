// Listens to the sound that goes out, and shows how loud it is.
//
// What a muted track gives is silence: the meter shows what viewers hear.

import { LevelWatch } from './level.js';

const EVERY_MS = 80;

export class LevelMeter {
  #element;
  #bar;
  #watch = new LevelWatch();
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  /** @type {AnalyserNode | null} */
  #analyser = null;
  #samples = new Float32Array(4096);
  #shown = -1;

  /**
   * @param {HTMLElement} element has `role="meter"` and an `<i>`
   * @param {HTMLElement} bar
   */
  constructor(element, bar) {
    this.#element = element;
    this.#bar = bar;
    setInterval(() => this.#show(performance.now()), EVERY_MS);
  }

  /**
   * The sound to listen to from now on; a stream without one leaves the meter out.
   *
   * @param {MediaStream | null} stream
   */
  listen(stream) {
    this.#source?.disconnect();
    this.#source = null;
    this.#watch.reset();
    const [sound] = stream?.getAudioTracks() ?? [];
    this.#element.hidden = !sound;
    if (!sound) {
      // A context that runs keeps the processor awake.
      this.#context?.suspend();
      return;
    }
    this.#context ??= new AudioContext();
    this.#context.resume().catch(() => {});
    this.#analyser ??= new AnalyserNode(this.#context, { fftSize: this.#samples.length });
    this.#source = this.#context.createMediaStreamSource(new MediaStream([sound]));
    this.#source.connect(this.#analyser);
  }

  /** After a click, which some browsers want before any sound. */
  wake() {
    if (this.#source) this.#context?.resume().catch(() => {});
  }

  /** `'silent'`, `'loud'`, `'good'`, or null where nothing is known. */
  get verdict() {
    return this.#source && this.#context?.state === 'running' ? this.#watch.verdict(performance.now()) : null;
  }

  /** @param {number} nowMs */
  #show(nowMs) {
    if (!this.#source || !this.#analyser || this.#context?.state !== 'running' || document.hidden) return;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const peak = this.#samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const percent = Math.round(100 * this.#watch.see(peak, nowMs));
    if (percent === this.#shown) return;
    this.#shown = percent;
    this.#bar.style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
    this.#element.ariaValueNow = String(percent);
  }
}
