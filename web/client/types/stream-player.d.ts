export type PlayerError = {
    code: 'key' | 'origin' | 'policy' | 'address' | 'refused' | 'unplayable';
    message: string;
};
export type PlayerState = 'connecting' | 'waiting' | 'live' | 'stalled' | 'paused' | 'ended' | 'failed';
export type PlayerEvent = 'play' | 'pause' | 'playing' | 'waiting' | 'ended' | 'error' | 'volumechange' | 'resize' | 'statechange' | 'skip' | 'generation' | 'viewerschange';
export type PlayerOptions = {
    /**
     * begin at once (the default), or with `play()`
     */
    autoplay?: boolean;
    /**
     * of the stream, where it needs one
     */
    key?: string | null;
    /**
     * of a signed link
     */
    token?: string | null;
    /**
     * how it is played, where not by Media Source Extensions
     */
    player?: 'mse' | 'webcodecs' | 'src' | 'classic' | null;
    /**
     * how much delay may be spent on smoothness
     */
    latency?: 'low' | 'normal' | 'smooth' | null;
};
/**
 * Why a stream is not played: `code` is for programs, `message` for people.
 *
 * - `key`: it needs a key, or another one.
 * - `origin`: the server does not let pages of this origin play its streams.
 * - `policy`: the Content-Security-Policy of the page blocks it.
 * - `address`: `src` names no stream that this page can reach.
 * - `refused`: the server says no.
 * - `unplayable`: this browser cannot play what comes.
 *
 * @typedef {{ code: 'key' | 'origin' | 'policy' | 'address' | 'refused' | 'unplayable', message: string }} PlayerError
 */
/** @typedef {'connecting' | 'waiting' | 'live' | 'stalled' | 'paused' | 'ended' | 'failed'} PlayerState */
/** @typedef {'play' | 'pause' | 'playing' | 'waiting' | 'ended' | 'error' | 'volumechange' | 'resize' | 'statechange' | 'skip' | 'generation' | 'viewerschange'} PlayerEvent */
/**
 * @typedef {object} PlayerOptions
 * @property {boolean} [autoplay] begin at once (the default), or with `play()`
 * @property {string | null} [key] of the stream, where it needs one
 * @property {string | null} [token] of a signed link
 * @property {'mse' | 'webcodecs' | 'src' | 'classic' | null} [player] how it is played, where not by Media Source Extensions
 * @property {'low' | 'normal' | 'smooth' | null} [latency] how much delay may be spent on smoothness
 */
/** Plays a stream in a video element. Events are those of `PlayerEvent`. */
export declare class StreamPlayer extends EventTarget {
    #private;
    /**
     * `src` is the address of a stream's page, such as `https://example.org/live/demo`; relative to that
     * of the document.
     *
     * @param {HTMLVideoElement} video
     * @param {string} src
     * @param {PlayerOptions} [options]
     */
    constructor(video: HTMLVideoElement, src: string, options?: PlayerOptions);
    /** @returns {PlayerState} */
    get state(): PlayerState;
    /** Whether the person, or the browser, wants it not to play; true before it has begun. */
    get paused(): boolean;
    /** @returns {PlayerError | null} */
    get error(): PlayerError | null;
    /** What a person may want to know about the state, in a sentence or two; empty where there is nothing to say. */
    get message(): string;
    /** The name of the stream; empty where `src` names none. */
    get stream(): string;
    /**
     * How many watch, as far as the server has told.
     *
     * @returns {number | null}
     */
    get viewers(): number | null;
    /** Seconds from the server to the screen; NaN where that is not known. */
    get delay(): number;
    get videoWidth(): number;
    get videoHeight(): number;
    get muted(): boolean;
    set muted(isMuted: boolean);
    /** Whether it is silent because the browser lets no sound begin by itself. */
    get mutedByBrowser(): boolean;
    get volume(): number;
    set volume(volume: number);
    /** The address of the stream's picture on the server, for where there is no other yet; empty without a stream. */
    get poster(): string;
    /**
     * Another key: a player that has failed for want of one tries again.
     *
     * @param {string | null} key
     */
    set key(key: string | null);
    /**
     * Resolves when it plays. Rejects like that of `<video>` when the browser forbids it, when it fails,
     * and when it is paused or closed first.
     *
     * @returns {Promise<void>}
     */
    play(): Promise<void>;
    pause(): void;
    /** To the live picture, from a pause or from further back. */
    goLive(): void;
    /**
     * The picture that is shown, as a file.
     *
     * @param {string} [type]
     * @param {number} [quality]
     * @returns {Promise<Blob>}
     */
    screenshot(type?: string, quality?: number): Promise<Blob>;
    /**
     * As `addEventListener`. What is returned ends it.
     *
     * @param {PlayerEvent} type
     * @param {(event: CustomEvent) => void} listener
     * @returns {() => void}
     */
    on(type: PlayerEvent, listener: (event: CustomEvent) => void): () => void;
    /** Ends it: the connection is closed, and the video element empty. */
    close(): void;
}
