// A video track whose picture keeps coming while the source stands still.
//
//   shared screen ─► MediaStreamTrackProcessor ─► worker ─► MediaStreamTrackGenerator
//                                                   └ repeats the last frame
//
// Chromium captures a screen, window or tab only when something on it changes. Recorded like
// that, a still slide gives viewers a frame a second or none, and players run dry. The worker
// has a timer that a hidden page's throttling does not touch. Other browsers repeat frames by
// themselves, or have no such track: there the track stays as it is.

const READY_MS = 3000;

/**
 * `{ track, stop() }`: `track` ends when the source's track ends.
 *
 * @param {MediaStreamTrack} source
 * @returns {Promise<{ track: MediaStreamTrack, stop: () => void }>}
 */
export async function steadyPicture(source) {
  const asIs = { track: source, stop() {} };
  // Chromium's alone, so the types do not have them.
  const { MediaStreamTrackProcessor, MediaStreamTrackGenerator } = /** @type {any} */ (globalThis);
  if (!MediaStreamTrackProcessor || !MediaStreamTrackGenerator) return asIs;
  const worker = await startWorker();
  if (!worker) return asIs;
  const { readable } = new MediaStreamTrackProcessor({ track: source });
  const track = new MediaStreamTrackGenerator({ kind: 'video' });
  track.contentHint = source.contentHint;
  worker.postMessage({ readable, writable: track.writable }, [readable, track.writable]);
  return {
    track,
    stop() {
      track.stop();
      worker.terminate();
    },
  };
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
