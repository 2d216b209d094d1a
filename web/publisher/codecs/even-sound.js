// Sound in as many channels as the encoder was set up for, whatever a device gives from now on.

/**
 * `data` itself where it fits, else a copy; `data` is closed then.
 *
 * @param {AudioData} data
 * @param {number} channels
 * @returns {AudioData}
 */
export function evenSound(data, channels) {
  if (data.numberOfChannels === channels) return data;
  const { numberOfFrames, sampleRate, timestamp } = data;
  const samples = new Float32Array(numberOfFrames * channels);
  for (let c = 0; c < channels; c += 1) {
    const planeIndex = Math.min(c, data.numberOfChannels - 1);
    data.copyTo(samples.subarray(c * numberOfFrames, (c + 1) * numberOfFrames), { planeIndex, format: 'f32-planar' });
  }
  data.close();
  return new AudioData({ format: 'f32-planar', sampleRate, numberOfFrames, numberOfChannels: channels, timestamp, data: samples });
}
