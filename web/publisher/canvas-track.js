// A picture that is drawn, as a MediaStreamTrack.

/**
 * A track fed by the canvas: frame by frame where the browser can (it also works in a hidden tab).
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} fps
 * @returns {{ track: MediaStreamTrack, show: (timestamp: number) => void }}
 */
export function pictureOutput(canvas, fps) {
  // Chromium's alone, so the types do not have it.
  const { MediaStreamTrackGenerator } = /** @type {any} */ (globalThis);
  if (MediaStreamTrackGenerator && globalThis.VideoFrame) {
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    return {
      track,
      show(timestamp) {
        if (writer.desiredSize <= 0 || track.readyState === 'ended') return;
        const picture = new VideoFrame(canvas, { timestamp, alpha: 'discard' });
        writer.write(picture).catch(() => picture.close());
      },
    };
  }
  const [track] = canvas.captureStream(fps).getVideoTracks();
  return { track, show() {} };
}
