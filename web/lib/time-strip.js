// A clock that a machine can read in a picture: one row of 32 light and dark cells.
//
//   1 0 | 24 bits: milliseconds of the wall clock, modulo 2^24 | 6 bits: check
//
// The test picture carries it, so anyone who sees the picture can tell how old it is, as long
// as both clocks agree. Large cells survive any codec.

export const CELLS = 32;
const SPAN_MS = 2 ** 24;

/** @param {number} time */
function check(time) {
  return ((time >> 18) ^ (time >> 12) ^ (time >> 6) ^ time ^ 0b101010) & 63;
}

/**
 * The 32 cells for a wall-clock time; true is light.
 *
 * @param {number} epochMs
 */
export function encodeTime(epochMs) {
  const time = Math.floor(epochMs) % SPAN_MS;
  const bits = [1, 0];
  for (let bit = 23; bit >= 0; bit -= 1) bits.push((time >> bit) & 1);
  for (let bit = 5; bit >= 0; bit -= 1) bits.push((check(time) >> bit) & 1);
  return bits.map(Boolean);
}

/**
 * How old a strip is, in milliseconds, from its cells' brightness (0 to 255 each); null when it
 * is no strip. A picture from the future, by up to half the span, has a negative age.
 *
 * @param {ArrayLike<number>} brightness
 * @param {number} epochMs
 * @returns {number | null}
 */
export function stripAgeMs(brightness, epochMs) {
  if (brightness.length !== CELLS) return null;
  const [light, dark] = [brightness[0], brightness[1]];
  if (light - dark < 60) return null;
  const middle = (light + dark) / 2;
  const bits = Array.from(brightness, (value) => (value > middle ? 1 : 0));
  const number = (/** @type {number} */ from, /** @type {number} */ length) =>
    bits.slice(from, from + length).reduce((sum, bit) => sum * 2 + bit, /** @type {number} */ (0));
  const time = number(2, 24);
  if (number(26, 6) !== check(time)) return null;
  const age = (Math.floor(epochMs) % SPAN_MS) - time;
  if (age > SPAN_MS / 2) return age - SPAN_MS;
  return age < -SPAN_MS / 2 ? age + SPAN_MS : age;
}
