// Plays one stream as `<video src>`: for types that Media Source Extensions do not take.
//
// The browser buffers seconds of its own accord, so this is a fallback and no low-latency path.
// A response that ends (the publisher stopped or restarted) is asked for again.

import { LiveEdge, rangesOf } from './live-edge.js';
import { retryDelayMs } from '../lib/socket.js';

const TICK_MS = 250;
/** What the browser's own buffering makes comfortable. */
const TARGET_SECONDS = 1;
/** Data came in before, but playback has not moved for this long: ask again. */
const STALLED_MS = 10_000;
/** A first frame nearer than this is waited for. */
const ENTER_SECONDS = 0.3;

export class SrcPlayer {
  #video;
  #on;
  #url;
  #edge = new LiveEdge({ canSeek: false, target: TARGET_SECONDS });
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer = undefined;
  #ticker;
  #movedAtMs = performance.now();
  #lastTime = 0;
  #abort = new AbortController();

  /**
   * `on.ready()` at the first data of each response, `on.lost()` when it ended.
   *
   * @param {HTMLVideoElement} video
   * @param {{ ready: () => void, lost: () => void }} on
   * @param {string} url
   */
  constructor(video, on, url) {
    this.#video = video;
    this.#on = on;
    this.#url = url;
    const { signal } = this.#abort;
    video.addEventListener(
      'loadeddata',
      () => {
        this.#attempt = 0;
        this.#enter();
        this.#on.ready();
      },
      { signal },
    );
    video.addEventListener('ended', () => this.#lost(), { signal });
    video.addEventListener('error', () => this.#lost(), { signal });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#load();
  }

  catchUp() {
    this.#load();
  }

  destroy() {
    clearInterval(this.#ticker);
    clearTimeout(this.#retryTimer);
    this.#abort.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  stats() {
    const { buffered, currentTime } = this.#video;
    const quality = this.#video.getVideoPlaybackQuality?.();
    const end = buffered.length ? buffered.end(buffered.length - 1) : null;
    return {
      player: 'src',
      mime: '',
      latency_ms: end === null ? null : (end - currentTime) * 1000,
      buffer_ms: end === null ? 0 : Math.max(0, (end - currentTime) * 1000),
      target_ms: this.#edge.target * 1000,
      rate: this.#video.playbackRate,
      bitrate_bps: null,
      frames: quality?.totalVideoFrames ?? null,
      dropped: quality?.droppedVideoFrames ?? null,
      underflows: 0,
      seeks: 0,
      gaps: 0,
      skips: 0,
      ranges: rangesOf(buffered),
    };
  }

  #load() {
    const url = new URL(this.#url);
    // A fresh address each time, or the browser might answer from what it has.
    url.searchParams.set('cache', String(Date.now()));
    this.#movedAtMs = performance.now();
    this.#video.src = url.href;
  }

  /**
   * A newcomer's stream begins at the time that it has been on air. Of H.264, Chromium would show
   * the first frame for as long.
   */
  #enter() {
    const { buffered, currentTime } = this.#video;
    if (buffered.length && currentTime < buffered.start(0) - ENTER_SECONDS) this.#video.currentTime = buffered.start(0);
  }

  #lost() {
    clearTimeout(this.#retryTimer);
    this.#on.lost();
    this.#retryTimer = setTimeout(() => this.#load(), retryDelayMs(this.#attempt));
    this.#attempt += 1;
  }

  #tick() {
    const video = this.#video;
    const nowMs = performance.now();
    if (video.currentTime !== this.#lastTime || video.paused) this.#movedAtMs = nowMs;
    this.#lastTime = video.currentTime;
    if (video.readyState > 0 && nowMs - this.#movedAtMs > STALLED_MS) {
      this.#lost();
      this.#movedAtMs = nowMs;
      return;
    }
    const ranges = rangesOf(video.buffered);
    const { rate } = this.#edge.decide({
      nowMs,
      position: video.currentTime,
      ranges,
      isPaused: video.paused,
      isSeeking: video.seeking,
    });
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }
}
