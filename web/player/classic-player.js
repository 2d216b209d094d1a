// Plays one stream as a row of files, as node-videostream's page did: what has come is glued by the
// constructor of Blob, and the video element gets the whole as a new source before the last one ends. For
// browsers without Media Source Extensions.
//
// Between two files the last frame is shown on a canvas over the video: a video element shows nothing while
// it loads. The place in the stream is kept from one file to the next.
//
// It is seconds behind, and no low-latency path.

import { Glue, isDue, offsetOf, placeIn, TARGET_MS } from './glue.js';
import { Scanner } from './webm-scan.js';

const TICK_MS = 100;
/** A file that shows nothing for so long has failed. */
const LOAD_WITHIN_MS = 8000;

export class ClassicPlayer {
  #video;
  #on;
  #scanner = new Scanner();
  #glue = new Glue();
  #poster = document.createElement('canvas');
  #abort = new AbortController();
  #ticker;
  #url = '';
  /**
   * The file that is shown or loading.
   *
   * @type {{ startMs: number, endMs: number, generation: number, isLoading: boolean, atMs: number } | null}
   */
  #file = null;
  #offsetMs = 0;
  /**
   * Where the stream is played, by its own timestamps. Kept while a file loads.
   *
   * @type {number | null}
   */
  #positionMs = null;
  #files = 0;
  /** Since when no file has been there to be shown. */
  #waitsSinceMs = performance.now();
  #underflows = 0;
  #isReady = false;

  /**
   * `on.ready()` when there is a picture, `on.failed(error)` when the browser takes no such file.
   *
   * @param {HTMLVideoElement} video
   * @param {{ ready: () => void, failed: (error: Error) => void }} on
   */
  constructor(video, on) {
    this.#video = video;
    this.#on = on;
    const { signal } = this.#abort;
    video.addEventListener('loadeddata', () => this.#loaded(), { signal });
    video.addEventListener('seeked', () => this.#shown(), { signal });
    video.addEventListener('ended', () => this.#ended(), { signal });
    video.addEventListener('error', () => this.#failed(), { signal });
    this.#poster.className = 'between';
    this.#poster.hidden = true;
    video.after(this.#poster);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** @param {Uint8Array} message */
  push(message) {
    for (const piece of this.#scanner.push(message)) this.#glue.push(piece);
  }

  /** To the newest, after a pause. */
  catchUp() {
    this.#positionMs = null;
    if (this.#file) this.#show();
  }

  destroy() {
    clearInterval(this.#ticker);
    this.#abort.abort();
    this.#poster.remove();
    URL.revokeObjectURL(this.#url);
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  stats() {
    const quality = this.#video.getVideoPlaybackQuality?.();
    const endMs = this.#glue.endMs;
    const behindMs = endMs === null || this.#positionMs === null ? null : Math.max(0, endMs - this.#positionMs);
    return {
      player: 'classic',
      mime: '',
      latency_ms: behindMs,
      buffer_ms: this.#file && this.#positionMs !== null ? Math.max(0, this.#file.endMs - this.#positionMs) : 0,
      target_ms: TARGET_MS,
      rate: this.#video.playbackRate,
      bitrate_bps: null,
      frames: quality?.totalVideoFrames ?? null,
      dropped: quality?.droppedVideoFrames ?? null,
      underflows: this.#underflows,
      seeks: this.#files,
      gaps: 0,
      skips: 0,
      ranges: this.#file ? [[this.#file.startMs / 1000, this.#file.endMs / 1000]] : [],
    };
  }

  #tick() {
    const file = this.#file;
    if (file?.isLoading) {
      if (performance.now() - file.atMs > LOAD_WITHIN_MS) this.#failed();
      return;
    }
    if (file) this.#positionMs = this.#video.currentTime * 1000 + this.#offsetMs;
    const positionMs = this.#positionMs ?? 0;
    const shownEndMs = file && file.generation === this.#glue.generation ? file.endMs : null;
    const { startMs, endMs } = this.#glue;
    if (shownEndMs !== null || startMs === null) this.#waitsSinceMs = performance.now();
    const waitedMs = performance.now() - this.#waitsSinceMs;
    if (!this.#video.paused || this.#video.ended || !file) {
      if (isDue({ shownEndMs, positionMs, startMs, endMs, waitedMs })) this.#show();
    }
  }

  /** The next file: all that there is. */
  #show() {
    const { startMs, endMs } = this.#glue;
    if (startMs === null || endMs === null) return;
    this.#paintPoster();
    if (this.#positionMs !== null && this.#file?.generation === this.#glue.generation) this.#glue.trim(this.#positionMs);
    this.#file = {
      startMs: this.#glue.startMs ?? startMs,
      endMs,
      generation: this.#glue.generation,
      isLoading: true,
      atMs: performance.now(),
    };
    const parts = /** @type {BlobPart[]} */ (this.#glue.parts());
    const former = this.#url;
    this.#url = URL.createObjectURL(new Blob(parts, { type: 'video/webm' }));
    this.#video.src = this.#url;
    // The browser has let go of it: without this its memory would stay until the page is left.
    URL.revokeObjectURL(former);
    this.#files += 1;
  }

  #loaded() {
    const file = this.#file;
    if (!file) return;
    const { startMs, endMs } = file;
    this.#offsetMs = offsetOf(startMs, this.#video.currentTime * 1000);
    const positionMs = placeIn({ positionMs: this.#positionMs, startMs, endMs });
    this.#positionMs = positionMs;
    this.#video.currentTime = (positionMs - this.#offsetMs) / 1000;
  }

  #shown() {
    if (this.#file) this.#file.isLoading = false;
    this.#poster.hidden = true;
    this.#isReady = true;
    // Each file starts paused. The page plays it, if the person wants that.
    this.#on.ready();
  }

  #ended() {
    this.#underflows += 1;
  }

  #failed() {
    if (!this.#file) return;
    this.#file = null;
    this.#on.failed(new Error(this.#video.error?.message || 'the browser shows no picture'));
  }

  /** The frame that is shown now, until the next file shows one. */
  #paintPoster() {
    const { videoWidth, videoHeight } = this.#video;
    if (!this.#isReady || !videoWidth) return;
    [this.#poster.width, this.#poster.height] = [videoWidth, videoHeight];
    this.#poster.getContext('2d')?.drawImage(this.#video, 0, 0);
    this.#poster.hidden = false;
  }
}
