// The still picture of a stream that the home page and waiting viewers see.

const WIDTH_MOST = 640;
const BYTES_MOST = 256 * 1024;

/** From the server's "ready" to the first poster, and from one to the next. */
const FIRST_MS = 1500;
const EVERY_MS = 12_000;
/** Where the preview shows nothing yet. */
const AGAIN_MS = 1000;

/** What tells one picture from another: so many points, of three colours each. */
const LOOK_WIDTH = 16;
const LOOK_HEIGHT = 9;
/** Of 255, on average over all points: noise of a camera is below it, a hand in the picture above. */
const SAME_MOST = 2;

/**
 * Decides when a poster is sent: the first soon after going live, then now and then while the picture
 * changes. Pure.
 */
export class PosterTimes {
  #dueMs = Infinity;
  /** @type {Uint8ClampedArray | null} */
  #sent = null;

  /**
   * The connection stands. The server has no poster of this publisher yet.
   *
   * @param {number} nowMs
   */
  begin(nowMs) {
    this.#dueMs = nowMs + FIRST_MS;
    this.#sent = null;
  }

  /** @param {number} nowMs */
  isDue(nowMs) {
    return nowMs >= this.#dueMs;
  }

  /**
   * Whether a picture that looks so is to be sent. It is asked once each time that one is due.
   *
   * @param {Uint8ClampedArray | null} look null while there is no picture
   * @param {number} nowMs
   */
  wants(look, nowMs) {
    this.#dueMs = nowMs + (look ? EVERY_MS : AGAIN_MS);
    return look !== null && (this.#sent === null || difference(look, this.#sent) > SAME_MOST);
  }

  /**
   * The server has this one.
   *
   * @param {Uint8ClampedArray | null} look
   */
  sent(look) {
    this.#sent = look;
  }
}

/**
 * The mean distance of two looks at a picture.
 *
 * @param {Uint8ClampedArray} one
 * @param {Uint8ClampedArray} other
 */
function difference(one, other) {
  const sum = one.reduce((total, value, i) => total + Math.abs(value - other[i]), 0);
  return sum / one.length;
}

/**
 * The size of a poster for a picture: no wider than 640 pixels, never enlarged. Pure.
 *
 * @param {number} width
 * @param {number} height
 */
export function posterSize(width, height) {
  const scale = Math.min(1, WIDTH_MOST / width);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * What the video element shows now, in a few points; null when it shows nothing.
 *
 * @param {HTMLVideoElement} video
 */
export function lookAt(video) {
  const size = { width: LOOK_WIDTH, height: LOOK_HEIGHT };
  const context = paint(video, size, { alpha: false, willReadFrequently: true });
  return context?.getImageData(0, 0, LOOK_WIDTH, LOOK_HEIGHT).data ?? null;
}

/**
 * A JPEG of what the video element shows now, or null when it shows nothing (or too much).
 *
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob | null>}
 */
export async function takePoster(video) {
  const canvas = paint(video, posterSize(video.videoWidth, video.videoHeight), { alpha: false })?.canvas;
  if (!canvas) return null;
  for (const quality of [0.8, 0.6, 0.4]) {
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
    if (blob && blob.size <= BYTES_MOST) return blob;
  }
  return null;
}

/**
 * @param {HTMLVideoElement} video
 * @param {{ width: number, height: number }} size
 * @param {CanvasRenderingContext2DSettings} settings
 */
function paint(video, size, settings) {
  if (!video.videoWidth || video.readyState < 2) return null;
  const context = Object.assign(document.createElement('canvas'), size).getContext('2d', settings);
  context?.drawImage(video, 0, 0, size.width, size.height);
  return context;
}
