// Tells when a picture that should move does not, and why. Pure: times come in, a word goes out.
//
//   ''          it plays
//   dry         nothing to show for a moment
//   offline     this device has no network
//   publisher   the server says that nothing comes from the publisher
//   line        nothing comes from the server, which does not say why
//   slow        it plays, but leaves out more and more: the way here is too slow
//   stops       it plays, but stops again and again, as nothing more has come
//   device      it plays, but stops again and again, although more has come

/** @typedef {'' | 'dry' | 'offline' | 'publisher' | 'line' | 'slow' | 'stops' | 'device'} Hitch */
/**
 * @typedef {object} Signs
 * @property {number} nowMs
 * @property {number} movedAtMs
 * @property {number} dataAtMs
 * @property {boolean} isOnAir
 * @property {boolean} isOffline
 * @property {boolean} isStalled
 * @property {number[]} [skipsAtMs]
 * @property {number[]} [stopsAtMs]
 * @property {number[]} [lapsesAtMs]
 */

/** Shorter stops are no matter of words. */
const DRY_MS = 400;
/** On air, and yet nothing comes. The server tells of a silent publisher after 2 s. */
const SILENT_MS = 2500;
/** This many skips, or stops, within this time are no accident. The page shows them for as long again. */
const SKIPS = 3;
const SKIPS_WITHIN_MS = 20_000;

/**
 * Whether the way here is too slow, by when the server left something out, or the picture stood (ascending).
 *
 * @param {number[]} timesMs
 * @param {number} nowMs
 */
export function isTooSlow(timesMs, nowMs) {
  return timesMs.filter((atMs) => nowMs - atMs < SKIPS_WITHIN_MS).length >= SKIPS;
}

/**
 * `{ hitch, isStill }`: one of the words above, and whether the picture stands. `movedAtMs` is when
 * playback last moved on (or was not meant to), `dataAtMs` when anything came, `isStalled` what the
 * server said last; `stopsAtMs` and `lapsesAtMs` are when the picture stood for want of data, and in spite of it.
 *
 * @param {Signs} options
 * @returns {{ hitch: Hitch, isStill: boolean }}
 */
export function hitchOf({ nowMs, movedAtMs, dataAtMs, isOnAir, isOffline, isStalled, skipsAtMs = [], stopsAtMs = [], lapsesAtMs = [] }) {
  const isStill = nowMs - movedAtMs >= DRY_MS;
  if (isOffline) return { hitch: 'offline', isStill };
  if (isOnAir && isStalled) return { hitch: 'publisher', isStill };
  if (isOnAir && nowMs - dataAtMs >= SILENT_MS) return { hitch: 'line', isStill };
  if (isTooSlow(skipsAtMs, nowMs)) return { hitch: 'slow', isStill };
  if (isTooSlow(stopsAtMs, nowMs)) return { hitch: 'stops', isStill };
  if (isTooSlow(lapsesAtMs, nowMs)) return { hitch: 'device', isStill };
  return { hitch: isStill ? 'dry' : '', isStill };
}
