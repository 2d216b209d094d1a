import { StreamPlayer } from './stream-player.js';
import { VideoStreamElement } from './video-stream.js';
export type PlayerState = import('./stream-player.js').PlayerState;
export type PlayerError = import('./stream-player.js').PlayerError;
export type PlayerEvent = import('./stream-player.js').PlayerEvent;
export type PlayerOptions = import('./stream-player.js').PlayerOptions;
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
declare function watch(video: HTMLVideoElement, src: string, options?: PlayerOptions): StreamPlayer;
export { StreamPlayer, VideoStreamElement, watch };

declare global {
  interface HTMLElementTagNameMap {
    'video-stream': VideoStreamElement;
  }
}
