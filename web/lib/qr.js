// A QR code of a text, for phones to read from the screen. Pure.
//
//   const modules = qrCode('https://example.org/live/demo');   // rows of booleans, true is dark
//
// ISO/IEC 18004: bytes (UTF-8), error correction M, versions 1 to 10, which is 213 bytes: longer
// links have no code. The rim of four light modules is for who draws it.

/** For each version from 1: correction bytes per block, then the data bytes of each block. */
const BLOCKS = [
  [10, [16]],
  [16, [28]],
  [26, [44]],
  [18, [32, 32]],
  [24, [43, 43]],
  [16, [27, 27, 27, 27]],
  [18, [31, 31, 31, 31]],
  [22, [38, 38, 39, 39]],
  [22, [36, 36, 36, 37, 37]],
  [26, [43, 43, 43, 43, 44]],
].map(([correction, data]) => ({ correction: Number(correction), data: /** @type {number[]} */ (data) }));

/** @type {((x: number, y: number) => boolean)[]} */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

// Powers and logarithms in GF(256), by x^8 + x^4 + x^3 + x^2 + 1.
const POWERS = new Uint8Array(255);
const LOGS = new Uint8Array(256);
for (let i = 0, value = 1; i < 255; i += 1) {
  POWERS[i] = value;
  LOGS[value] = i;
  value = (value << 1) ^ (value & 128 ? 0x11d : 0);
}

/** @typedef {{ size: number, dark: Uint8Array, isFixed: Uint8Array }} Grid */

/**
 * Rows of modules, true where they are dark; null for a text that is too long.
 *
 * @param {string} text
 * @returns {boolean[][] | null}
 */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = 1 + BLOCKS.findIndex(({ data }, i) => sum(data) * 8 >= headBits(i + 1) + bytes.length * 8);
  if (version === 0) return null;
  const grid = emptyGrid(version);
  fill(grid, interleaved(version, dataBytes(version, bytes)));
  const masked = MASKS.map((mask, number) => {
    const dark = grid.dark.map((value, i) => (grid.isFixed[i] ? value : value ^ Number(mask(i % grid.size, Math.floor(i / grid.size)))));
    const candidate = { ...grid, dark };
    writeFormat(candidate, number);
    return candidate;
  });
  const best = masked.reduce((least, each) => (penalty(each) < penalty(least) ? each : least));
  return Array.from({ length: best.size }, (_, y) => Array.from({ length: best.size }, (__, x) => best.dark[y * best.size + x] === 1));
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}

/** @param {number} version */
function headBits(version) {
  return 4 + (version < 10 ? 8 : 16);
}

/**
 * The mode, the length, the text, and what fills the rest.
 *
 * @param {number} version
 * @param {Uint8Array} bytes
 */
function dataBytes(version, bytes) {
  const length = sum(BLOCKS[version - 1].data);
  const digits = (/** @type {number} */ value, /** @type {number} */ count) => value.toString(2).padStart(count, '0');
  const text = [...bytes].map((byte) => digits(byte, 8)).join('');
  const bits = `0100${digits(bytes.length, headBits(version) - 4)}${text}`;
  const ended = bits + '0'.repeat(Math.min(4, length * 8 - bits.length));
  const whole = ended.padEnd(Math.ceil(ended.length / 8) * 8, '0');
  const data = Array.from({ length: whole.length / 8 }, (_, i) => parseInt(whole.slice(i * 8, i * 8 + 8), 2));
  for (let i = 0; data.length < length; i += 1) data.push(i % 2 ? 0x11 : 0xec);
  return data;
}

/**
 * Data and correction of all blocks, in turns.
 *
 * @param {number} version
 * @param {number[]} data
 */
function interleaved(version, data) {
  const { correction, data: lengths } = BLOCKS[version - 1];
  let at = 0;
  const blocks = lengths.map((length) => data.slice(at, (at += length)));
  const turns = (/** @type {number[][]} */ lists) =>
    Array.from({ length: Math.max(...lists.map((list) => list.length)) }, (_, i) => lists.map((list) => list[i])).flat();
  return [...turns(blocks), ...turns(blocks.map((block) => remainder(block, correction)))].filter((byte) => byte !== undefined);
}

/**
 * Reed and Solomon's correction bytes.
 *
 * @param {number[]} block
 * @param {number} count
 */
function remainder(block, count) {
  const times = (/** @type {number} */ a, /** @type {number} */ b) => (a && b ? POWERS[(LOGS[a] + LOGS[b]) % 255] : 0);
  let generator = [1];
  for (let i = 0; i < count; i += 1) {
    generator = [...generator, 0].map((value, k) => value ^ (k ? times(generator[k - 1], POWERS[i]) : 0));
  }
  const rest = [...block, ...new Array(count).fill(0)];
  for (let i = 0; i < block.length; i += 1) {
    const lead = rest[i];
    for (let k = 0; k <= count; k += 1) rest[i + k] ^= times(lead, generator[k]);
  }
  return rest.slice(block.length);
}

/**
 * The patterns that every code of this version has.
 *
 * @param {number} version
 * @returns {Grid}
 */
function emptyGrid(version) {
  const size = 17 + 4 * version;
  const grid = { size, dark: new Uint8Array(size * size), isFixed: new Uint8Array(size * size) };
  const last = size - 7;
  for (let i = 8; i < size - 8; i += 1) {
    set(grid, i, 6, i % 2 === 0);
    set(grid, 6, i, i % 2 === 0);
  }
  const isCornerDark = (/** @type {number} */ ring) => ring !== 2 && ring !== 4;
  square(grid, 3, 3, 4, isCornerDark);
  square(grid, size - 4, 3, 4, isCornerDark);
  square(grid, 3, size - 4, 4, isCornerDark);
  const step = version < 7 ? size - 13 : (size - 13) / 2;
  const centres = version === 1 ? [] : Array.from({ length: version < 7 ? 2 : 3 }, (_, i) => 6 + i * step);
  for (const x of centres) {
    for (const y of centres) {
      if (!((x === 6 && (y === 6 || y === last)) || (x === last && y === 6))) square(grid, x, y, 2, (ring) => ring !== 1);
    }
  }
  writeFormat(grid, 0);
  const code = (version << 12) | checkBits(version, 12, 0x1f25);
  for (let i = 0; version >= 7 && i < 18; i += 1) {
    const [near, far] = [Math.floor(i / 3), size - 11 + (i % 3)];
    set(grid, near, far, Boolean((code >> i) & 1));
    set(grid, far, near, Boolean((code >> i) & 1));
  }
  return grid;
}

/**
 * Rings around a point, as far as they lie inside.
 *
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {(ring: number) => boolean} isDark
 */
function square(grid, x, y, radius, isDark) {
  for (let dy = -radius; dy <= radius; dy += 1) {
    for (let dx = -radius; dx <= radius; dx += 1) {
      const isInside = [x + dx, y + dy].every((at) => at >= 0 && at < grid.size);
      if (isInside) set(grid, x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
    }
  }
}

/**
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 * @param {boolean} isDark
 */
function set({ size, dark, isFixed }, x, y, isDark) {
  dark[y * size + x] = Number(isDark);
  isFixed[y * size + x] = 1;
}

/**
 * The level of correction (M) and the mask, twice.
 *
 * @param {Grid} grid
 * @param {number} mask
 */
function writeFormat(grid, mask) {
  const { size } = grid;
  const code = ((mask << 10) | checkBits(mask, 10, 0x537)) ^ 0x5412;
  for (let i = 0; i < 15; i += 1) {
    const isDark = Boolean((code >> i) & 1);
    if (i < 8) set(grid, 8, i < 6 ? i : i + 1, isDark);
    else set(grid, i === 8 ? 7 : 14 - i, 8, isDark);
    if (i < 8) set(grid, size - 1 - i, 8, isDark);
    else set(grid, 8, size - 15 + i, isDark);
  }
  set(grid, 8, size - 8, true);
}

/**
 * @param {number} value
 * @param {number} count
 * @param {number} generator
 */
function checkBits(value, count, generator) {
  let rest = value << count;
  while (rest >> count) rest ^= generator << (Math.floor(Math.log2(rest)) - count);
  return rest;
}

/**
 * Upwards and downwards in columns of two, from the right.
 *
 * @param {Grid} grid
 * @param {number[]} bytes
 */
function fill({ size, dark, isFixed }, bytes) {
  let bit = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let i = 0; i < size; i += 1) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        const at = y * size + x;
        if (isFixed[at]) continue;
        dark[at] = ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
        bit += 1;
      }
    }
  }
}

/**
 * How hard a code is to read: runs, blocks, what looks like a corner, and too much of one colour.
 *
 * @param {Grid} grid
 */
function penalty({ size, dark }) {
  const at = (/** @type {number} */ x, /** @type {number} */ y) => dark[y * size + x];
  let points = 0;
  for (let y = 0; y < size; y += 1) {
    for (const line of [range(size, (x) => at(x, y)), range(size, (x) => at(y, x))]) {
      for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) points += run.length - 2;
      points += 40 * [...line.matchAll(/(?=10111010000|00001011101)/g)].length;
    }
    for (let x = 0; x < size - 1 && y < size - 1; x += 1) {
      const four = at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1);
      if (four % 4 === 0) points += 3;
    }
  }
  const share = sum([...dark]) / dark.length;
  return points + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}

/**
 * @param {number} length
 * @param {(i: number) => number} digit
 */
function range(length, digit) {
  return Array.from({ length }, (_, i) => digit(i)).join('');
}
