// Changes what a stream declares about itself, where a player needs it otherwise.
//
// Only the Tracks element is rewritten, with sizes eight bytes wide; all else passes unchanged.

import { children, joined, readTrack, SEGMENT, TRACK_ENTRY, TRACKS } from './webm-scan.js';

/** The init segment without the tracks of one kind. */
export function withoutKind(init, kind) {
  return editTracks(init, (entry, track) => (track.kind === kind ? null : entry));
}

/** Each TrackEntry becomes what `edit(bytes, track)` makes of it; null leaves it out. */
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

function editEntries(init, tracks, edit) {
  const entries = [];
  for (const child of children(init, tracks.body, tracks.end)) {
    const bytes = init.subarray(child.at, child.end);
    const edited = child.id === TRACK_ENTRY ? edit(bytes, readTrack(init, child)) : bytes;
    if (edited) entries.push(edited);
  }
  return sized([0x16, 0x54, 0xae, 0x6b], entries);
}

/** An element with the given ID bytes around some content. */
function sized(id, parts) {
  const content = joined(parts);
  const head = new Uint8Array(id.length + 8);
  head.set(id);
  const view = new DataView(head.buffer);
  view.setUint32(id.length, 0x01000000);
  view.setUint32(id.length + 4, content.length);
  return joined([head, content]);
}

/** A MIME type's codecs: `video/webm;codecs="vp8,opus"` gives `['vp8', 'opus']`. */
export function codecsOf(mime) {
  const [, list = ''] = /codecs\s*=\s*"?([^";]*)/i.exec(mime) ?? [];
  return list.split(',').map((codec) => codec.trim()).filter(Boolean);
}

export function isAudioCodec(codec) {
  return /^(opus|vorbis|pcm|flac|mp4a)/i.test(codec);
}

/** The MIME type that remains when the tracks of one kind are left out. */
export function mimeWithoutKind(mime, kind) {
  const left = codecsOf(mime).filter((codec) => isAudioCodec(codec) !== (kind === 'audio'));
  const container = kind === 'video' ? mime.replace(/^video\//, 'audio/') : mime;
  return `${container.split(';')[0]};codecs="${left.join(',')}"`;
}
