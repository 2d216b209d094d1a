// The level of a stream that has no picture, as bars.
//
// Chromium gives a copy of what an element plays, Firefox the element's own sound, which then goes through
// this page: so that one is taken only once sound may flow. A player that plays through Web Audio
// has a node to listen to (`soundNode`).

import { make } from '../lib/element.js';

const WIDTH = 640;
const HEIGHT = 160;
const BARS = 32;
const EVERY_MS = 50;
/** For those who do not want things to move. */
const CALM_EVERY_MS = 1000;
/** Each bar's share of the octaves that voices and music have. */
const LOWEST_HZ = 60;
const HIGHEST_HZ = 12_000;
const LEAST_HEIGHT = 0.03;

/**
 * Heights, 0 to 1, of bars over the octaves. Pure.
 *
 * @param {Uint8Array} spectrum each up to 255, from 0 Hz to half of `sampleRate`
 * @param {number} sampleRate
 */
export function barsOf(spectrum, sampleRate, count = BARS) {
  const binOf = (/** @type {number} */ share) =>
    Math.floor((LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** share * 2 * spectrum.length) / sampleRate);
  return Array.from({ length: count }, (_, i) => {
    const from = binOf(i / count);
    const to = Math.max(from + 1, binOf((i + 1) / count));
    return Math.max(0, ...spectrum.subarray(from, to)) / 255;
  });
}

export class SoundView {
  #canvas = make('canvas', { id: 'level', className: 'sound-level', width: WIDTH, height: HEIGHT, 'aria-hidden': 'true' });
  #video;
  #context = new AudioContext();
  #analyser = new AnalyserNode(this.#context, { fftSize: 2048, smoothingTimeConstant: 0.75 });
  /** @type {AudioNode | null} */
  #source = null;
  /** The player's own, which belongs to another context. @type {AudioNode | null} */
  #tapped = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer = undefined;

  /**
   * @param {HTMLVideoElement} video
   * @param {Element} below what the bars are drawn over
   */
  constructor(video, below) {
    this.#video = video;
    below.after(this.#canvas);
  }

  /**
   * Listens to what plays now.
   *
   * @param {object | null} player
   */
  show(player) {
    this.#canvas.hidden = false;
    this.#listen(player);
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#timer ??= setInterval(() => this.#draw(), isCalm ? CALM_EVERY_MS : EVERY_MS);
  }

  hide() {
    this.#canvas.hidden = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** @param {object | null} player */
  async #listen(player) {
    const { soundNode: node = null } = /** @type {{ soundNode?: AudioNode | null }} */ (player ?? {});
    if (node) {
      this.#tap(node);
      return;
    }
    if (this.#context.state !== 'running') await this.#context.resume().catch(() => {});
    const video = /** @type {HTMLVideoElement & { captureStream?: () => MediaStream }} */ (this.#video);
    if (this.#context.state !== 'running' || video.readyState < 2) return;
    if (!video.captureStream) {
      if (this.#source) return;
      this.#source = this.#context.createMediaElementSource(video);
      this.#source.connect(this.#context.destination);
      this.#source.connect(this.#analyser);
      return;
    }
    const [track] = video.captureStream().getAudioTracks();
    if (!track) return;
    this.#source?.disconnect();
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
  }

  /** @param {AudioNode} node */
  #tap(node) {
    if (node === this.#tapped) return;
    this.#tapped = node;
    this.#analyser = new AnalyserNode(node.context, { fftSize: 2048, smoothingTimeConstant: 0.75 });
    node.connect(this.#analyser);
  }

  #draw() {
    const context = this.#canvas.getContext('2d');
    if (!context || document.hidden) return;
    const spectrum = new Uint8Array(this.#analyser.frequencyBinCount);
    if (!this.#video.paused) this.#analyser.getByteFrequencyData(spectrum);
    const { width, height } = this.#canvas;
    const step = width / BARS;
    context.clearRect(0, 0, width, height);
    context.fillStyle = '#ffc933';
    barsOf(spectrum, this.#analyser.context.sampleRate).forEach((level, i) => {
      const tall = Math.max(LEAST_HEIGHT, level) * height;
      context.fillRect(i * step + step * 0.2, (height - tall) / 2, step * 0.6, tall);
    });
  }
}
