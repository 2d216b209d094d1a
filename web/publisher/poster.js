// The still picture of a stream that the home page and waiting viewers see.

const WIDTH_MOST = 640;
const BYTES_MOST = 256 * 1024;

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
 * A JPEG of what the video element shows now, or null when it shows nothing (or too much).
 *
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob | null>}
 */
export async function takePoster(video) {
  if (!video.videoWidth || video.readyState < 2) return null;
  const canvas = document.createElement('canvas');
  Object.assign(canvas, posterSize(video.videoWidth, video.videoHeight));
  canvas.getContext('2d', { alpha: false })?.drawImage(video, 0, 0, canvas.width, canvas.height);
  for (const quality of [0.8, 0.6, 0.4]) {
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
    if (blob && blob.size <= BYTES_MOST) return blob;
  }
  return null;
}
