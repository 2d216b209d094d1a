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
 * for, where they are known to play as reliably as Media Source Extensions.
 *
 * @param {URLSearchParams} query
 * @param {{ userAgent: string, userAgentData?: unknown }} browser
 */
export function wantsCodecs(query, browser = navigator) {
  const player = query.get('player');
  return player === 'webcodecs' || (player === null && (query.get('latency') === 'low' || isKnown(browser)));
}

/**
 * Chromium and its relatives, and Firefox.
 *
 * @param {{ userAgent: string, userAgentData?: unknown }} browser
 */
function isKnown({ userAgent, userAgentData }) {
  return userAgentData !== undefined || userAgent.includes('Firefox/');
}
