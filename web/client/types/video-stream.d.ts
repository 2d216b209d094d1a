/** Importing this must not fail where there is no document. */
declare const Base: typeof HTMLElement;
export type PlayerState = import('./stream-player.js').PlayerState;
export type PlayerError = import('./stream-player.js').PlayerError;
/** @typedef {import('./stream-player.js').PlayerState} PlayerState */
/** @typedef {import('./stream-player.js').PlayerError} PlayerError */
/** The element. Its events are those of a `StreamPlayer`. */
export declare class VideoStreamElement extends Base {
    #private;
    static observedAttributes: string[];
    constructor();
    connectedCallback(): void;
    disconnectedCallback(): void;
    /** `moveBefore()`: nothing has to be closed. */
    connectedMoveCallback(): void;
    /**
     * @param {string} name
     * @param {string | null} before
     * @param {string | null} value
     */
    attributeChangedCallback(name: string, before: string | null, value: string | null): void;
    /** The address of the stream's page. As of `<video>`, it reads as a whole address. */
    get src(): string;
    set src(src: string);
    get poster(): string;
    set poster(poster: string);
    get autoplay(): boolean;
    set autoplay(isOn: boolean);
    get controls(): boolean;
    set controls(isOn: boolean);
    get defaultMuted(): boolean;
    set defaultMuted(isOn: boolean);
    /** How it is played: `mse` (as without it), `webcodecs`, `src` or `classic`. */
    get player(): string;
    set player(player: string);
    /** `low`, `normal` or `smooth`. */
    get latency(): string;
    set latency(latency: string);
    /** The key of the stream. No attribute: markup is for everybody. */
    get key(): string | null;
    set key(key: string | null);
    /** The token of a signed link. */
    get token(): string | null;
    set token(token: string | null);
    /** @returns {PlayerState} */
    get state(): PlayerState;
    /** @returns {PlayerError | null} */
    get error(): PlayerError | null;
    /** The state in a sentence for people; empty where there is nothing to say. */
    get message(): string;
    /** The name of the stream. */
    get stream(): string;
    /** @returns {number | null} */
    get viewers(): number | null;
    /** Seconds from the server to the screen; NaN where that is not known. */
    get delay(): number;
    get paused(): boolean;
    get ended(): boolean;
    get muted(): boolean;
    set muted(isMuted: boolean);
    get volume(): number;
    set volume(volume: number);
    get videoWidth(): number;
    get videoHeight(): number;
    /**
     * Resolves when it plays: see `StreamPlayer.play`.
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
}
export {};
