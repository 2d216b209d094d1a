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
 * Whether WebCodecs are to play, where the browser has them: the way to the least delay. Without being asked
 * for, in Chromium and its relatives alone: others play longest by Media Source Extensions.
 *
 * @param {URLSearchParams} query
 */
export function wantsCodecs(query, isChromium = 'userAgentData' in navigator) {
  const player = query.get('player');
  return player === 'webcodecs' || (player === null && (isChromium || query.get('latency') === 'low'));
}
