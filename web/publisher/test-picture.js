// The built-in test picture: a clock that moves, as a MediaStream.
//
// It needs no camera and no permission, and shows at a glance what a live picture should: that
// it runs (the hand), how smoothly (the frame count), and how late (the clock, and the strip of
// cells along the foot, which the viewer page reads). A beep and a blink mark each second, so
// ear and eye can judge whether sound and picture belong together.

import { pictureOutput } from './canvas-track.js';
import { encodeTime } from '../lib/time-strip.js';
import { Ticker } from './ticker.js';

/** @typedef {{ width: number, height: number, epochMs: number, frame: number, name: string }} Instant */

const INK = '#f4efe6';
const FAINT = '#6f6a62';
const GROUND = '#141311';
const FACE = '#1f1d1a';
const ACCENT = '#ffc933';
const BARS = ['#d9d4ca', '#d8b93f', '#4fb0b8', '#5aa65a', '#b35c9e', '#c2493d', '#3f5ea8', '#26241f'];
const FONT = 'ui-sans-serif, system-ui, sans-serif';
const BEEP_SECONDS = 0.07;

/**
 * Draws the picture for one instant. The context is the size of the picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Instant} options
 */
export function drawTestPicture(context, { width, height, epochMs, frame, name }) {
  const unit = height / 45;
  const stripHeight = 1.5 * unit;
  const second = (epochMs % 1000) / 1000;
  context.fillStyle = GROUND;
  context.fillRect(0, 0, width, height);

  drawHand(context, { x: width * 0.24, y: height * 0.49, radius: 12 * unit, second });
  drawWords(context, { width, height, unit, epochMs, frame, name });

  BARS.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect((i * width) / BARS.length, height - 2.25 * unit, width / BARS.length + 1, 0.75 * unit);
  });

  const cells = encodeTime(epochMs);
  const cell = width / cells.length;
  context.fillStyle = '#000';
  context.fillRect(0, height - stripHeight, width, stripHeight);
  context.fillStyle = '#fff';
  cells.forEach((isLight, i) => {
    if (isLight) context.fillRect(i * cell, height - stripHeight, cell, stripHeight);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ x: number, y: number, radius: number, second: number }} options
 */
function drawHand(context, { x, y, radius, second }) {
  const angle = second * 2 * Math.PI - Math.PI / 2;
  context.fillStyle = FACE;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();

  context.fillStyle = ACCENT;
  context.beginPath();
  context.moveTo(x, y);
  context.arc(x, y, radius, -Math.PI / 2, angle);
  context.closePath();
  context.globalAlpha = 0.16;
  context.fill();
  context.globalAlpha = 1;

  context.strokeStyle = FAINT;
  context.lineWidth = radius * 0.02;
  for (let tick = 0; tick < 12; tick += 1) {
    const [cos, sin] = [Math.cos((tick * Math.PI) / 6), Math.sin((tick * Math.PI) / 6)];
    context.beginPath();
    context.moveTo(x + cos * radius * 0.86, y + sin * radius * 0.86);
    context.lineTo(x + cos * radius * 0.94, y + sin * radius * 0.94);
    context.stroke();
  }

  context.strokeStyle = ACCENT;
  context.lineWidth = radius * 0.045;
  context.lineCap = 'round';
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + Math.cos(angle) * radius * 0.8, y + Math.sin(angle) * radius * 0.8);
  context.stroke();

  context.fillStyle = second < BEEP_SECONDS ? INK : ACCENT;
  context.beginPath();
  context.arc(x, y, radius * (second < BEEP_SECONDS ? 0.16 : 0.07), 0, 2 * Math.PI);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Instant & { unit: number }} options
 */
function drawWords(context, { width, height, unit, epochMs, frame, name }) {
  const now = new Date(epochMs);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const x = width * 0.47;
  context.textBaseline = 'alphabetic';
  context.textAlign = 'left';

  context.fillStyle = FAINT;
  context.font = `500 ${2 * unit}px ${FONT}`;
  context.fillText('Test picture', x, height * 0.37);

  context.fillStyle = INK;
  context.font = `600 ${7.6 * unit}px ${FONT}`;
  // Each figure in its own column: the clock must not wobble.
  const figure = context.measureText('0').width;
  let at = x;
  for (const letter of `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`) {
    const column = letter === ':' ? figure * 0.5 : figure;
    context.fillText(letter, at + (column - context.measureText(letter).width) / 2, height * 0.55);
    at += column;
  }
  context.fillStyle = ACCENT;
  context.font = `600 ${3.2 * unit}px ${FONT}`;
  context.fillText(`.${Math.floor((epochMs % 1000) / 100)}`, at + unit * 0.3, height * 0.55);

  context.fillStyle = FAINT;
  context.font = `500 ${2 * unit}px ${FONT}`;
  context.fillText(fitted(context, name, width * 0.34), x, height * 0.64);
  context.textAlign = 'right';
  context.fillText(String(frame), width - 2 * unit, height * 0.64);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} width
 */
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}

/**
 * `{ stream, resize(scale), stop() }`; with `sound`, rejects nothing: silent when the browser allows no sound.
 *
 * @param {{ width?: number, height?: number, fps?: number, name?: string, sound?: boolean }} options
 */
export async function openTestPicture({ width = 1280, height = 720, fps = 30, name = '', sound = false }) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  // Opaque: a picture with an alpha channel costs a second encoding and plays in fewer players.
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) throw new DOMException('no canvas', 'NotSupportedError');
  const startedMs = performance.now();
  let frame = 0;
  const output = pictureOutput(canvas, fps);
  const draw = () => {
    drawTestPicture(context, { width: canvas.width, height: canvas.height, epochMs: Date.now(), frame, name });
    output.show((performance.now() - startedMs) * 1000);
    frame += 1;
  };
  draw();
  const ticker = new Ticker(1000 / fps, draw);
  const beeps = sound ? await openBeeps() : null;
  const stream = new MediaStream([output.track, ...(beeps ? [beeps.track] : [])]);
  return {
    stream,
    resize(/** @type {number} */ scale) {
      // Even numbers: pictures are recorded with a colour for two by two points.
      canvas.width = 2 * Math.round((width * scale) / 2);
      canvas.height = 2 * Math.round((height * scale) / 2);
    },
    stop() {
      ticker.stop();
      beeps?.stop();
      stream.getTracks().forEach((track) => track.stop());
    },
  };
}

/** A soft beep on each second of the wall clock. Null when the page may not sound yet. */
async function openBeeps() {
  const context = new AudioContext();
  // Without a click on the page, or without a sound device, this may never resolve.
  await Promise.race([
    context.resume(),
    new Promise((resolve) => {
      setTimeout(resolve, 700);
    }),
  ]);
  if (context.state !== 'running') {
    context.close();
    return null;
  }
  const out = context.createMediaStreamDestination();
  const tone = new OscillatorNode(context, { frequency: 660 });
  const volume = new GainNode(context, { gain: 0 });
  tone.connect(volume).connect(out);
  tone.start();
  const beep = () => {
    const at = context.currentTime + (1000 - (Date.now() % 1000)) / 1000;
    volume.gain.setTargetAtTime(0.08, at, 0.004);
    volume.gain.setTargetAtTime(0, at + BEEP_SECONDS, 0.01);
  };
  beep();
  const ticker = new Ticker(1000, beep);
  return {
    track: out.stream.getAudioTracks()[0],
    stop() {
      ticker.stop();
      context.close();
    },
  };
}
