// Turns numbers into the words and figures that people read.
//
// Pure: numbers in, strings out. Every figure carries its unit.

const THIN = '\u202f'; // narrow no-break space, between a figure and its unit

/**
 * Seconds as a running clock: `0:07`, `12:34`, `1:02:03`.
 *
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const pad = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/**
 * Seconds as a rough length in words: `just started`, `12 min`, `3 h 5 min`, `2 days`.
 *
 * @param {number | undefined} seconds
 */
export function since(seconds) {
  const minutes = Math.floor(Math.max(0, seconds || 0) / 60);
  if (minutes < 1) return 'just started';
  if (minutes < 60) return `${minutes}${THIN}min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours}${THIN}h ${minutes % 60}${THIN}min` : `${hours}${THIN}h`;
  return `${Math.floor(hours / 24)} days`;
}

/**
 * Bits per second: `640 kbit/s`, `2.4 Mbit/s`.
 *
 * @param {number | null} bitsPerSecond
 */
export function bitRate(bitsPerSecond) {
  const bits = Math.max(0, bitsPerSecond || 0);
  if (bits < 999_500) return `${Math.round(bits / 1000)}${THIN}kbit/s`;
  return `${(bits / 1e6).toFixed(bits < 9.95e6 ? 1 : 0)}${THIN}Mbit/s`;
}

/**
 * Bytes: `512 B`, `48 KB`, `3.4 MB`, `1.2 GB`.
 *
 * @param {number} count
 */
export function bytes(count) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = Math.max(0, count || 0);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)}${THIN}${units[unit]}`;
}

/**
 * A number with its noun: `1 viewer`, `3 viewers`, `12,400 viewers`.
 *
 * @param {number | undefined} count
 * @param {string} one
 */
export function counted(count, one, many = `${one}s`) {
  const n = Math.max(0, Math.floor(count || 0));
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

/**
 * Milliseconds: `240 ms`, from one second on `2.3 s`.
 *
 * @param {number | null | undefined} ms
 */
export function milliseconds(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  return Math.abs(ms) < 999.5 ? `${Math.round(ms)}${THIN}ms` : `${(ms / 1000).toFixed(1)}${THIN}s`;
}
