// The figures about playback that a viewer may ask for.

import { bitRate, milliseconds } from '../lib/format.js';
import { CELLS, stripAgeMs } from '../lib/time-strip.js';

/** `[label, value]` rows. Pure. */
export function statsRows(stats) {
  const whole = (n) => (n === null ? '–' : n.toLocaleString('en'));
  const rows = [
    ['Latency', stats.latency_ms === null ? '–' : `about ${milliseconds(stats.latency_ms)}`],
    ['Buffer', `${milliseconds(stats.buffer_ms)}, aiming for ${milliseconds(stats.target_ms)}`],
    ['Speed', `${stats.rate.toFixed(2)}×`],
    ['Bit rate', stats.bitrate_bps === null ? '–' : bitRate(stats.bitrate_bps)],
    ['Picture', stats.width ? `${stats.width} × ${stats.height}` : '–'],
    ['Frames', `${whole(stats.frames)}, ${whole(stats.dropped)} dropped`],
    ['Codecs', stats.codecs || '–'],
    ['Ran dry', `${stats.underflows} times, ${stats.skips} skips`],
  ];
  if (stats.glass_ms !== null) rows.splice(1, 0, ['Test clock', `${milliseconds(stats.glass_ms)} old`]);
  return rows;
}

/** Writes rows into a `<dl>`, touching only what changed. */
export function showStats(list, rows) {
  while (list.children.length > rows.length * 2) list.lastElementChild.remove();
  rows.forEach(([label, value], i) => {
    if (list.children.length < i * 2 + 2) list.append(document.createElement('dt'), document.createElement('dd'));
    const [term, figure] = [list.children[i * 2], list.children[i * 2 + 1]];
    if (term.textContent !== label) term.textContent = label;
    if (figure.textContent !== value) figure.textContent = value;
  });
}

const SAMPLES = 10;
/** The middle of the strip, as a share of the picture's height. */
const STRIP_AT = 0.983;

/** Reads the test picture's strip from what a video element shows; null for other pictures. */
export class StripReader {
  #context = null;

  ageMs(video) {
    const { videoWidth, videoHeight } = video;
    if (!videoWidth || video.readyState < 2) return null;
    if (!this.#context) {
      const canvas = document.createElement('canvas');
      canvas.width = CELLS * SAMPLES;
      canvas.height = 1;
      this.#context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    }
    const { width } = this.#context.canvas;
    const epochMs = Date.now();
    this.#context.drawImage(video, 0, Math.floor(videoHeight * STRIP_AT), videoWidth, 1, 0, 0, width, 1);
    const { data } = this.#context.getImageData(0, 0, width, 1);
    const brightness = Array.from({ length: CELLS }, (_, i) => data[(i * SAMPLES + SAMPLES / 2) * 4 + 1]);
    return stripAgeMs(brightness, epochMs);
  }
}
