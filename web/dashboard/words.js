// What the dashboard says. Pure.

import { bitRate, bytes, counted, milliseconds, since } from '../lib/format.js';

/**
 * A stream, as `/api/events` tells it.
 *
 * @typedef {object} Stream
 * @property {string} name
 * @property {string} [node] of its publisher, where there are several
 * @property {number} viewers
 * @property {number} viewers_peak
 * @property {number} uptime_s
 * @property {string | null} codecs
 * @property {number | null} width
 * @property {number | null} height
 * @property {boolean} recording
 * @property {number} skips
 */

/** @typedef {'connecting' | 'live' | 'reconnecting'} State */
/**
 * One chart.
 *
 * @typedef {object} Kind
 * @property {string} figure
 * @property {string} title
 * @property {(value: number) => string} say
 * @property {'mean' | 'max'} fold how seconds become one point
 * @property {number} least the scale is never shorter
 * @property {string} [about] what the figure means, where the title does not say it
 */

const count = (/** @type {number} */ value) => Math.round(value).toLocaleString('en');
const tenths = (/** @type {number} */ value) => (value < 10 ? String(Math.round(value * 10) / 10) : count(value));
const percent = (/** @type {number} */ value) => `${tenths(value)}\u202f%`;
/** Most are well below one. */
const ms = (/** @type {number} */ value) => (value < 100 ? `${tenths(value)}\u202fms` : milliseconds(value));
const seconds = (/** @type {number} */ value) => `${tenths(value / 1000)}\u202fs`;
const perSecond = (/** @type {number} */ value) => `${tenths(value)}/s`;

/** @type {Kind[]} */
export const STREAM_CHARTS = [
  { figure: 'viewers', title: 'Viewers', say: count, fold: 'max', least: 5 },
  { figure: 'received_bps', title: 'Bit rate in', say: bitRate, fold: 'mean', least: 10_000 },
  { figure: 'sent_bps', title: 'Bit rate out', say: bitRate, fold: 'mean', least: 10_000 },
  {
    figure: 'delay_ms',
    title: 'Server delay',
    say: ms,
    fold: 'max',
    least: 1,
    about: 'The longest time, in a second, from the first viewer that gets new media to the last one.',
  },
  {
    figure: 'skips',
    title: 'Skips',
    say: perSecond,
    fold: 'max',
    least: 1,
    about: 'How often viewers that were too slow jumped to the newest keyframe.',
  },
  {
    figure: 'ring_ms',
    title: 'Ring',
    say: seconds,
    fold: 'mean',
    least: 1000,
    about: 'How much of the stream the server keeps for slow and late viewers.',
  },
];

/** @type {Kind[]} */
export const PROCESS_CHARTS = [
  {
    figure: 'cpu_percent',
    title: 'CPU',
    say: percent,
    fold: 'mean',
    least: 10,
    about: 'Of one core: 100\u202f% is all of it.',
  },
  { figure: 'memory_bytes', title: 'Memory', say: bytes, fold: 'max', least: 1_000_000 },
  { figure: 'connections', title: 'Connections', say: count, fold: 'max', least: 5 },
  {
    figure: 'turn_ms',
    title: 'Loop turn',
    say: ms,
    fold: 'max',
    least: 1,
    about: 'The longest time, in a second, for which the server did one round of work. Meanwhile others wait.',
  },
  { figure: 'received_bps', title: 'Received', say: bitRate, fold: 'mean', least: 10_000 },
  { figure: 'sent_bps', title: 'Sent', say: bitRate, fold: 'mean', least: 10_000 },
];

/**
 * The line below the title.
 *
 * @param {{ state: State, streams: Stream[] }} board
 */
export function summaryOf({ state, streams }) {
  if (state === 'connecting') return 'Connecting to the server…';
  if (state === 'reconnecting') return 'The server does not answer. Trying again.';
  if (streams.length === 0) return 'No streams right now';
  const viewers = streams.reduce((sum, stream) => sum + stream.viewers, 0);
  return `${counted(streams.length, 'stream')}, ${counted(viewers, 'viewer')}`;
}

/**
 * What stands below the name of a stream.
 *
 * @param {Stream} stream
 */
export function metaOf({ node, width, height, codecs, uptime_s: uptimeS, viewers_peak: peak, skips, recording }) {
  const size = width && height ? `${width} × ${height}` : '';
  const parts = [
    uptimeS < 60 ? since(uptimeS) : `on air ${since(uptimeS)}`,
    size,
    (codecs ?? '').replaceAll(',', ', '),
    `${counted(peak, 'viewer')} at most`,
    skips ? counted(skips, 'skip') : '',
    recording ? 'recording' : '',
    node ? `on ${node}` : '',
  ];
  return parts.filter(Boolean).join(' · ');
}

/**
 * What the key's field says, or null where it is not wanted.
 *
 * @param {{ locked: boolean, hasKey: boolean, count: number }} seen
 */
export function lockOf({ locked, hasKey, count: shown }) {
  if (!locked) return null;
  return {
    title: shown ? 'More streams here need a key.' : 'Streams here need a key.',
    text: hasKey ? 'The key you gave does not open them. Try another one.' : 'Enter the key that you were given.',
  };
}

/**
 * A chart in words, for those who do not see it.
 *
 * @param {Kind} kind
 * @param {{ now: number | null, peak: number | null, span: string }} figures
 */
export function chartInWords({ title, say }, { now, peak, span }) {
  if (peak === null) return `${title}: nothing known yet`;
  return `${title}: ${now === null ? 'not known now' : `${say(now)} now`}, at most ${say(peak)} in ${span}`;
}

/** @param {number} agoS */
export function ago(agoS) {
  if (agoS < 2) return 'now';
  return agoS < 120 ? `${Math.round(agoS)} s ago` : `${Math.round(agoS / 60)} min ago`;
}
