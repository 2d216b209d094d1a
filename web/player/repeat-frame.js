// Makes the frame that shows the last picture once more, for when the next one is long in coming.
//
// A player wants a frame every so often: Chromium stops the sound three seconds after the last
// one, and a newcomer's seek ends only when frames follow. A recorder of something that stands
// still sends none. The frames made here change nothing in a decoder but what it shows, so the
// publisher's own frames go on behind them as if they were not there.
//
//   VP8   an inter frame without any residue or motion, of some dozen bytes
//   VP9   show_existing_frame, of one byte
//   any   a frame that stands alone (a GOP of one) is simply shown again
//
// Pure.

/** @typedef {{ bytes: Uint8Array, isKeyframe: boolean }} Repeat */

export class Repeater {
  #codecId;
  /**
   * VP8: macroblocks across and down, told by the keyframe; whether it uses segments.
   *
   * @type {{ across: number, down: number } | null}
   */
  #blocks = null;
  #hasSegments = false;
  /**
   * VP9: where the decoder keeps the picture that it shows, and its two bits of profile.
   *
   * @type {number | null}
   */
  #slot = null;
  #profile = 0;
  /**
   * The picture shown, when it needs no other.
   *
   * @type {Uint8Array | null}
   */
  #alone = null;
  /**
   * The repeat for what was seen last.
   *
   * @type {Repeat | null}
   */
  #made = null;

  /** @param {string} codecId */
  constructor(codecId) {
    this.#codecId = codecId;
  }

  /**
   * The next frame of the publisher.
   *
   * @param {Uint8Array} frame
   * @param {boolean} isKeyframe
   */
  see(frame, isKeyframe) {
    this.#made = null;
    this.#alone = isKeyframe ? frame : null;
    if (this.#codecId === 'V_VP8') this.#seeVp8(frame);
    if (this.#codecId === 'V_VP9') superframe(frame).forEach((each) => this.#seeVp9(each));
  }

  /** `{ bytes, isKeyframe }`, or null where the codec offers no way. */
  frame() {
    this.#made ??= this.#make();
    return this.#made;
  }

  #make() {
    if (this.#codecId === 'V_VP8' && this.#blocks) {
      return { bytes: vp8Repeat(this.#blocks, this.#hasSegments), isKeyframe: false };
    }
    if (this.#codecId === 'V_VP9' && this.#slot !== null) {
      return { bytes: vp9Repeat(this.#profile, this.#slot), isKeyframe: false };
    }
    return this.#alone && { bytes: this.#alone, isKeyframe: true };
  }

  /**
   * RFC 6386, 9.1 to 9.3.
   *
   * @param {Uint8Array} frame
   */
  #seeVp8(frame) {
    const isInter = (frame[0] & 1) === 1;
    if (frame.length < (isInter ? 4 : 11)) return;
    if (!isInter) {
      const across = (frame[6] | (frame[7] << 8)) & 0x3fff;
      const down = (frame[8] | (frame[9] << 8)) & 0x3fff;
      this.#blocks = { across: (across + 15) >> 4, down: (down + 15) >> 4 };
    }
    // Behind the color space and the clamping type, which only keyframes have.
    this.#hasSegments = evenBits(frame.subarray(isInter ? 3 : 10), isInter ? 1 : 3).at(-1) === 1;
  }

  /**
   * VP9 Bitstream Specification, 6.2.
   *
   * @param {Uint8Array} frame
   */
  #seeVp9(frame) {
    const bits = new Bits(frame);
    if (bits.read(2) !== 2) return;
    this.#profile = bits.read(1) | (bits.read(1) << 1);
    if (this.#profile === 3) bits.read(1);
    if (bits.read(1)) {
      this.#slot = bits.read(3);
      return;
    }
    const isInter = bits.read(1);
    const isShown = bits.read(1);
    const isResilient = bits.read(1);
    let refreshed = 0xff;
    if (isInter) {
      const isIntraOnly = isShown ? 0 : bits.read(1);
      if (!isResilient) bits.read(2);
      if (isIntraOnly) {
        bits.read(24);
        // Behind the depth and the color configuration, which vary: no stream shows such a frame.
        if (this.#profile > 0) {
          this.#slot = null;
          return;
        }
      }
      refreshed = bits.read(8);
    }
    if (isShown) this.#slot = refreshed ? 31 - Math.clz32(refreshed & -refreshed) : null;
    else if (this.#slot !== null && (refreshed >> this.#slot) & 1) this.#slot = null;
  }
}

/**
 * The frames of a VP9 superframe (its Annex B), or the one frame that it is.
 *
 * @param {Uint8Array} bytes
 */
function superframe(bytes) {
  const marker = bytes.at(-1) ?? 0;
  const [count, width] = [(marker & 7) + 1, ((marker >> 3) & 3) + 1];
  const indexAt = bytes.length - 2 - count * width;
  if (marker >> 5 !== 6 || indexAt < 0 || bytes[indexAt] !== marker) return [bytes];
  const frames = [];
  for (let i = 0, at = 0; i < count; i += 1) {
    let size = 0;
    for (let j = width - 1; j >= 0; j -= 1) size = size * 256 + bytes[indexAt + 1 + i * width + j];
    frames.push(bytes.subarray(at, at + size));
    at += size;
  }
  return frames;
}

/**
 * @param {number} profile
 * @param {number} slot
 */
function vp9Repeat(profile, slot) {
  const head = (0b10 << 6) | ((profile & 1) << 5) | ((profile >> 1) << 4);
  // Profile 3 has one bit more, so that the last one of the slot falls into a second byte.
  if (profile === 3) return new Uint8Array([head | 0b100 | (slot >> 1), (slot & 1) << 7]);
  return new Uint8Array([head | 0b1000 | slot]);
}

/** Fixed-width fields, the highest bit first. */
class Bits {
  #bytes;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  /** @param {number} count */
  read(count) {
    let value = 0;
    for (let i = 0; i < count; i += 1, this.#at += 1) {
      value = (value << 1) | (((this.#bytes[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1);
    }
    return value;
  }
}

/**
 * How likely each of the 1056 token probabilities is to change (RFC 6386, 13.4): rows of 11, each
 * without the 255s at its end.
 */
const TOKEN_UPDATES = (
  ',,,176 246,223 241 252,249 253 253,255 244 252,234 254 254,253,255 246 254,' +
  '239 253 254,254 255 254,255 248 254,251 255 254,,255 253 254,251 254 254,' +
  '254 255 254,255 254 253 255 254,250 255 254 255 254,254,,,,217,' +
  '225 252 241 253 255 255 254,234 250 241 250 253 255 253 254,255 254,223 254 254,' +
  '238 253 254 254,255 248 254,249 254,,255 253,247 254,,255 253 254,252,,255 254 254,' +
  '253,,255 254 253,250,254,,,,186 251 250,234 251 244 254,251 251 243 253 254 255 254,' +
  '255 253 254,236 253 254,251 253 253 254 254,255 254 254,254 254 254,,255 254,' +
  '254 254,254,,254,,,,,,,,,,,248,250 254 252 254,248 254 249 253,255 253 253,' +
  '246 253 253,252 254 251 254 254,255 254 252,248 254 253,253 255 254 254,255 251 254,' +
  '245 251 254,253 253 254,255 251 253,252 253 254,255 254,255 252,249 255 254,' +
  '255 255 254,255 255 253,250,,,254,'
)
  .split(',')
  .flatMap((row) => {
    const told = row ? row.split(' ').map(Number) : [];
    return [...told, ...Array(11 - told.length).fill(255)];
  });
/** The same for the two parts of motion vectors (RFC 6386, 17.2). */
const MOTION_UPDATES = [
  237, 246, 253, 253, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 250, 250, 252, 254, 254, 231, 243, 245, 253, 254, 254, 254, 254,
  254, 254, 254, 254, 254, 254, 251, 251, 254, 254, 254,
];
/** Whether a block stays where it is, by how many of its neighbours do (RFC 6386, 18.3). */
const STILL = { none: 7, one: 135, all: 234 };

/**
 * RFC 6386, 19.2: an inter frame that shows the last one and leaves all buffers as they are.
 *
 * @param {{ across: number, down: number }} options
 * @param {boolean} hasSegments
 */
function vp8Repeat({ across, down }, hasSegments) {
  const coder = new BoolEncoder();
  const flags = (/** @type {number} */ count, value = 0) => {
    for (let i = count - 1; i >= 0; i -= 1) coder.write((value >> i) & 1, 128);
  };
  // Segments stay as they are, or the next frame would not find them.
  flags(1, hasSegments ? 1 : 0);
  if (hasSegments) flags(2);
  flags(1 + 6 + 3); // no loop filter
  flags(1); // no deltas of it
  flags(2); // one partition
  flags(7 + 5); // quantizers
  flags(2 + 2 + 2 + 2); // no buffer is refreshed, copied or turned in sign
  flags(2); // neither are probabilities, nor the last frame
  TOKEN_UPDATES.forEach((probability) => coder.write(0, probability));
  flags(1, 1); // blocks may be skipped,
  flags(8, 1); // nearly all are,
  flags(8, 1); // and nearly all refer to
  flags(8, 255); // the last frame
  flags(8, 128);
  flags(2);
  MOTION_UPDATES.forEach((probability) => coder.write(0, probability));
  for (let y = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1) {
      coder.write(1, 1);
      coder.write(1, 1);
      coder.write(0, 255);
      coder.write(0, x && y ? STILL.all : x || y ? STILL.one : STILL.none);
    }
  }
  const partition = coder.end();
  const tag = 1 | (1 << 4) | (partition.length << 5);
  // The second partition is empty, but some decoders want a byte.
  return new Uint8Array([tag & 255, (tag >> 8) & 255, tag >> 16, ...partition, 0]);
}

/** RFC 6386, 7.3. */
class BoolEncoder {
  /** @type {number[]} */
  #out = [];
  #range = 255;
  #bottom = 0;
  #bits = 24;

  /**
   * @param {number} bit
   * @param {number} probability
   */
  write(bit, probability) {
    const split = 1 + (((this.#range - 1) * probability) >> 8);
    if (bit) {
      this.#bottom += split;
      this.#range -= split;
    } else {
      this.#range = split;
    }
    while (this.#range < 128) {
      this.#range <<= 1;
      if (this.#bottom >= 2 ** 31) this.#carry();
      this.#bottom = (this.#bottom * 2) % 2 ** 32;
      this.#bits -= 1;
      if (this.#bits === 0) {
        this.#out.push(Math.floor(this.#bottom / 2 ** 24));
        this.#bottom %= 2 ** 24;
        this.#bits = 8;
      }
    }
  }

  end() {
    for (let i = 0; i < 32; i += 1) this.write(0, 128);
    return this.#out;
  }

  #carry() {
    let at = this.#out.length - 1;
    while (at >= 0 && this.#out[at] === 255) {
      this.#out[at] = 0;
      at -= 1;
    }
    if (at >= 0) this.#out[at] += 1;
  }
}

/**
 * The first bits of a VP8 partition that are as likely as not (RFC 6386, 7.3).
 *
 * @param {Uint8Array} bytes
 * @param {number} count
 */
function evenBits(bytes, count) {
  let value = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  let range = 255;
  const bits = [];
  // At most three: two bytes are enough.
  for (let i = 0; i < count; i += 1) {
    const split = 1 + (((range - 1) * 128) >> 8);
    const bit = value >= split << 8 ? 1 : 0;
    bits.push(bit);
    if (bit) {
      value -= split << 8;
      range -= split;
    } else {
      range = split;
    }
    while (range < 128) {
      range <<= 1;
      value = (value << 1) & 0xffff;
    }
  }
  return bits;
}
