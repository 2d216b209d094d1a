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
