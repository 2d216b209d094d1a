// Several sounds as one track: a recorder takes one only.

/**
 * `{ track, stop() }`; null for no sound, and the sound itself where there is only one.
 *
 * @param {MediaStreamTrack[]} sounds
 * @returns {{ track: MediaStreamTrack, stop: () => void } | null}
 */
export function mixedSound(sounds) {
  if (sounds.length === 0) return null;
  if (sounds.length === 1) return { track: sounds[0], stop() {} };
  const context = new AudioContext();
  context.resume().catch(() => {});
  const out = context.createMediaStreamDestination();
  // Two loud sounds together would be cut off at the top.
  const limiter = new DynamicsCompressorNode(context, { threshold: -6, ratio: 12, attack: 0.003, release: 0.25 });
  limiter.connect(out);
  for (const sound of sounds) context.createMediaStreamSource(new MediaStream([sound])).connect(limiter);
  return {
    track: out.stream.getAudioTracks()[0],
    stop() {
      context.close();
    },
  };
}
