// The figures about playback that a viewer may ask for.

import { bitRate, counted, milliseconds } from '../lib/format.js';
import { CELLS, stripAgeMs } from '../lib/time-strip.js';

/**
 * @typedef {object} Figures
 * @property {number | null} latency_ms
 * @property {number} buffer_ms
 * @property {number | null} target_ms
 * @property {number} rate
 * @property {number | null} bitrate_bps
 * @property {number} width
 * @property {number} height
 * @property {number | null} frames
 * @property {number | null} dropped
 * @property {string} codecs
 * @property {number} underflows
 * @property {number} skips
 * @property {number | null} glass_ms
 * @property {number | null} [lip_sync_ms] how much later than its sound the picture is shown
 */

/**
 * `[label, value]` rows. Pure.
 *
 * @param {Figures} stats
 * @returns {[string, string][]}
 */
export function statsRows(stats) {
  const whole = (/** @type {number | null} */ n) => (n === null ? '–' : n.toLocaleString('en'));
  /** @type {[string, string][]} */
  const rows = [
    ['Latency', stats.latency_ms === null ? '–' : `about ${milliseconds(stats.latency_ms)}`],
    ['Buffer', `${milliseconds(stats.buffer_ms)}, aiming for ${milliseconds(stats.target_ms)}`],
    ['Speed', `${stats.rate.toFixed(2)}×`],
    ['Bit rate', stats.bitrate_bps === null ? '–' : bitRate(stats.bitrate_bps)],
    ['Picture', stats.width ? `${stats.width} × ${stats.height}` : '–'],
    ['Frames', `${whole(stats.frames)}, ${whole(stats.dropped)} dropped`],
    ['Codecs', stats.codecs || '–'],
    ['Stops', `${counted(stats.underflows, 'stop')}, ${counted(stats.skips, 'skip')}`],
  ];
  const { lip_sync_ms: lipSyncMs = null } = stats;
  if (lipSyncMs !== null) rows.push(['Sound', `${milliseconds(Math.abs(lipSyncMs))} ${lipSyncMs < 0 ? 'behind' : 'ahead of'} the picture`]);
  if (stats.glass_ms !== null) rows.splice(1, 0, ['Test clock', `${milliseconds(stats.glass_ms)} old`]);
  return rows;
}

/**
 * Writes rows into a `<dl>`, touching only what changed.
 *
 * @param {HTMLElement} list
 * @param {[string, string][]} rows
 */
export function showStats(list, rows) {
  while (list.children.length > rows.length * 2) list.lastElementChild?.remove();
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

/** Reads the test picture's strip from what a video element or a canvas shows; null for other pictures. */
export class StripReader {
  /** @type {CanvasRenderingContext2D | null} */
  #context = null;

  /** @param {HTMLVideoElement | HTMLCanvasElement} picture */
  ageMs(picture) {
    const isVideo = picture instanceof HTMLVideoElement;
    const [pictureWidth, pictureHeight] = isVideo ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
    if (!pictureWidth || (isVideo && picture.readyState < 2)) return null;
    this.#context ??= stripContext();
    if (!this.#context) return null;
    const { width } = this.#context.canvas;
    const epochMs = Date.now();
    this.#context.drawImage(picture, 0, Math.floor(pictureHeight * STRIP_AT), pictureWidth, 1, 0, 0, width, 1);
    const { data } = this.#context.getImageData(0, 0, width, 1);
    const brightness = Array.from({ length: CELLS }, (_, i) => data[(i * SAMPLES + SAMPLES / 2) * 4 + 1]);
    return stripAgeMs(brightness, epochMs);
  }
}

/** A canvas of the strip's size: one row, some pixels for each cell. */
function stripContext() {
  const canvas = document.createElement('canvas');
  canvas.width = CELLS * SAMPLES;
  canvas.height = 1;
  return canvas.getContext('2d', { alpha: false, willReadFrequently: true });
}
