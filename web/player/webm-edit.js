// Changes what a stream declares about itself, where a player needs it otherwise.
//
// Only the Tracks element is rewritten, with sizes eight bytes wide; all else passes unchanged.

import { children, joined, readTrack, SEGMENT, TRACK_ENTRY, TRACKS } from './webm-scan.js';

/** @typedef {(entry: Uint8Array, track: import('./webm-scan.js').Track) => Uint8Array | null} Edit */

/**
 * The init segment without the tracks of one kind.
 *
 * @param {Uint8Array} init
 * @param {import('./webm-scan.js').Kind} kind
 */
export function withoutKind(init, kind) {
  return editTracks(init, (entry, track) => (track.kind === kind ? null : entry));
}

const DEFAULT_DURATION = 0x23e383;

/**
 * The init segment without a word on how long the frames of a picture last. Players believe it, and
 * then take the next frame that comes later for a new beginning, which needs a keyframe.
 *
 * @param {Uint8Array} init
 */
export function withoutFrameLength(init) {
  return editTracks(init, (entry, track) => {
    if (track.kind !== 'video') return entry;
    const [{ body, end }] = children(entry, 0, entry.length);
    const kept = [...children(entry, body, end)].filter(({ id }) => id !== DEFAULT_DURATION);
    return sized(
      [TRACK_ENTRY],
      kept.map((child) => entry.subarray(child.at, child.end)),
    );
  });
}

/**
 * Each TrackEntry becomes what `edit(bytes, track)` makes of it; null leaves it out.
 *
 * @param {Uint8Array} init
 * @param {Edit} edit
 */
function editTracks(init, edit) {
  const parts = [];
  for (const top of children(init, 0, init.length)) {
    if (top.id !== SEGMENT) {
      parts.push(init.subarray(top.at, top.end));
      continue;
    }
    // Of unknown size: what follows has no end.
    parts.push(new Uint8Array([0x18, 0x53, 0x80, 0x67, 0x01, 255, 255, 255, 255, 255, 255, 255]));
    for (const part of children(init, top.body, top.end)) {
      parts.push(part.id === TRACKS ? editEntries(init, part, edit) : init.subarray(part.at, part.end));
    }
  }
  return joined(parts);
}

/**
 * @param {Uint8Array} init
 * @param {import('./webm-scan.js').Child} tracks
 * @param {Edit} edit
 */
function editEntries(init, tracks, edit) {
  const entries = [];
  for (const child of children(init, tracks.body, tracks.end)) {
    const bytes = init.subarray(child.at, child.end);
    const edited = child.id === TRACK_ENTRY ? edit(bytes, readTrack(init, child)) : bytes;
    if (edited) entries.push(edited);
  }
  return sized([0x16, 0x54, 0xae, 0x6b], entries);
}

/**
 * An element with the given ID bytes around some content.
 *
 * @param {number[]} id
 * @param {Uint8Array[]} parts
 */
function sized(id, parts) {
  const content = joined(parts);
  const head = new Uint8Array(id.length + 8);
  head.set(id);
  const view = new DataView(head.buffer);
  view.setUint32(id.length, 0x01000000);
  view.setUint32(id.length + 4, content.length);
  return joined([head, content]);
}

/**
 * A MIME type's codecs: `video/webm;codecs="vp8,opus"` gives `['vp8', 'opus']`.
 *
 * @param {string} mime
 */
export function codecsOf(mime) {
  const [, list = ''] = /codecs\s*=\s*"?([^";]*)/i.exec(mime) ?? [];
  return list
    .split(',')
    .map((codec) => codec.trim())
    .filter(Boolean);
}

/** @param {string} codec */
export function isAudioCodec(codec) {
  return /^(opus|vorbis|pcm|flac|mp4a|aac|mp3|mpeg\/l|e?-?ac-?3|dts|alac|tta|truehd)/i.test(codec);
}

/**
 * The MIME type that remains when the tracks of one kind are left out.
 *
 * @param {string} mime
 * @param {import('./webm-scan.js').Kind} kind
 */
export function mimeWithoutKind(mime, kind) {
  const left = codecsOf(mime).filter((codec) => isAudioCodec(codec) !== (kind === 'audio'));
  const container = kind === 'video' ? mime.replace(/^video\//, 'audio/') : mime;
  return `${container.split(';')[0]};codecs="${left.join(',')}"`;
}

const BLOCK = 0xa1;
const BLOCK_GROUP = 0xa0;
const BLOCK_DURATION = 0x9b;
const REFERENCE_BLOCK = 0xfb;

/**
 * A Cluster of unknown size that begins at a time, for blocks to follow.
 *
 * @param {number} ticks
 */
export function clusterHead(ticks) {
  const head = new Uint8Array([0x1f, 0x43, 0xb6, 0x75, 0x01, 255, 255, 255, 255, 255, 255, 255, 0xe7, 0x88, 0, 0, 0, 0, 0, 0, 0, 0]);
  const view = new DataView(head.buffer);
  view.setUint32(14, Math.floor(ticks / 2 ** 32));
  view.setUint32(18, ticks % 2 ** 32);
  return head;
}

/**
 * A SimpleBlock of one frame.
 *
 * @param {number} trackNumber
 * @param {number} relativeTicks
 * @param {Uint8Array} frame
 * @param {boolean} isKeyframe
 */
export function blockAt(trackNumber, relativeTicks, frame, isKeyframe) {
  const head = new Uint8Array([0x80 | trackNumber, relativeTicks >> 8, relativeTicks, isKeyframe ? 0x80 : 0]);
  return sized([0xa3], [head, frame]);
}

/**
 * A SimpleBlock or BlockGroup as a BlockGroup that says how long it lasts. Overlaps are fine: what
 * comes next cuts it short.
 *
 * @param {Uint8Array} bytes
 * @param {boolean} isKeyframe
 * @param {number} ticks
 */
export function lasting(bytes, isKeyframe, ticks) {
  const [element] = children(bytes, 0, bytes.length);
  const duration = new Uint8Array([BLOCK_DURATION, 0x84, ticks >>> 24, ticks >>> 16, ticks >>> 8, ticks]);
  if (element.id === BLOCK_GROUP) {
    const kept = [...children(bytes, element.body, element.end)].filter(({ id }) => id !== BLOCK_DURATION);
    return sized([BLOCK_GROUP], [...kept.map((child) => bytes.subarray(child.at, child.end)), duration]);
  }
  const content = bytes.slice(element.body, element.end);
  // The flags "keyframe" and "discardable" are the SimpleBlock's alone.
  content[numberLength(content) + 2] &= 0x7e;
  // Which frame it refers to is the codec's business: that it does is what counts.
  const reference = isKeyframe ? [] : [new Uint8Array([REFERENCE_BLOCK, 0x81, 0xff])];
  return sized([BLOCK_GROUP], [sized([BLOCK], [content]), duration, ...reference]);
}

/**
 * Bytes of the track number that a block begins with.
 *
 * @param {Uint8Array} content
 */
function numberLength(content) {
  return Math.clz32(content[0]) - 23;
}
