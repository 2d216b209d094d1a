// Runs inside every page before its own scripts: sees what a person at the screen would see.

/** Self-contained, because it is sent to the browser as text. */
export function probe() {
  const GRID = 24;
  /** Of 255: an encoder that refines a picture that stands still changes it by less. */
  const REFINEMENT = 12;
  const first = { frameMs: null, playingMs: null };
  const violations = [];
  const messages = [];
  window.probe = { first, violations, messages, frames, picture, soundDecoded };

  document.addEventListener('securitypolicyviolation', (event) => {
    violations.push(`${event.violatedDirective}: ${event.blockedURI || event.sample}`);
  });

  const OriginalSocket = window.WebSocket;
  window.WebSocket = class extends OriginalSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') messages.push({ ...JSON.parse(data), atMs: performance.now() });
      });
    }
  };

  document.addEventListener('DOMContentLoaded', () => {
    const video = document.querySelector('video');
    if (!video) return;
    const onFirst = (nowMs) => {
      first.frameMs ??= nowMs;
    };
    video.requestVideoFrameCallback(onFirst);
    // A player that draws by itself speaks for the element from its beginning on.
    video.addEventListener(
      'loadeddata',
      () => Object.hasOwn(video, 'requestVideoFrameCallback') && video.requestVideoFrameCallback(onFirst),
    );
    video.addEventListener('playing', () => {
      first.playingMs ??= performance.now();
    });
  });

  /** What the picture can be read from: a player may draw by itself. */
  function picture() {
    return window.videostream?.picture ?? document.querySelector('video');
  }

  /** How much sound was decoded: frames, or bytes; in Firefox's video element, whether there was any. */
  function soundDecoded() {
    const stats = window.videostream?.stats() ?? {};
    if ('sound_frames' in stats) return stats.sound_frames;
    const video = document.querySelector('video');
    return video.mozHasAudio || video.webkitAudioDecodedByteCount;
  }

  /**
   * Counts shown frames, how many differ visibly from the last that did, and the longest time
   * without one.
   * Time starts with the call, so a picture that stands still is one long gap.
   */
  async function frames(forMs) {
    const video = document.querySelector('video');
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = GRID;
    const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    const from = video.currentTime;
    let [shown, changed, gapMs, dry, lastMs, former] = [0, 0, 0, 0, performance.now(), null];
    let isOver = false;
    const onDry = () => {
      dry += 1;
    };
    video.addEventListener('waiting', onDry);
    const onFrame = (nowMs) => {
      if (isOver) return;
      shown += 1;
      gapMs = Math.max(gapMs, nowMs - lastMs);
      lastMs = nowMs;
      context.drawImage(picture(), 0, 0, GRID, GRID);
      const pixels = context.getImageData(0, 0, GRID, GRID).data;
      if (!former || pixels.some((value, i) => Math.abs(value - former[i]) > REFINEMENT)) {
        changed += 1;
        former = pixels;
      }
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    await new Promise((resolve) => setTimeout(resolve, forMs));
    isOver = true;
    video.removeEventListener('waiting', onDry);
    return {
      shown,
      changed,
      dry,
      gapMs: Math.round(Math.max(gapMs, performance.now() - lastMs)),
      advancedMs: Math.round((video.currentTime - from) * 1000),
      width: video.videoWidth,
      height: video.videoHeight,
      hasSound: Boolean(soundDecoded()),
    };
  }
}
