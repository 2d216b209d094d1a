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
 * Whether WebCodecs are to play: asked for by `?player=webcodecs`, and the way to the least delay.
 *
 * @param {URLSearchParams} query
 */
export function wantsCodecs(query) {
  return query.get('player') === 'webcodecs' || (!query.has('player') && latencyOf(query.get('latency')) === 'low');
}
