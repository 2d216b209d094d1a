// Sound as the encoder was set up for it, whatever a device gives.

/** @typedef {{ sampleRate: number, channels: number }} Format */

/**
 * A copy of `data` at another time and in so many channels.
 *
 * @param {AudioData} data
 * @param {number} channels
 * @param {number} atMs
 */
export function evenSound(data, channels, atMs) {
  const { numberOfFrames, sampleRate } = data;
  const samples = new Float32Array(numberOfFrames * channels);
  for (let c = 0; c < channels; c += 1) {
    const planeIndex = Math.min(c, data.numberOfChannels - 1);
    data.copyTo(samples.subarray(c * numberOfFrames, (c + 1) * numberOfFrames), { planeIndex, format: 'f32-planar' });
  }
  return sound(samples, { sampleRate, channels }, atMs);
}

/**
 * @param {number} lengthMs
 * @param {Format} format
 * @param {number} atMs
 */
export function silence(lengthMs, format, atMs) {
  const frames = Math.round((lengthMs * format.sampleRate) / 1000);
  return frames ? sound(new Float32Array(frames * format.channels), format, atMs) : null;
}

/**
 * @param {Float32Array<ArrayBuffer>} data
 * @param {Format} format
 * @param {number} atMs
 */
function sound(data, { sampleRate, channels }, atMs) {
  return new AudioData({
    format: 'f32-planar',
    sampleRate,
    numberOfFrames: data.length / channels,
    numberOfChannels: channels,
    timestamp: Math.round(atMs * 1000),
    data,
  });
}
