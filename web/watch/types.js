// What of a stream's type this browser plays.

import { codecsOf, isAudioCodec, mimeWithoutKind } from '../player/webm-edit.js';

/**
 * Whether Media Source Extensions play all of a type, its picture alone, or its sound alone.
 *
 * @typedef {{ all: boolean, withoutAudio: boolean, withoutVideo: boolean }} Plays
 */

/**
 * A type's codecs by their kind. Pure.
 *
 * @param {string} mime
 */
export function kindsOf(mime) {
  const codecs = codecsOf(mime);
  return { audio: codecs.filter(isAudioCodec), video: codecs.filter((codec) => !isAudioCodec(codec)) };
}

/**
 * The same type by the name that Media Source Extensions know: they take Matroska by WebM's name
 * only, and all depends on the codecs. Pure.
 *
 * @param {string} mime
 */
export function mseType(mime) {
  return mime.replace('video/x-matroska', 'video/webm').replace('audio/x-matroska', 'audio/webm');
}

/**
 * @param {string} mime
 * @param {(mime: string) => boolean} canPlay
 * @returns {Plays}
 */
export function playsOf(mime, canPlay) {
  const type = mseType(mime);
  const { audio, video } = kindsOf(mime);
  const hasBoth = audio.length > 0 && video.length > 0;
  return {
    all: canPlay(type),
    withoutAudio: hasBoth && canPlay(mimeWithoutKind(type, 'audio')),
    withoutVideo: hasBoth && canPlay(mimeWithoutKind(type, 'video')),
  };
}
