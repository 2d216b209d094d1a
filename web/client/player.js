// What importers get: `<video-stream src>`, and the same without an element of its own.
//
//   <script type="module" src="https://example.org/player.js"></script>
//   <video-stream src="https://example.org/live/demo" autoplay muted controls></video-stream>
//
//   import { watch } from 'https://example.org/player.js';
//   const player = watch(document.querySelector('video'), 'https://example.org/live/demo');
//   player.on('statechange', () => console.log(player.state));

import { StreamPlayer } from './stream-player.js';
import { VideoStreamElement } from './video-stream.js';

/** @typedef {import('./stream-player.js').PlayerState} PlayerState */
/** @typedef {import('./stream-player.js').PlayerError} PlayerError */
/** @typedef {import('./stream-player.js').PlayerEvent} PlayerEvent */
/** @typedef {import('./stream-player.js').PlayerOptions} PlayerOptions */

/**
 * Plays a stream in a video element of the page, until `close()`.
 *
 * @param {HTMLVideoElement} video
 * @param {string} src the address of the stream's page, such as `https://example.org/live/demo`
 * @param {PlayerOptions} [options]
 * @returns {StreamPlayer}
 */
function watch(video, src, options) {
  return new StreamPlayer(video, src, options);
}

// Where there is no document (a page that is made on a server), there is nothing to define.
if (globalThis.customElements && !customElements.get('video-stream')) customElements.define('video-stream', VideoStreamElement);

export { StreamPlayer, VideoStreamElement, watch };
