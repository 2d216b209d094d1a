// Decides how a player stays close to the live edge: its rate, and when to seek.
//
// Pure: position, buffered ranges and the time come in, decisions go out.
//
//   buffered  ├───────────── … ──────────────┤ live edge
//   position                    ▲
//                               └── lag ─────┘  kept near `target`
//
// A seek costs a decoder restart (0.4 to 0.7 s without a frame when there is audio), so lag is
// won back by playing a little faster, and a seek is for what speed cannot mend: a gap, or a
// lag of whole seconds. An underflow costs more than it saves, so each one makes the target
// grow; quiet minutes let it shrink again.
//
// A decoder that enters in the middle of a GOP must first decode it from its keyframe on. On a
// slow machine that takes seconds, in which the live edge moves on; so how long each seek took is
// kept, and the next goes where it will arrive soonest: to the edge, or to a keyframe near it.

/** @typedef {[number, number]} Range from and to, in seconds */
/** @typedef {{ rate: number, seekTo: number | null, reason: string }} Decision */
/**
 * @typedef {object} Seen
 * @property {number} nowMs
 * @property {number} position
 * @property {Range[]} ranges
 * @property {number[]} [keyframes]
 * @property {boolean} [isPaused]
 * @property {boolean} [isSeeking]
 * @property {number} [decoded] frames that were decoded so far
 */

/** Where the target begins: above the publisher's chunk period, or playback runs dry at once. */
export const TARGET_VIDEO_SECONDS = 0.14;
/** Opus packets are 60 ms long, and video waits for them in the file. */
export const TARGET_AUDIO_SECONDS = 0.22;
const TARGET_LONGEST_SECONDS = 2;
const TARGET_GROWTH = 1.2;
/** After this long without an underflow, the target gives a tenth of its growth back. */
const QUIET_MS = 30_000;

/** Lag saws up and down with every chunk; its mean over this long is what counts. */
const MEAN_MS = 400;
/** Not worth changing speed for. Once chasing, it goes on down to the target itself. */
const SLACK_SECONDS = 0.04;
/** Rate by seconds above the target: few steps, because each change of speed can be heard. */
const RATES = [
  { above: 0, rate: 1.05 },
  { above: 0.1, rate: 1.1 },
  // Wins back what one underflow with audio costs (0.6 to 0.7 s) within three seconds.
  { above: 0.35, rate: 1.25 },
];

const SEEK_BEYOND_VIDEO_SECONDS = 1;
const SEEK_BEYOND_AUDIO_SECONDS = 2;
const SEEK_BEYOND_LONGEST_SECONDS = 8;
const SEEK_BEYOND_GROWTH = 1.5;
/** Where only keyframes will do, a shorter leap than this is not worth a seek. */
const LEAP_SECONDS = 0.3;
/** Time for a seek to settle before the next is considered, and to play once it has ended. */
const SEEK_REST_MS = 1500;
/** A seek is worth its stall when it leaves no more than this share of the lag. */
const WORTH_SHARE = 0.5;
/** A seek to less than this behind a keyframe tells little about the decoder. */
const TELLING_SECONDS = 0.5;
/** A range this nearly played out will not carry playback to the next decision. */
const RUN_DRY_SECONDS = 0.08;
/**
 * Chromium stops some frames before a gap, more on a busy machine: so near to one, a position that stands
 * for so long has nothing left.
 */
const STOPS_BEFORE_SECONDS = 0.5;
const STANDS_MS = 150;
/** Frames may follow so long after a seek. */
const SEEK_FRAMES_MS = 500;
/** Playing, with data ahead, and yet not moving for this long: stuck. */
const STUCK_MS = 1000;
/** A decoder that is at work may be slow: only after this long without a move it is stuck. */
const SLOW_STUCK_MS = 8000;
/** A seek ends when frames follow its target, which a gap behind it prevents; else it may decode a whole GOP. */
const SEEK_STUCK_MS = 1000;
const SEEK_LONGEST_MS = 8000;
/** However slowly data comes in, the first play does not wait longer than this. */
const START_WAIT_MS = 1000;

const STEADY = { rate: 1, seekTo: null, reason: 'steady' };

export class LiveEdge {
  /** Seconds to stay behind the newest data. */
  target;
  underflows = 0;
  seeks = 0;
  /** How many of the seeks leapt over a gap in the media. */
  gaps = 0;

  /**
   * Whether a seek into the middle of a GOP would spoil the picture (see mse-player.js), so that
   * the `keyframes` (seconds, ascending) given to `landing` and `decide` are the only targets.
   */
  onlyToKeyframes;

  #floor;
  /** A lag of more seconds than this is mended by a seek. */
  #seekBeyond;
  #seekBeyondLeast;
  #canSeek;
  /** @type {number | null} */
  #quietSinceMs = null;
  #lastSeekMs = -Infinity;
  #seekEndedMs = -Infinity;
  /** @type {number | null} */
  #seekingSinceMs = null;
  /**
   * How far behind its keyframe our seek enters that has not ended yet, in seconds.
   *
   * @type {number | null}
   */
  #seekDepth = null;
  /** What a seek costs: seconds of standing still for each second behind the keyframe. */
  #seekCost = 0;
  /** @type {number | null} */
  #lastPosition = null;
  #lastMovedMs = -Infinity;
  /** @type {number | undefined} */
  #lastDecoded;
  #lastDecodedMs = -Infinity;
  /**
   * Oldest first: `[atMs, lag]`.
   *
   * @type {[number, number][]}
   */
  #lags = [];
  #isChasing = false;

  /** @param {{ hasAudio?: boolean, canSeek?: boolean, onlyToKeyframes?: boolean, target?: number }} options */
  constructor({ hasAudio, canSeek = true, onlyToKeyframes = false, target } = {}) {
    this.#floor = target ?? (hasAudio ? TARGET_AUDIO_SECONDS : TARGET_VIDEO_SECONDS);
    this.target = this.#floor;
    this.#canSeek = canSeek;
    this.onlyToKeyframes = onlyToKeyframes;
    this.#seekBeyondLeast = hasAudio ? SEEK_BEYOND_AUDIO_SECONDS : SEEK_BEYOND_VIDEO_SECONDS;
    this.#seekBeyond = this.#seekBeyondLeast;
  }

  /**
   * Where to enter the newest range: near its end, yet inside it.
   *
   * @param {Range[]} ranges
   * @param {number[]} [keyframes]
   */
  landing(ranges, keyframes = []) {
    const [start, end] = newest(ranges);
    const ideal = Math.max(start, end - this.target);
    if (!this.onlyToKeyframes) return ideal;
    return keyframes.findLast((time) => time >= start && time <= ideal) ?? start;
  }

  /**
   * Where to go after a pause, or null when playing on is better.
   *
   * @param {number} position
   * @param {Range[]} ranges
   * @param {number[]} keyframes
   */
  catchUp(position, ranges, keyframes) {
    const seekTo = this.landing(ranges, keyframes);
    return this.onlyToKeyframes && seekTo < position + LEAP_SECONDS ? null : seekTo;
  }

  /**
   * Whether enough lies ahead for the first play; a paused first frame shows meanwhile.
   *
   * @param {{ position: number, ranges: Range[], waitedMs: number }} options
   */
  mayStart({ position, ranges, waitedMs }) {
    const last = ranges.at(-1);
    if (!last) return false;
    return last[1] - position >= this.target * 0.9 || waitedMs >= START_WAIT_MS;
  }

  /**
   * Playback ran dry although data was flowing.
   *
   * @param {number} nowMs
   */
  underflow(nowMs) {
    this.underflows += 1;
    this.#quietSinceMs = nowMs;
    this.target = Math.min(TARGET_LONGEST_SECONDS, this.target * TARGET_GROWTH);
  }

  /**
   * `ranges` are `[start, end]` in seconds. Returns `{ rate, seekTo, reason }`, `seekTo` null
   * unless a seek is due.
   *
   * @param {Seen} options
   * @returns {Decision}
   */
  decide({ nowMs, position, ranges, keyframes = [], isPaused = false, isSeeking = false, decoded }) {
    this.#relax(nowMs);
    const moved = this.#lastPosition === null || Math.abs(position - this.#lastPosition) > 0.001;
    if (moved || isPaused || isSeeking) {
      this.#lastPosition = position;
      this.#lastMovedMs = nowMs;
    }
    if (decoded !== this.#lastDecoded) {
      this.#lastDecoded = decoded;
      this.#lastDecodedMs = nowMs;
    }
    if (!isSeeking) this.#endSeek(nowMs);
    const last = ranges.at(-1);
    if (!last || isPaused) return STEADY;
    if (isSeeking) return this.#mendSeek({ nowMs, position, ranges, keyframes });

    const lag = last[1] - position;
    const isSettled = nowMs - Math.max(this.#lastSeekMs, this.#seekEndedMs) >= SEEK_REST_MS;
    if (this.#canSeek) {
      const gap = gapAhead(position, ranges);
      if (gap) {
        // Over it once the far side can carry playback, or when this side has nothing left.
        const isDry = hasRunDry(gap.leftSeconds, nowMs - Math.max(this.#lastMovedMs, this.#lastSeekMs + SEEK_FRAMES_MS));
        const isDue = isDry || (isSettled && last[1] - last[0] >= this.target);
        if (!isDue) return STEADY;
        this.gaps += 1;
        return this.#seek(nowMs, this.#soonest(ranges, keyframes), 'gap');
      }
      if (isSettled && lag > this.#seekBeyond) {
        const entry = this.#soonest(ranges, keyframes);
        const isAhead = entry.seekTo > position + LEAP_SECONDS;
        if (isAhead && entry.lag < lag * WORTH_SHARE) {
          // A machine too slow for the stream would seek for ever: each time it must be further off.
          this.#seekBeyond = Math.min(SEEK_BEYOND_LONGEST_SECONDS, this.#seekBeyond * SEEK_BEYOND_GROWTH);
          return this.#seek(nowMs, entry, 'behind');
        }
      }
      const patienceMs = nowMs - this.#lastDecodedMs < STUCK_MS ? SLOW_STUCK_MS : STUCK_MS;
      const isStuck = nowMs - this.#lastMovedMs >= patienceMs && lag > this.target;
      if (isStuck && isSettled) return this.#seek(nowMs, this.#soonest(ranges, keyframes), 'stuck');
    }
    const rate = this.#rate(this.#meanLag(lag, nowMs) - this.target);
    return { rate, seekTo: null, reason: this.#isChasing ? 'chasing' : 'steady' };
  }

  /**
   * A seek that does not end begins anew where data is.
   *
   * @param {{ nowMs: number, position: number, ranges: Range[], keyframes: number[] }} options
   * @returns {Decision}
   */
  #mendSeek({ nowMs, position, ranges, keyframes }) {
    this.#seekingSinceMs ??= nowMs;
    const gap = gapAhead(position, ranges);
    const patienceMs = gap ? SEEK_STUCK_MS : SEEK_LONGEST_MS;
    const [start, end] = newest(ranges);
    if (!this.#canSeek || nowMs - this.#seekingSinceMs < patienceMs || end - start < this.target) return STEADY;
    this.#seekingSinceMs = nowMs;
    if (gap) this.gaps += 1;
    return this.#seek(nowMs, this.#soonest(ranges, keyframes), 'stuck');
  }

  /**
   * Where a seek leaves the least lag, and how much of it: at the usual place by the edge, or at
   * the newest keyframe where the way from there takes this machine longer.
   *
   * @param {Range[]} ranges
   * @param {number[]} keyframes
   */
  #soonest(ranges, keyframes) {
    const [start, end] = newest(ranges);
    const seekTo = this.landing(ranges, keyframes);
    const keyframe = keyframes.findLast((time) => time >= start && time <= seekTo) ?? start;
    const depth = seekTo - keyframe;
    const atEdge = { seekTo, depth, lag: end - seekTo + depth * this.#seekCost };
    const atKeyframe = { seekTo: keyframe, depth: 0, lag: end - keyframe };
    return atKeyframe.lag < atEdge.lag ? atKeyframe : atEdge;
  }

  /**
   * What a seek that has ended teaches, where it was ours.
   *
   * @param {number} nowMs
   */
  #endSeek(nowMs) {
    if (this.#seekingSinceMs !== null) this.#seekEndedMs = nowMs;
    this.#seekingSinceMs = null;
    if (this.#seekDepth === null) return;
    if (this.#seekDepth > TELLING_SECONDS) this.#seekCost = (nowMs - this.#lastSeekMs) / 1000 / this.#seekDepth;
    this.#seekDepth = null;
  }

  /**
   * @param {number} nowMs
   * @param {{ seekTo: number, depth: number }} entry
   * @param {string} reason
   * @returns {Decision}
   */
  #seek(nowMs, { seekTo, depth }, reason) {
    this.seeks += 1;
    this.#seekDepth = depth;
    this.#lastSeekMs = nowMs;
    this.#lastMovedMs = nowMs;
    this.#lags = [];
    this.#isChasing = false;
    return { rate: 1, seekTo, reason };
  }

  /**
   * @param {number} lag
   * @param {number} nowMs
   */
  #meanLag(lag, nowMs) {
    this.#lags.push([nowMs, lag]);
    while (this.#lags[0][0] < nowMs - MEAN_MS) this.#lags.shift();
    return this.#lags.reduce((sum, [, each]) => sum + each, 0) / this.#lags.length;
  }

  /** @param {number} excess */
  #rate(excess) {
    this.#isChasing = excess > (this.#isChasing ? 0 : SLACK_SECONDS);
    if (!this.#isChasing) return 1;
    return RATES.findLast(({ above }) => excess >= above)?.rate ?? 1;
  }

  /** @param {number} nowMs */
  #relax(nowMs) {
    this.#quietSinceMs ??= nowMs;
    if (nowMs - this.#quietSinceMs < QUIET_MS) return;
    this.#quietSinceMs = nowMs;
    this.#seekBeyond = Math.max(this.#seekBeyondLeast, this.#seekBeyond / SEEK_BEYOND_GROWTH);
    this.target = Math.max(this.#floor, this.target - (this.target - this.#floor) * 0.1 - 0.005);
  }
}

/**
 * @param {Range[]} ranges of which there is one at least
 * @returns {Range}
 */
function newest(ranges) {
  const last = ranges.at(-1);
  if (!last) throw new Error('nothing is buffered');
  return last;
}

/**
 * What a video element or a SourceBuffer has, in the form that is used here.
 *
 * @param {TimeRanges} buffered
 * @returns {Range[]}
 */
export function rangesOf(buffered) {
  return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
}

/**
 * Whether playback has run dry before a gap. Browsers leave the last frames before it unplayed.
 *
 * @param {number} leftSeconds of media before the gap
 * @param {number} stoodMs how long the position has not moved
 */
export function hasRunDry(leftSeconds, stoodMs) {
  return leftSeconds < RUN_DRY_SECONDS || (leftSeconds < STOPS_BEFORE_SECONDS && stoodMs >= STANDS_MS);
}

/**
 * Whether the newest data lies beyond a gap, and how much is left to play on this side of it.
 *
 * @param {number} position
 * @param {Range[]} ranges
 */
function gapAhead(position, ranges) {
  const [start, end] = newest(ranges);
  if (position >= start - 0.01 && position <= end + 0.25) return null;
  const here = ranges.find(([from, to]) => position >= from - 0.01 && position <= to);
  return { leftSeconds: here ? here[1] - position : 0 };
}
