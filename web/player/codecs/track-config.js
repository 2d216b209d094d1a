// What an init segment declares, as decoders want it. Pure.

import { children, SEGMENT, TRACK_ENTRY, TRACKS } from '../webm-scan.js';
import { codecsOf, isAudioCodec } from '../webm-edit.js';

const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const CODEC_ID = 0x86;
const CODEC_PRIVATE = 0x63a2;
const CODEC_DELAY = 0x56aa;
const VIDEO = 0xe0;
const COLOUR = 0x55b0;
const MATRIX = 0x55b1;
const RANGE = 0x55b9;
const TRANSFER = 0x55ba;
const PRIMARIES = 0x55bb;
const AUDIO = 0xe1;
const SAMPLING_FREQUENCY = 0xb5;
const CHANNELS = 0x9f;

/** What the numbers of H.273 are to WebCodecs. */
/** @type {Record<number, VideoMatrixCoefficients>} */
const MATRICES = { 0: 'rgb', 1: 'bt709', 5: 'bt470bg', 6: 'smpte170m' };
/** @type {Record<number, VideoColorPrimaries>} */
const PRIMARY_COLOURS = { 1: 'bt709', 5: 'bt470bg', 6: 'smpte170m' };
/** @type {Record<number, VideoTransferCharacteristics>} */
const TRANSFERS = { 1: 'bt709', 6: 'smpte170m', 13: 'iec61966-2-1' };

/** @typedef {{ number: number, config: VideoDecoderConfig }} VideoTrack */
/** @typedef {{ number: number, config: AudioDecoderConfig, delayMs: number }} AudioTrack */
/**
 * @typedef {object} Entry
 * @property {number} number
 * @property {number} type
 * @property {string} codecId
 * @property {Uint8Array<ArrayBuffer> | null} codecPrivate
 * @property {number} delayMs how much later than its timestamp each block's sound begins
 * @property {number} sampleRate
 * @property {number} channels
 * @property {VideoColorSpaceInit | null} colour
 */

/**
 * The first picture and the first sound of an init segment; null where there is none, or it is of a
 * codec that no decoder is known for. `mime` is the type that the server announced.
 *
 * @param {Uint8Array} init
 * @param {string} mime
 * @returns {{ video: VideoTrack | null, audio: AudioTrack | null, unknown: string[] }}
 */
export function configsOf(init, mime) {
  const entries = [...entriesOf(init)];
  const video = entries.find(({ type }) => type === 1);
  const audio = entries.find(({ type }) => type === 2);
  const announced = codecsOf(mime).find((codec) => !isAudioCodec(codec)) ?? '';
  const videoConfig = video && videoConfigOf(video, announced);
  const audioConfig = audio && audioConfigOf(audio);
  const unknown = [video && !videoConfig ? video.codecId : '', audio && !audioConfig ? audio.codecId : ''].filter(Boolean);
  return {
    video: video && videoConfig ? { number: video.number, config: videoConfig } : null,
    audio: audio && audioConfig ? { number: audio.number, config: audioConfig, delayMs: audio.delayMs } : null,
    unknown,
  };
}

/**
 * Whether one decoder does for both.
 *
 * @param {AudioTrack | null} one
 * @param {AudioTrack | null} other
 */
export function isSameSound(one, other) {
  const text = (/** @type {AudioTrack | null} */ track) =>
    JSON.stringify(track && [track.config, track.delayMs, [.../** @type {Uint8Array} */ (track.config.description ?? new Uint8Array())]]);
  return text(one) === text(other);
}

/**
 * @param {Uint8Array} init
 * @returns {Generator<Entry>}
 */
function* entriesOf(init) {
  for (const top of children(init, 0, init.length)) {
    if (top.id !== SEGMENT) continue;
    for (const part of children(init, top.body, top.end)) {
      if (part.id !== TRACKS) continue;
      for (const entry of children(init, part.body, part.end)) {
        if (entry.id === TRACK_ENTRY) yield entryOf(init, entry);
      }
    }
  }
}

/**
 * @param {Uint8Array} init
 * @param {import('../webm-scan.js').Child} element
 * @returns {Entry}
 */
function entryOf(init, element) {
  /** @type {Entry} */
  const entry = { number: 0, type: 0, codecId: '', codecPrivate: null, delayMs: 0, sampleRate: 8000, channels: 1, colour: null };
  for (const { id, body, end } of children(init, element.body, element.end)) {
    const bytes = init.subarray(body, end);
    if (id === TRACK_NUMBER) entry.number = unsigned(bytes);
    if (id === TRACK_TYPE) entry.type = unsigned(bytes);
    if (id === CODEC_ID) entry.codecId = String.fromCharCode(...bytes);
    if (id === CODEC_PRIVATE) entry.codecPrivate = bytes.slice();
    if (id === CODEC_DELAY) entry.delayMs = unsigned(bytes) / 1e6;
    if (id === VIDEO) entry.colour = colourOf(init, body, end);
    if (id !== AUDIO) continue;
    for (const field of children(init, body, end)) {
      const value = init.subarray(field.body, field.end);
      if (field.id === SAMPLING_FREQUENCY) entry.sampleRate = float(value);
      if (field.id === CHANNELS) entry.channels = unsigned(value);
    }
  }
  return entry;
}

/**
 * What the picture's colours mean; null where that is not told whole.
 *
 * @param {Uint8Array} init
 * @param {number} from
 * @param {number} to
 * @returns {VideoColorSpaceInit | null}
 */
function colourOf(init, from, to) {
  const colour = [...children(init, from, to)].find(({ id }) => id === COLOUR);
  if (!colour) return null;
  const numbers = new Map(
    [...children(init, colour.body, colour.end)].map(({ id, body, end }) => [id, unsigned(init.subarray(body, end))]),
  );
  const matrix = MATRICES[numbers.get(MATRIX) ?? -1];
  const range = numbers.get(RANGE);
  if (!matrix || (range !== 1 && range !== 2)) return null;
  const primaries = PRIMARY_COLOURS[numbers.get(PRIMARIES) ?? -1] ?? null;
  return { matrix, fullRange: range === 2, primaries, transfer: TRANSFERS[numbers.get(TRANSFER) ?? -1] ?? null };
}

/**
 * @param {Entry} entry
 * @param {string} announced
 * @returns {VideoDecoderConfig | null}
 */
function videoConfigOf({ codecId, codecPrivate, colour }, announced) {
  const config = (/** @type {string} */ codec, /** @type {Uint8Array<ArrayBuffer> | null} */ description = null) => ({
    codec,
    ...(description ? { description } : {}),
    ...(colour ? { colorSpace: colour } : {}),
    optimizeForLatency: true,
  });
  switch (codecId) {
    case 'V_VP8':
      return config('vp8');
    case 'V_VP9':
      return config(/^vp09\./.test(announced) ? announced : vp9Codec(codecPrivate));
    case 'V_AV1':
      return /^av01\./.test(announced) ? config(announced) : null;
    case 'V_MPEG4/ISO/AVC':
      return codecPrivate && codecPrivate.length > 3 ? config(`avc1.${hex(codecPrivate.subarray(1, 4))}`, codecPrivate) : null;
    case 'V_MPEGH/ISO/HEVC':
      return codecPrivate && /^h[ve][vc]1\./.test(announced) ? config(announced, codecPrivate) : null;
    default:
      return null;
  }
}

/**
 * WebM's features of VP9: each an ID (1: profile, 2: level, 3: bit depth), a length and a value.
 *
 * @param {Uint8Array | null} codecPrivate
 */
function vp9Codec(codecPrivate) {
  const values = new Map([
    [1, 0],
    [2, 10],
    [3, 8],
  ]);
  for (let at = 0; codecPrivate && at + 2 < codecPrivate.length; at += 3) values.set(codecPrivate[at], codecPrivate[at + 2]);
  return `vp09.${[1, 2, 3].map((id) => String(values.get(id)).padStart(2, '0')).join('.')}`;
}

/**
 * @param {Entry} entry
 * @returns {AudioDecoderConfig | null}
 */
function audioConfigOf({ codecId, codecPrivate, sampleRate, channels }) {
  const config = (/** @type {string} */ codec, /** @type {Uint8Array<ArrayBuffer> | null} */ description = null) => ({
    codec,
    sampleRate,
    numberOfChannels: channels,
    ...(description ? { description } : {}),
  });
  switch (codecId) {
    case 'A_OPUS':
      // Always decoded at this rate. Up to stereo it needs no head, which would have it leave out the
      // beginning of what we join in the middle.
      return { ...config('opus', channels > 2 ? codecPrivate : null), sampleRate: 48_000 };
    case 'A_VORBIS':
      return codecPrivate ? config('vorbis', codecPrivate) : null;
    case 'A_FLAC':
      return codecPrivate ? config('flac', codecPrivate) : null;
    case 'A_MPEG/L3':
      return config('mp3');
    case 'A_AAC':
      return codecPrivate ? config(`mp4a.40.${codecPrivate[0] >> 3}`, codecPrivate) : null;
    default:
      return null;
  }
}

/** @param {Uint8Array} bytes */
function unsigned(bytes) {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** @param {Uint8Array} bytes */
function float(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.length === 8 ? view.getFloat64(0) : bytes.length === 4 ? view.getFloat32(0) : 8000;
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
