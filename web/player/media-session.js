// What plays, for the phone's lock screen, headphones' buttons and media keys. A live stream has no position.

/**
 * Tells the system about the stream, and returns what to call when it starts or stops.
 *
 * @param {{ title: string, artist: string, poster: string }} stream
 * @param {{ play: () => void, pause: () => void }} on
 * @returns {(state: 'playing' | 'paused' | 'none') => void}
 */
export function announceMedia({ title, artist, poster }, { play, pause }) {
  const session = globalThis.navigator?.mediaSession;
  if (!session || !('MediaMetadata' in globalThis)) return () => {};
  session.metadata = new MediaMetadata({ title, artist, artwork: [{ src: poster }] });
  for (const [action, handler] of /** @type {const} */ ([
    ['play', play],
    ['pause', pause],
    ['stop', pause],
  ])) {
    try {
      session.setActionHandler(action, handler);
    } catch {
      // A browser that does not know this one.
    }
  }
  return (state) => {
    session.playbackState = state;
  };
}
