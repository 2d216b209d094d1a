// A canvas over the video element, which then speaks for the canvas: what a page reads from the
// element (`paused`, `currentTime`, `videoWidth`, `readyState` …) and asks of it (`play`, `pause`,
// picture in picture) is the player's. Volume and `muted` stay the element's own, and are obeyed.
//
// A canvas has no picture in picture of its own: for that, and only then, the element plays the
// canvas's stream, at the price of a frame's time.

import { Awake } from '../../lib/awake.js';

/**
 * @typedef {object} Source
 * @property {() => number} positionMs
 * @property {() => { total: number, dropped: number }} counts
 * @property {() => Promise<void>} play rejects with a NotAllowedError where sound may not begin
 * @property {() => void} pause
 * @property {() => void} changed volume, picture in picture, or visibility
 */

const HAVE_NOTHING = 0;
const HAVE_ENOUGH = 4;

export class CanvasScreen {
  canvas = document.createElement('canvas');
  isPaused = true;
  #video;
  #source;
  #context;
  #hasPicture = false;
  #hasData = false;
  #abort = new AbortController();
  /** A video element that plays does that by itself. */
  #awake = new Awake();
  /** @type {Map<number, VideoFrameRequestCallback>} */
  #callbacks = new Map();
  #callbackId = 0;
  #shown = 0;
  /** @type {MediaStream | null} */
  #pip = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {Source} source
   */
  constructor(video, source) {
    this.#video = video;
    this.#source = source;
    this.canvas.className = 'between';
    this.canvas.hidden = true;
    // Taps are the video element's.
    this.canvas.style.pointerEvents = 'none';
    this.#context = this.canvas.getContext('2d', { alpha: false });
    video.after(this.canvas);
    this.#speakForCanvas();
    const { signal } = this.#abort;
    video.addEventListener('volumechange', () => source.changed(), { signal });
    video.addEventListener('leavepictureinpicture', () => this.#leavePip(), { signal });
    document.addEventListener('visibilitychange', () => source.changed(), { signal });
  }

  /** Volume as it is to be heard. */
  get volume() {
    return this.#video.muted ? 0 : this.#video.volume;
  }

  get isMuted() {
    return this.#video.muted;
  }

  /** Whether anyone can see it. */
  get isVisible() {
    return !document.hidden || this.#pip !== null;
  }

  get hasPip() {
    return this.#pip !== null;
  }

  /** @param {VideoFrame} frame */
  show(frame) {
    const { canvas } = this;
    const { displayWidth: width, displayHeight: height } = frame;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    this.#context?.drawImage(frame, 0, 0, width, height);
    this.#shown += 1;
    if (!this.#hasPicture) {
      this.#hasPicture = true;
      canvas.hidden = false;
    }
    this.ready();
    this.#callBack(frame.timestamp / 1e6, width, height);
  }

  /** There is something to see or to hear. */
  ready() {
    if (this.#hasData) return;
    this.#hasData = true;
    this.#say('loadeddata');
  }

  destroy() {
    this.#abort.abort();
    this.#awake.close();
    if (this.#pip && document.pictureInPictureElement === this.#video) document.exitPictureInPicture().catch(() => {});
    this.#leavePip();
    for (const name of Object.keys(this.#properties())) delete (/** @type {any} */ (this.#video)[name]);
    this.canvas.remove();
  }

  #speakForCanvas() {
    for (const [name, property] of Object.entries(this.#properties())) {
      Object.defineProperty(this.#video, name, { configurable: true, ...property });
    }
  }

  /** @returns {Record<string, PropertyDescriptor>} */
  #properties() {
    const get = (/** @type {() => unknown} */ read) => ({ get: read, set() {} });
    return {
      paused: get(() => this.isPaused),
      currentTime: get(() => this.#source.positionMs() / 1000),
      readyState: get(() => (this.#hasData ? HAVE_ENOUGH : HAVE_NOTHING)),
      videoWidth: get(() => (this.#hasPicture ? this.canvas.width : 0)),
      videoHeight: get(() => (this.#hasPicture ? this.canvas.height : 0)),
      play: { value: () => this.#play() },
      pause: { value: () => this.#pause() },
      getVideoPlaybackQuality: {
        value: () => ({ totalVideoFrames: this.#source.counts().total, droppedVideoFrames: this.#source.counts().dropped }),
      },
      requestVideoFrameCallback: {
        value: (/** @type {VideoFrameRequestCallback} */ callback) => {
          this.#callbackId += 1;
          this.#callbacks.set(this.#callbackId, callback);
          return this.#callbackId;
        },
      },
      cancelVideoFrameCallback: { value: (/** @type {number} */ id) => this.#callbacks.delete(id) },
      requestPictureInPicture: { value: () => this.#enterPip() },
    };
  }

  async #play() {
    const wasPaused = this.isPaused;
    this.isPaused = false;
    if (wasPaused) this.#say('play');
    try {
      await this.#source.play();
    } catch (error) {
      // As a video element has it: refused, it is paused.
      this.isPaused = true;
      throw error;
    }
    if (this.isPaused) return;
    this.#awake.want(true);
    this.#say('playing');
  }

  #pause() {
    if (this.isPaused) return;
    this.isPaused = true;
    this.#awake.want(false);
    this.#source.pause();
    this.#say('pause');
  }

  /**
   * @param {number} mediaTime
   * @param {number} width
   * @param {number} height
   */
  #callBack(mediaTime, width, height) {
    const nowMs = performance.now();
    const waiting = [...this.#callbacks.values()];
    this.#callbacks.clear();
    for (const callback of waiting) {
      callback(nowMs, { presentationTime: nowMs, expectedDisplayTime: nowMs, width, height, mediaTime, presentedFrames: this.#shown });
    }
  }

  async #enterPip() {
    if (!this.#hasPicture) throw new DOMException('there is no picture yet', 'InvalidStateError');
    const video = this.#video;
    this.#pip ??= this.canvas.captureStream();
    this.#source.changed();
    const hasMetadata = new Promise((resolve) => {
      video.addEventListener('loadedmetadata', resolve, { once: true });
    });
    video.srcObject = this.#pip;
    const { play, requestPictureInPicture } = HTMLVideoElement.prototype;
    try {
      play.call(video).catch(() => {});
      await hasMetadata;
      return await requestPictureInPicture.call(video);
    } catch (error) {
      this.#leavePip();
      throw error;
    }
  }

  #leavePip() {
    if (!this.#pip) return;
    this.#pip.getTracks().forEach((track) => track.stop());
    this.#pip = null;
    this.#video.srcObject = null;
    this.#source.changed();
  }

  /** @param {string} type */
  #say(type) {
    this.#video.dispatchEvent(new Event(type));
  }
}
