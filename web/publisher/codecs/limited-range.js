// A picture that was drawn, in the colours that players expect.
//
// Chromium makes full-range YCbCr of a canvas, which VP8 cannot say: Firefox shows it too dark and too bright.
// Here it becomes limited-range, by the matrix that players take for granted where they are not told.

/** From this height on Firefox takes BT.709 for granted, below it BT.601. */
const HD_HEIGHT = 720;
/**
 * How much red and blue count in the brightness.
 *
 * @typedef {{ name: VideoMatrixCoefficients, red: number, blue: number }} Matrix
 */
/** @type {Matrix} */
const BT601 = { name: 'smpte170m', red: 0.299, blue: 0.114 };
/** @type {Matrix} */
const BT709 = { name: 'bt709', red: 0.2126, blue: 0.0722 };
/** Numbers in the sums are 1/65536. */
const ONE = 1 << 16;
/** Black is 16; and a half to round by. */
const LUMA_ZERO = 16.5 * ONE;

/** @param {VideoFrame} frame */
export function isDrawn({ format }) {
  return format !== null && /^(RGB|BGR)[AX]$/.test(format);
}

/**
 * VP8 alone says nothing of it.
 *
 * @param {string} codec
 * @param {number} height
 */
export function matrixFor(codec, height) {
  return codec === 'vp8' && height < HD_HEIGHT ? BT601 : BT709;
}

/**
 * A frame of the same picture in limited range. The one given stays open.
 *
 * @param {VideoFrame} frame
 * @param {number} timestamp
 * @param {string} codec that it will be encoded by
 */
export async function limitedRange(frame, timestamp, codec) {
  const rect = frame.visibleRect ?? { x: 0, y: 0, width: frame.codedWidth, height: frame.codedHeight };
  const { width, height } = rect;
  const pixels = new Uint8Array(width * height * 4);
  await frame.copyTo(pixels, { rect, layout: [{ offset: 0, stride: width * 4 }] });
  const isBlueFirst = /^BGR/.test(frame.format ?? '');
  const matrix = matrixFor(codec, height);
  return new VideoFrame(i420(pixels, { width, height, isBlueFirst }, matrix), {
    format: 'I420',
    codedWidth: width,
    codedHeight: height,
    timestamp,
    colorSpace: { matrix: matrix.name, primaries: 'bt709', transfer: 'bt709', fullRange: false },
  });
}

/**
 * Four bytes for each point to three planes: brightness, and at half the size blueness and redness. Pure.
 *
 * @param {Uint8Array} pixels
 * @param {{ width: number, height: number, isBlueFirst: boolean }} shape
 * @param {Matrix} matrix
 */
export function i420(pixels, { width, height, isBlueFirst }, matrix) {
  const [r, b] = isBlueFirst ? [2, 0] : [0, 2];
  const [red, green, blue] = [matrix.red, 1 - matrix.red - matrix.blue, matrix.blue].map((share) => fixed((share * 219) / 255));
  const [wide, high] = [(width + 1) >> 1, (height + 1) >> 1];
  const planes = new Uint8Array(width * height + 2 * wide * high);
  for (let at = 0, point = 0; at < width * height; at += 1, point += 4) {
    planes[at] = (red * pixels[point + r] + green * pixels[point + 1] + blue * pixels[point + b] + LUMA_ZERO) >> 16;
  }
  // Differences to a brightness of the same scale, of the mean of four points.
  const [redOf, greenOf, blueOf] = [matrix.red, 1 - matrix.red - matrix.blue, matrix.blue];
  const toBlueness = 224 / 255 / (2 * (1 - matrix.blue)) / 4;
  const toRedness = 224 / 255 / (2 * (1 - matrix.red)) / 4;
  let blueAt = width * height;
  let redAt = blueAt + wide * high;
  for (let y = 0; y < high; y += 1) {
    const top = 2 * y * width;
    const below = 2 * y + 1 < height ? 4 * width : 0;
    for (let x = 0; x < wide; x += 1) {
      const one = 4 * (top + 2 * x);
      const beside = 2 * x + 1 < width ? 4 : 0;
      const [two, three, four] = [one + beside, one + below, one + below + beside];
      const reds = pixels[one + r] + pixels[two + r] + pixels[three + r] + pixels[four + r];
      const greens = pixels[one + 1] + pixels[two + 1] + pixels[three + 1] + pixels[four + 1];
      const blues = pixels[one + b] + pixels[two + b] + pixels[three + b] + pixels[four + b];
      const bright = redOf * reds + greenOf * greens + blueOf * blues;
      planes[blueAt] = 128.5 + (blues - bright) * toBlueness;
      planes[redAt] = 128.5 + (reds - bright) * toRedness;
      blueAt += 1;
      redAt += 1;
    }
  }
  return planes;
}

/** @param {number} share */
function fixed(share) {
  return Math.round(share * ONE);
}
