// Plays one stream in a video element through Media Source Extensions.
//
//   messages ─► Scanner ─┬─► Lane ─► Pictures ─► AppendQueue ─► SourceBuffer     (one for each kind)
//                        └─► newest timestamps ─► LiveEdge ─► rate, seeks
//
// A picture that stands still is repeated (pictures.js): up to the end of the sound, or by the
// clock where there is none, so that `buffered` tells the live edge whatever the frame rate.
//
// The server's timestamps never go back, also when the publisher restarts, so one MediaSource
// lasts as long as the set of tracks does. What cannot be mended here (a decoder's error, a
// track that ended and starves the other) is reported, and the page comes again for a fresh
// join, which the server begins at the newest keyframe.

import { Lane, planLanes } from './lane.js';
import { BehindLive, isThere, placeIn } from './behind-live.js';
import { Lead } from './lead.js';
import { LiveEdge, rangesOf } from './live-edge.js';
import { mediaSourceClass } from './media-source.js';
import { Pictures } from './pictures.js';
import { RateMeter } from '../lib/rate-meter.js';
import { readInit, Scanner } from './webm-scan.js';
import { codecsOf, isAudioCodec, mimeWithoutKind, withoutKind } from './webm-edit.js';

/** @typedef {import('./webm-scan.js').Piece} Piece */
/**
 * @typedef {object} Listener
 * @property {() => void} ready
 * @property {(error: Error) => void} failed
 * @property {(kind: 'audio' | 'video' | null) => void} starved
 * @property {(tracks: import('./webm-scan.js').Track[]) => boolean} declared
 */

/** One track this far behind the other has ended: `buffered` is what all tracks cover. */
const STARVED_AFTER_MS = 2000;
const TICK_MS = 50;
/** The backlog that a newcomer gets comes in one burst: where its length is not known, after this long without more, it is in. */
const BURST_OVER_MS = 20;
/** On a slow way in, playback begins although the backlog is still coming. */
const BURST_MOST_MS = 500;
/** A `waiting` this soon after our own seek is the seek's. */
const SEEK_ECHO_MS = 1000;
/** Data this long after playback ran dry was late; after longer, it is a new beginning. */
const LATE_MS = 1500;
/** Data is late when it took so much longer than the best before it, and not only rare. */
const LATE_BY_MS = 60;
/** The picture is repeated before it runs dry: this share of the target behind the edge. */
const REPEAT_AT = 0.85;
/** A newcomer's picture is brought up to the sound that it got with it. */
const JOIN_LATE_MS = 50;
/** By the clock, frames are expected so much later than at best. */
const CLOCK_MARGIN_MS = 40;
/** Without sound the clock goes on for a while, longer where frames are known to be rare. */
const CLOCK_SHORTEST_MS = 1100;
const CLOCK_LONGEST_MS = 2500;
/** How soon a pause between frames is forgotten: by this share with each message. */
const PAUSE_FADES = 0.96;

/**
 * When Firefox must hurry (to the target of a seek, or because it is late) it leaves out frames
 * whose loss spoils the picture until the next keyframe, with recordings of its own for instance.
 * Those of Chromium do not suffer. So in Firefox its own are entered at keyframes only; they are
 * told by their blocks' size fields, always four bytes wide, which no other writer uses for a frame.
 */
const FRAIL_SIZE_LENGTH = 4;
/** There an underflow costs the picture too, so it begins further from the edge. */
const FRAIL_TARGET_SECONDS = 0.3;
/** With `?latency=smooth`. */
const SMOOTH_TARGET_SECONDS = 0.8;
/** Live is here where the newest data is as near to it as this. */
const LIVE_SLACK_SECONDS = 2;

const isFirefox = /\bFirefox\//.test(globalThis.navigator?.userAgent ?? '');

export class MsePlayer {
  #video;
  #on;
  /** @type {MediaSource | null} */
  #mediaSource = null;
  #objectUrl = '';
  /** @type {Lane[]} */
  #lanes = [];
  /** @type {LiveEdge | BehindLive | null} */
  #edge = null;
  #latency;
  /**
   * How far behind live to begin, and to stay; null for live.
   *
   * @type {number | null}
   */
  #behindMs;
  /** How long ago the media behind the newest init segment came, as the server told. */
  #toldBehindMs = 0;
  /**
   * Of a connection behind live: see `#leadAt`.
   *
   * @type {number | null}
   */
  #toldLeadMs = null;
  #scanner = new Scanner();
  #mime = '';
  #kinds = '';
  /** @type {'audio' | 'video' | null} */
  #ignored = null;
  #hasLanded = false;
  #hasStarted = false;
  /**
   * How many messages of the backlog are still to come, where that is known.
   *
   * @type {number | null}
   */
  #awaited = null;
  /**
   * When the first and the newest message came.
   *
   * @type {number | null}
   */
  #firstPushMs = null;
  #lastPushMs = 0;
  /** The longest pause between messages of late. */
  #pauseMs = 0;
  #landedAtMs = 0;
  #lastSeekMs = -Infinity;
  /** @type {{ video: number | null, audio: number | null }} */
  #newestMs = { video: null, audio: null };
  /**
   * The first block's time since the newest init segment.
   *
   * @type {number | null}
   */
  #oldestMs = null;
  #lead = new Lead();
  /** @type {Pictures | null} */
  #pictures = null;
  /** When repeats last ran ahead of frames that were late. */
  #overshotAtMs = -Infinity;
  /**
   * When playback ran dry, until data comes again.
   *
   * @type {number | null}
   */
  #dryAtMs = null;
  #meter = new RateMeter();
  #skips = 0;
  #ticker;
  #abort = new AbortController();

  /**
   * `on.ready()` once enough is buffered to play, `on.failed(error)` when a fresh join is needed,
   * `on.starved(kind)` when the tracks of `kind` ended; `on.declared(tracks)` what an init segment
   * declares, to which false means that it shall not be played. `ignore` leaves one kind out;
   * `behindMs` begins so far behind live, on a connection that does.
   *
   * @param {HTMLVideoElement} video
   * @param {Listener} on
   * @param {{ ignore?: 'audio' | 'video' | null, behindMs?: number | null, latency?: import('./latency.js').Latency }} options
   */
  constructor(video, on, { ignore = null, behindMs = null, latency = 'normal' } = {}) {
    this.#latency = latency;
    this.#video = video;
    this.#behindMs = behindMs;
    this.#on = on;
    this.#ignored = ignore;
    if (ignore) this.#scanner.ignore(ignore);
    this.#openMediaSource();
    const { signal } = this.#abort;
    video.addEventListener('waiting', () => this.#ranDry(), { signal });
    video.addEventListener(
      'error',
      () => {
        this.#on.failed(new Error(video.error?.message || `media error ${video.error?.code}`));
      },
      { signal },
    );
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /**
   * The stream's type, told just before its init segment, and how long ago the media behind that came:
   * 0 on a connection that is live. `backlog`: how many messages come at once behind the init segment, where
   * that is known.
   *
   * @param {string} mime
   * @param {number} [behindMs]
   * @param {number | null} [backlog]
   */
  announce(mime, behindMs = 0, backlog = null) {
    this.#mime = mime;
    // And the init segment itself.
    this.#awaited = backlog === null ? null : backlog + 1;
    this.#toldBehindMs = behindMs;
    this.#toldLeadMs = null;
  }

  /**
   * Whether what is so far behind live is here, and 0 for live itself.
   *
   * @param {number} behindMs
   */
  has(behindMs) {
    const wanted = this.#secondsBehind(behindMs);
    return this.#hasStarted && wanted !== null && isThere(this.#video.buffered, wanted - (behindMs ? 0 : LIVE_SLACK_SECONDS));
  }

  /**
   * Goes so far behind live, which is here, or to the live edge.
   *
   * @param {number} behindMs
   */
  seekBehind(behindMs) {
    this.#behindMs = behindMs || null;
    const isFrail = this.#edge?.onlyToKeyframes ?? false;
    this.#edge = this.#newEdge(isFrail);
    this.#edge.onlyToKeyframes = isFrail;
    const ranges = this.#ranges();
    if (!ranges.length) return;
    const { keyframes } = this.#lanes[0];
    const wanted = behindMs ? this.#secondsBehind(behindMs) : null;
    this.#seekTo(wanted === null ? this.#edge.landing(ranges, keyframes) : placeIn(ranges, wanted, isFrail ? keyframes : null));
  }

  /**
   * One binary message.
   *
   * @param {Uint8Array} message
   */
  push(message) {
    const nowMs = performance.now();
    this.#meter.add(message.length, nowMs);
    if (this.#awaited) this.#awaited -= 1;
    const pieces = this.#scanner.push(message);
    this.#hearAgain(pieces, nowMs);
    for (const piece of pieces) {
      this.#observe(piece.blocks, nowMs);
      if (!piece.bytes.length) continue;
      if (piece.type === 'init') this.#init(piece.bytes);
      else if (this.#lanes.length) this.#media(piece);
    }
    if (this.#hasLanded) this.#fillPicture(nowMs);
    this.#watchTracks();
    this.#pauseMs = Math.max(this.#pauseMs * PAUSE_FADES, this.#firstPushMs === null ? 0 : nowMs - this.#lastPushMs);
    this.#firstPushMs ??= nowMs;
    this.#lastPushMs = nowMs;
    if (!this.#hasLanded) setTimeout(() => this.#tick(), BURST_OVER_MS + 1);
  }

  /** The next data leaves a gap. */
  skipped() {
    this.#skips += 1;
    // The first kind that comes behind it is far ahead of what came of the other, which has not ended.
    this.#newestMs = { video: null, audio: null };
    this.#oldestMs = null;
  }

  /** Back to the live edge, after a pause. */
  catchUp() {
    const ranges = this.#ranges();
    if (!this.#edge || !ranges.length) return;
    const seekTo = this.#edge.catchUp(this.#video.currentTime, ranges, this.#lanes[0].keyframes);
    if (seekTo !== null) this.#seekTo(seekTo);
  }

  destroy() {
    clearInterval(this.#ticker);
    this.#abort.abort();
    this.#lanes.forEach((lane) => lane.stop());
    this.#video.removeAttribute('src');
    this.#video.load();
    URL.revokeObjectURL(this.#objectUrl);
  }

  stats() {
    const nowMs = performance.now();
    const ranges = this.#ranges();
    const end = ranges.at(-1)?.[1] ?? null;
    const { currentTime } = this.#video;
    const quality = this.#video.getVideoPlaybackQuality?.();
    const leadMs = this.#leadAt(nowMs);
    const offsetMs = this.#pictures?.offsetMs ?? 0;
    const latency = leadMs === null ? null : nowMs + leadMs + offsetMs - currentTime * 1000;
    return {
      player: 'mse',
      mime: this.#mime,
      latency_ms: this.#hasStarted ? latency : null,
      buffer_ms: end === null ? 0 : Math.max(0, (end - currentTime) * 1000),
      target_ms: this.#edge ? this.#edge.target * 1000 : null,
      rate: this.#video.playbackRate,
      bitrate_bps: this.#meter.bitsPerSecond(nowMs),
      frames: quality?.totalVideoFrames ?? null,
      dropped: quality?.droppedVideoFrames ?? null,
      underflows: this.#edge?.underflows ?? 0,
      seeks: this.#edge?.seeks ?? 0,
      gaps: this.#edge?.gaps ?? 0,
      skips: this.#skips,
      ranges,
    };
  }

  #openMediaSource() {
    this.#lanes.forEach((lane) => lane.stop());
    if (this.#objectUrl) URL.revokeObjectURL(this.#objectUrl);
    const Source = mediaSourceClass();
    if (!Source) throw new Error('this browser has no Media Source Extensions');
    const mediaSource = new Source();
    this.#mediaSource = mediaSource;
    // Without this iOS refuses a managed source.
    if (Source !== globalThis.MediaSource) this.#video.disableRemotePlayback = true;
    this.#objectUrl = URL.createObjectURL(mediaSource);
    this.#video.src = this.#objectUrl;
    this.#lanes = [];
    this.#hasLanded = false;
    this.#hasStarted = false;
  }

  /** @param {Uint8Array} bytes */
  #init(bytes) {
    if (this.#on.declared(readInit(bytes).tracks) === false) return;
    const mime = this.#ignored ? mimeWithoutKind(this.#mime, this.#ignored) : this.#mime;
    const init = this.#ignored ? withoutKind(bytes, this.#ignored) : bytes;
    const codecs = codecsOf(mime);
    const hasAudio = codecs.some(isAudioCodec);
    const hasVideo = codecs.some((codec) => !isAudioCodec(codec));
    const kinds = `${hasVideo ? 'video ' : ''}${hasAudio ? 'audio' : ''}`;
    this.#newestMs = { video: null, audio: null };
    this.#oldestMs = null;
    if (this.#lanes.length && kinds === this.#kinds) {
      for (const lane of this.#lanes) {
        lane.changeType(mime);
        lane.init(init);
      }
      return;
    }
    // Tracks added or removed: a SourceBuffer cannot follow, a new MediaSource can.
    if (this.#lanes.length) this.#openMediaSource();
    this.#kinds = kinds;
    this.#edge = this.#newEdge();
    const plan = planLanes({ hasVideo, hasAudio });
    this.#pictures = hasVideo ? new Pictures({ isFirefox }) : null;
    this.#lanes = plan.map(
      (without) =>
        new Lane(without, without === 'video' ? null : this.#pictures, () => this.#video.currentTime, {
          appended: () => this.#tick(),
          failed: (error) => this.#on.failed(error),
        }),
    );
    this.#lanes.forEach((lane) => lane.init(init));
    if (this.#mediaSource) this.#attach(this.#mediaSource, this.#lanes, mime);
  }

  /**
   * @param {MediaSource} mediaSource
   * @param {Lane[]} lanes
   * @param {string} mime
   */
  #attach(mediaSource, lanes, mime) {
    const attach = () => {
      if (mediaSource !== this.#mediaSource) return;
      try {
        const buffers = lanes.map((lane) => mediaSource.addSourceBuffer(lane.type(mime)));
        // Before the first append: it may not be set while one runs.
        mediaSource.duration = Infinity;
        lanes.forEach((lane, i) => lane.attach(buffers[i]));
      } catch (error) {
        this.#on.failed(error instanceof Error ? error : new Error(String(error)));
      }
    };
    if (mediaSource.readyState === 'open') attach();
    else mediaSource.addEventListener('sourceopen', attach, { once: true });
  }

  /** @param {Piece} piece */
  #media(piece) {
    const video = piece.blocks.find(({ kind }) => kind === 'video');
    if (isFirefox && video) this.#spare(video.sizeLength === FRAIL_SIZE_LENGTH);
    this.#lanes.forEach((lane) => lane.push(piece));
  }

  /** @param {boolean} isFrail */
  #spare(isFrail) {
    if (isFrail && !this.#hasLanded) this.#edge = this.#newEdge(true);
    if (this.#edge) this.#edge.onlyToKeyframes = isFrail;
  }

  #newEdge(isFrail = false) {
    const behindMs = this.#behindMs;
    if (behindMs !== null) return new BehindLive(() => this.#secondsBehind(behindMs));
    const hasAudio = this.#kinds.includes('audio');
    // The delay is the least that it bears as it is: it may only be longer.
    if (this.#latency === 'smooth') return new LiveEdge({ hasAudio, target: SMOOTH_TARGET_SECONDS });
    return new LiveEdge(isFrail ? { hasAudio, target: FRAIL_TARGET_SECONDS } : { hasAudio });
  }

  /**
   * What media time less the clock is at the live edge: told by the server behind live, else the best that
   * was seen.
   *
   * @param {number} nowMs
   */
  #leadAt(nowMs) {
    return this.#toldLeadMs ?? this.#lead.at(nowMs);
  }

  /**
   * The seconds of media that are so far behind live now, where that is known.
   *
   * @param {number} behindMs
   */
  #secondsBehind(behindMs) {
    const nowMs = performance.now();
    const leadMs = this.#leadAt(nowMs);
    return leadMs === null ? null : (nowMs + leadMs + (this.#pictures?.offsetMs ?? 0) - behindMs) / 1000;
  }

  /**
   * Repeats a picture that stands still, see pictures.js.
   *
   * @param {number} nowMs
   * @param {boolean} [isJoining]
   */
  #fillPicture(nowMs, isJoining = false) {
    if (!this.#pictures || !this.#edge || !this.#lanes.length) return;
    const lateMs = isJoining ? JOIN_LATE_MS : this.#edge.target * 1000 * REPEAT_AT;
    // Times never go back over all tracks, so no frame from before the newest sound can still come.
    const soundMs = this.#newestMs.audio;
    if (this.#kinds.includes('audio')) {
      if (soundMs !== null) this.#lanes[0].fill(soundMs, lateMs);
      return;
    }
    // What comes is further ahead than the clock says.
    if (this.#toldLeadMs !== null) return;
    const overshotMs = this.#pictures.takeOvershot();
    if (overshotMs > LATE_BY_MS && nowMs - this.#overshotAtMs > LATE_MS) {
      this.#overshotAtMs = nowMs;
      this.#edge.underflow(nowMs);
    }
    const longestMs = Math.min(CLOCK_LONGEST_MS, Math.max(CLOCK_SHORTEST_MS, 2 * this.#pauseMs));
    if (nowMs - this.#lastPushMs > longestMs) return;
    const leadMs = this.#lead.at(nowMs);
    if (leadMs !== null) this.#lanes[0].fill(nowMs + leadMs - CLOCK_MARGIN_MS, lateMs);
  }

  /**
   * @param {import('./webm-scan.js').Block[]} blocks
   * @param {number} nowMs
   */
  #observe(blocks, nowMs) {
    for (const { kind, timestampMs } of blocks) {
      if (kind !== 'other') this.#newestMs[kind] = timestampMs;
      this.#oldestMs ??= timestampMs;
      if (this.#toldBehindMs) this.#toldLeadMs ??= timestampMs + this.#toldBehindMs - nowMs;
      else this.#lead.add(timestampMs - nowMs, nowMs);
    }
  }

  #watchTracks() {
    const { video, audio } = this.#newestMs;
    if (video === null || audio === null) {
      this.#watchMissing();
      return;
    }
    const isBehind = Math.abs(video - audio) > STARVED_AFTER_MS;
    const kind = video > audio ? 'audio' : 'video';
    // The last picture stays, by being repeated.
    if (isBehind && kind === 'video' && this.#pictures?.canRepeat) return;
    if (this.#ignored ? !isBehind : isBehind) {
      this.#newestMs = { video: null, audio: null };
      this.#on.starved(this.#ignored ? null : kind);
    }
  }

  /** A track that is declared but does not come is waited for no longer than one that ended. */
  #watchMissing() {
    const { video, audio } = this.#newestMs;
    if (this.#ignored || this.#oldestMs === null || !/video .*audio/.test(this.#kinds)) return;
    if ((video ?? audio ?? 0) - this.#oldestMs < STARVED_AFTER_MS) return;
    this.#oldestMs = null;
    this.#on.starved(video === null ? 'video' : 'audio');
  }

  #tick() {
    const video = this.#video;
    if (!this.#edge || this.#firstPushMs === null) return;
    const nowMs = performance.now();
    if (this.#hasLanded) {
      if (!this.#kinds.includes('audio')) this.#fillPicture(nowMs);
    } else if (this.#isBacklogIn(nowMs)) {
      this.#fillPicture(nowMs, true);
    }
    const ranges = this.#ranges();
    const end = ranges.at(-1)?.[1];
    if (end === undefined) return;
    if (!this.#hasLanded) {
      if (!this.#isBacklogIn(nowMs)) return;
      this.#hasLanded = true;
      this.#landedAtMs = nowMs;
      this.#seekTo(this.#edge.landing(ranges, this.#lanes[0].keyframes));
    }
    if (!this.#hasStarted) {
      const waitedMs = nowMs - this.#landedAtMs;
      if (!this.#edge.mayStart({ position: video.currentTime, ranges, waitedMs })) return;
      this.#hasStarted = true;
      // The rest of the backlog came after the first look: enter at its end.
      if (end - video.currentTime > this.#edge.target + 0.3) this.catchUp();
      this.#on.ready();
      return;
    }
    const { rate, seekTo } = this.#edge.decide({
      nowMs,
      position: video.currentTime,
      ranges,
      keyframes: this.#lanes[0].keyframes,
      isPaused: video.paused,
      isSeeking: video.seeking,
      decoded: video.getVideoPlaybackQuality?.().totalVideoFrames,
    });
    if (seekTo !== null) this.#seekTo(seekTo);
    if (video.playbackRate !== rate) video.playbackRate = rate;
  }

  /**
   * Landing on the first piece of it would mean to seek a second time, or to hurry: with a GOP of
   * seconds the decoder would start over, and the picture stand still meanwhile.
   *
   * @param {number} nowMs
   */
  #isBacklogIn(nowMs) {
    if (this.#firstPushMs === null || nowMs - this.#firstPushMs >= BURST_MOST_MS) return this.#firstPushMs !== null;
    const isIn = this.#awaited === null ? nowMs - this.#lastPushMs >= BURST_OVER_MS : this.#awaited === 0;
    return isIn && this.#lanes.every(({ isIdle }) => isIdle);
  }

  /** @param {number} seconds */
  #seekTo(seconds) {
    this.#lastSeekMs = performance.now();
    this.#video.currentTime = seconds;
  }

  #ranDry() {
    const nowMs = performance.now();
    const isOurs = nowMs - this.#lastSeekMs < SEEK_ECHO_MS || this.#video.seeking;
    if (this.#hasStarted && !isOurs && !this.#video.paused) this.#dryAtMs = nowMs;
  }

  /**
   * Only data that comes late is an underflow; none at all is a publisher that stopped, and data
   * that is as old as ever comes from one that has little to send.
   *
   * @param {Piece[]} pieces
   * @param {number} nowMs
   */
  #hearAgain(pieces, nowMs) {
    if (this.#dryAtMs === null) return;
    const newestMs = pieces.at(-1)?.blocks.at(-1)?.timestampMs;
    if (newestMs === undefined) return;
    const leadMs = this.#lead.at(nowMs);
    const isLate = leadMs === null || nowMs + leadMs - newestMs > LATE_BY_MS;
    if (isLate && nowMs - this.#dryAtMs < LATE_MS) this.#edge?.underflow(nowMs);
    this.#dryAtMs = null;
  }

  #ranges() {
    return rangesOf(this.#video.buffered);
  }
}
