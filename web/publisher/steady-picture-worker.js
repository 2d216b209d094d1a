// The worker of steady-picture.js: passes frames on, and repeats the last one when none comes.
// With a camera, it draws that into a corner of each frame.

import { drawCorner } from './corner.js';
import { Repeater } from './repeater.js';

const TICK_MS = 50;

onmessage = ({ data: { readable, writable, corner } }) => {
  const writer = writable.getWriter();
  (corner ? passBoth(readable.getReader(), corner.getReader(), writer) : passOn(readable.getReader(), writer)).finally(() => close());
};

/**
 * Writes a frame that there is room for.
 *
 * @param {WritableStreamDefaultWriter<VideoFrame>} writer
 * @param {VideoFrame} frame
 */
function write(writer, frame) {
  // No room means that the page is too busy: the next frame is newer anyway.
  if ((writer.desiredSize ?? 0) > 0) writer.write(frame).catch(() => frame.close());
  else frame.close();
}

/**
 * @param {ReadableStreamDefaultReader<VideoFrame>} reader
 * @param {WritableStreamDefaultWriter<VideoFrame>} writer
 */
async function passOn(reader, writer) {
  const repeater = new Repeater();
  /** The newest frame, until it has to be repeated. */
  let last = /** @type {VideoFrame | null} */ (null);
  /** Makes a frame of the same picture for a timestamp; null before the first repeat. */
  let again = /** @type {((timestamp: number) => VideoFrame) | null} */ (null);

  const ticker = setInterval(async () => {
    const timestamp = repeater.repeat(performance.now());
    if (timestamp === null) return;
    if (last) {
      const frame = last;
      last = null;
      const copy = await copied(frame).catch(() => null);
      frame.close();
      // A newer frame came meanwhile.
      if (last) return;
      again = copy;
    }
    if (again) write(writer, again(timestamp));
  }, TICK_MS);

  try {
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) break;
      const timestamp = repeater.fresh(frame.timestamp, performance.now());
      last?.close();
      last = frame;
      write(writer, new VideoFrame(frame, { timestamp }));
    }
  } finally {
    clearInterval(ticker);
    last?.close();
    await writer.close().catch(() => {});
  }
}

/**
 * The camera sets the pace; without it the ticker does.
 *
 * @param {ReadableStreamDefaultReader<VideoFrame>} screens
 * @param {ReadableStreamDefaultReader<VideoFrame>} cameras
 * @param {WritableStreamDefaultWriter<VideoFrame>} writer
 */
async function passBoth(screens, cameras, writer) {
  const context = new OffscreenCanvas(2, 2).getContext('2d', { alpha: false });
  if (!context) return passOn(screens, writer);
  /** The newest of each. */
  const shown = { screen: /** @type {VideoFrame | null} */ (null), camera: /** @type {VideoFrame | null} */ (null) };
  let drawnMs = -Infinity;
  const draw = () => {
    if (!shown.screen) return;
    drawnMs = performance.now();
    drawCorner(context, picture(shown.screen), shown.camera && picture(shown.camera));
    write(writer, new VideoFrame(context.canvas, { timestamp: Math.round(drawnMs * 1000), alpha: 'discard' }));
  };
  const ticker = setInterval(() => {
    if (performance.now() - drawnMs >= 2 * TICK_MS) draw();
  }, TICK_MS);
  keepNewest(cameras, shown, 'camera', draw);
  try {
    await keepNewest(screens, shown, 'screen', () => {});
  } finally {
    clearInterval(ticker);
    await cameras.cancel().catch(() => {});
    await writer.close().catch(() => {});
  }
}

/**
 * @param {ReadableStreamDefaultReader<VideoFrame>} reader
 * @param {{ screen: VideoFrame | null, camera: VideoFrame | null }} shown
 * @param {'screen' | 'camera'} which
 * @param {() => void} onFrame
 */
async function keepNewest(reader, shown, which, onFrame) {
  for (;;) {
    const { value: frame, done } = await reader.read();
    shown[which]?.close();
    shown[which] = done ? null : frame;
    if (done) return;
    onFrame();
  }
}

/** @param {VideoFrame} frame */
function picture(frame) {
  return { image: frame, width: frame.displayWidth, height: frame.displayHeight };
}

/**
 * The pixels of a frame, as a maker of new frames.
 *
 * A clone will not do: it shares the hidden time at which the frame was captured or first written,
 * the recorder goes by that, and all repeated frames would lie beside the first one.
 *
 * @param {VideoFrame} frame
 * @returns {Promise<(timestamp: number) => VideoFrame>}
 */
async function copied(frame) {
  const { format, codedWidth, codedHeight, displayWidth, displayHeight, colorSpace, visibleRect } = frame;
  if (!format) {
    const canvas = new OffscreenCanvas(displayWidth, displayHeight);
    canvas.getContext('2d', { alpha: false })?.drawImage(frame, 0, 0, displayWidth, displayHeight);
    return (timestamp) => new VideoFrame(canvas, { timestamp, alpha: 'discard' });
  }
  const rect = { x: 0, y: 0, width: codedWidth, height: codedHeight };
  const data = new Uint8Array(frame.allocationSize({ rect }));
  const layout = await frame.copyTo(data, { rect });
  const what = { format, layout, codedWidth, codedHeight, visibleRect: visibleRect ?? undefined, displayWidth, displayHeight, colorSpace };
  return (timestamp) => new VideoFrame(data, { ...what, timestamp });
}

postMessage('ready');
