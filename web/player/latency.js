// What a viewer may ask for by `?latency=`: how much delay may be spent on smoothness. Pure.

/** @typedef {'low' | 'normal' | 'smooth'} Latency */

/**
 * `?latency=` as one of these.
 *
 * @param {string | null} wished
 * @returns {Latency}
 */
export function latencyOf(wished) {
  return wished === 'low' || wished === 'smooth' ? wished : 'normal';
}

/**
 * Whether WebCodecs are to play, where the browser has them: the way to the least delay. An iPhone shows
 * nothing but a video element on its full screen, so there they are to be asked for.
 *
 * @param {URLSearchParams} query
 */
export function wantsCodecs(query, canFillScreen = 'requestFullscreen' in Element.prototype) {
  const player = query.get('player');
  return player === 'webcodecs' || (player === null && canFillScreen);
}
