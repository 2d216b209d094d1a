// The picture that is shown now, as a file.

/**
 * `demo-2026-11-29T08-03-29.png`: the stream and the person's own time. Pure.
 *
 * @param {string} name
 * @param {Date} time
 */
export function snapshotName(name, time) {
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(two).join('-');
  return `${name}-${day}T${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join('-')}.png`;
}

/**
 * A file in the picture's own size, or null while there is none.
 *
 * @param {HTMLVideoElement | HTMLCanvasElement} picture
 * @param {string} [type]
 * @param {number} [quality]
 * @returns {Promise<Blob | null>}
 */
export async function snapshot(picture, type = 'image/png', quality = undefined) {
  const isVideo = picture instanceof HTMLVideoElement;
  const [width, height] = isVideo ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
  if (!width || !height) return null;
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  canvas.getContext('2d')?.drawImage(picture, 0, 0, width, height);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, type, quality);
  });
}

/**
 * Hands a file to the person, as a download.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
