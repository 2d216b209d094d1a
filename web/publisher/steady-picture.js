// A video track whose picture keeps coming while the source stands still.
//
//   shared screen ─► MediaStreamTrackProcessor ─► worker ─► MediaStreamTrackGenerator
//                                                   └ repeats the last frame
//
// Chromium captures a screen, window or tab only when something on it changes. Recorded like
// that, a still slide gives viewers a frame a second or none, and players run dry. The worker
// has a timer that a hidden page's throttling does not touch. Other browsers repeat frames by
// themselves, or have no such track: there the track stays as it is. The camera in the corner is
// drawn by the same worker, and elsewhere on a canvas of the page, which a hidden tab slows down.

import { pictureOutput } from './canvas-track.js';
import { drawCorner } from './corner.js';
import { Ticker } from './ticker.js';

const READY_MS = 3000;
/** Of the picture that the page draws. */
const FPS = 20;

/** @typedef {{ track: MediaStreamTrack, stop: () => void }} Picture */

/**
 * `{ track, stop() }`: `track` ends when the source's track ends. `camera` goes into its corner.
 *
 * @param {MediaStreamTrack} source
 * @param {MediaStreamTrack | null} [camera]
 * @returns {Promise<Picture>}
 */
export async function steadyPicture(source, camera = null) {
  const asIs = () => (camera ? drawnPicture(source, camera) : { track: source, stop() {} });
  // Chromium's alone, so the types do not have them.
  const { MediaStreamTrackProcessor, MediaStreamTrackGenerator } = /** @type {any} */ (globalThis);
  if (!MediaStreamTrackProcessor || !MediaStreamTrackGenerator) return asIs();
  const worker = await startWorker();
  if (!worker) return asIs();
  const framesOf = (/** @type {MediaStreamTrack} */ each) => new MediaStreamTrackProcessor({ track: each }).readable;
  const [readable, corner] = [framesOf(source), camera && framesOf(camera)];
  const track = new MediaStreamTrackGenerator({ kind: 'video' });
  track.contentHint = source.contentHint;
  worker.postMessage({ readable, corner, writable: track.writable }, [readable, track.writable, ...(corner ? [corner] : [])]);
  return {
    track,
    stop() {
      track.stop();
      worker.terminate();
    },
  };
}

/**
 * @param {MediaStreamTrack} source
 * @param {MediaStreamTrack} camera
 * @returns {Promise<Picture>}
 */
async function drawnPicture(source, camera) {
  const [screen, face] = await Promise.all([source, camera].map(playing));
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) return { track: source, stop() {} };
  const picture = (/** @type {HTMLVideoElement} */ image) => ({ image, width: image.videoWidth, height: image.videoHeight });
  const draw = () => {
    if (!screen.videoWidth) return;
    drawCorner(context, picture(screen), camera.readyState === 'live' ? picture(face) : null);
    output.show(performance.now() * 1000);
  };
  const output = pictureOutput(canvas, FPS);
  const { track } = output;
  draw();
  const ticker = new Ticker(1000 / FPS, draw);
  return {
    track,
    stop() {
      ticker.stop();
      track.stop();
      for (const video of [screen, face]) video.srcObject = null;
    },
  };
}

/** @param {MediaStreamTrack} track */
async function playing(track) {
  const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true });
  video.srcObject = new MediaStream([track]);
  await video.play();
  return video;
}

/**
 * A worker that runs, or null: once it has the frames there is no way back to the plain track.
 *
 * @returns {Promise<Worker | null>}
 */
function startWorker() {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./steady-picture-worker.js', import.meta.url), { type: 'module' });
    const settle = (/** @type {Worker | null} */ result) => {
      clearTimeout(late);
      if (!result) worker.terminate();
      resolve(result);
    };
    const late = setTimeout(() => settle(null), READY_MS);
    worker.onmessage = () => settle(worker);
    worker.onerror = () => settle(null);
  });
}
