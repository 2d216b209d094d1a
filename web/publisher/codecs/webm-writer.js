// Writes encoded frames as live WebM: an init segment, then Clusters of unknown size. Pure.
//
//   const writer = new WebmWriter({ video: { codec: 'vp8', width: 640, height: 360 }, audio: { channels: 2 } });
//   writer.block({ kind: 'video', timeMs: 0, isKeyframe: true, bytes })     -> pieces of the file
//
// A Cluster begins at each keyframe, as the server and players want it. Blocks must come in order of
// time: see block-order.js.

/** @typedef {'video' | 'audio'} Kind */
/** @typedef {{ kind: Kind, timeMs: number, isKeyframe: boolean, bytes: Uint8Array }} Block */
/**
 * `codec` and `colour` as WebCodecs name them.
 *
 * @typedef {{ codec: string, width: number, height: number, colour?: VideoColorSpaceInit | null }} Video
 */
/** @typedef {{ channels: number }} Audio always Opus */

const TRACK = { video: 1, audio: 2 };
/** A block's time is written as a 16-bit distance from its Cluster's. */
const CLUSTER_MS_MOST = 30_000;
/** Without a picture any block is a place to join at. */
const AUDIO_CLUSTER_MS = 1000;
/** Sound that comes so much later than its place is no sound any more. */
const LATE_MS = 40;
const OPUS_RATE = 48_000;
/** Samples by which the Opus encoder delays the sound. */
const OPUS_PRE_SKIP = 312;
/** What decoders need before a place to be right there. */
const OPUS_SEEK_PRE_ROLL_NS = 80_000_000;

/** The most common sizes take one byte, and none of ours more than four. */
const SIZES = [0x7e, 0x3ffe, 0x1ffffe, 0xffffffe];
const UNKNOWN_SIZE = [0x01, 255, 255, 255, 255, 255, 255, 255];

export class WebmWriter {
  #tracks;
  #hasBegun = false;
  /** @type {number | null} */
  #clusterMs = null;
  /** The time of the first block: the file begins at 0. @type {number | null} */
  #originMs = null;
  #lastMs = 0;

  /** @param {{ video: Video | null, audio: Audio | null }} tracks */
  constructor(tracks) {
    this.#tracks = tracks;
  }

  /**
   * The next block, in order of time, as pieces of the file. Before the first keyframe there is nothing
   * to write.
   *
   * @param {Block} block
   * @returns {Uint8Array[]}
   */
  block({ kind, timeMs, isKeyframe, bytes }) {
    const opens = this.#tracks.video === null || (kind === 'video' && isKeyframe);
    if (!this.#hasBegun && !opens) return [];
    const pieces = [];
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#originMs = timeMs;
      pieces.push(initSegment(this.#tracks));
    }
    if (kind === 'audio' && timeMs - (this.#originMs ?? 0) < this.#lastMs - LATE_MS) return pieces;
    // Players end a Cluster whose times go back.
    this.#lastMs = Math.max(this.#lastMs, Math.round(timeMs - (this.#originMs ?? 0)));
    const sinceMs = this.#clusterMs === null ? Infinity : this.#lastMs - this.#clusterMs;
    const isDue = this.#tracks.video ? opens || sinceMs > CLUSTER_MS_MOST : sinceMs >= AUDIO_CLUSTER_MS;
    if (isDue) {
      this.#clusterMs = this.#lastMs;
      pieces.push(clusterHead(this.#lastMs));
    }
    const isKey = kind === 'audio' || isKeyframe;
    pieces.push(blockHead(TRACK[kind], this.#lastMs - (this.#clusterMs ?? 0), isKey, bytes.length), bytes);
    return pieces;
  }
}

/**
 * The EBML header, the Segment's head, Info and Tracks.
 *
 * @param {{ video: Video | null, audio: Audio | null }} tracks
 */
export function initSegment({ video, audio }) {
  const tracks = [...(video ? videoEntry(video) : []), ...(audio ? audioEntry(audio) : [])];
  return new Uint8Array([
    ...element(
      [0x1a, 0x45, 0xdf, 0xa3],
      [
        ...element([0x42, 0x86], [1]), // EBMLVersion
        ...element([0x42, 0xf7], [1]), // EBMLReadVersion
        ...element([0x42, 0xf2], [4]), // EBMLMaxIDLength
        ...element([0x42, 0xf3], [8]), // EBMLMaxSizeLength
        ...element([0x42, 0x82], text('webm')), // DocType
        ...element([0x42, 0x87], [4]), // DocTypeVersion
        ...element([0x42, 0x85], [2]), // DocTypeReadVersion
      ],
    ),
    ...[0x18, 0x53, 0x80, 0x67, ...UNKNOWN_SIZE], // Segment
    ...element(
      [0x15, 0x49, 0xa9, 0x66], // Info
      [
        ...element([0x2a, 0xd7, 0xb1], number(1_000_000)), // TimestampScale
        ...element([0x4d, 0x80], text('videostream')), // MuxingApp
        ...element([0x57, 0x41], text('videostream')), // WritingApp
      ],
    ),
    ...element([0x16, 0x54, 0xae, 0x6b], tracks),
  ]);
}

/** Matroska's numbers for what a picture's colours mean, which are those of ITU-T H.273. */
const MATRICES = { rgb: 0, bt709: 1, bt470bg: 5, smpte170m: 6, 'bt2020-ncl': 9 };
const PRIMARIES = { bt709: 1, bt470bg: 5, smpte170m: 6, bt2020: 9, smpte432: 12 };
const TRANSFERS = { bt709: 1, smpte170m: 6, linear: 8, 'iec61966-2-1': 13, pq: 16, hlg: 18 };

/** @param {VideoColorSpaceInit | null | undefined} colour */
function colourElement(colour) {
  if (!colour) return [];
  const { matrix, primaries, transfer, fullRange } = colour;
  const told = (/** @type {number[]} */ id, /** @type {number | undefined} */ value) => (value === undefined ? [] : element(id, [value]));
  const of = (/** @type {Record<string, number>} */ numbers, /** @type {string | null | undefined} */ name) => numbers[name ?? ''];
  return element(
    [0x55, 0xb0],
    [
      ...told([0x55, 0xb1], of(MATRICES, matrix)),
      ...told([0x55, 0xb9], typeof fullRange === 'boolean' ? Number(fullRange) + 1 : undefined),
      ...told([0x55, 0xba], of(TRANSFERS, transfer)),
      ...told([0x55, 0xbb], of(PRIMARIES, primaries)),
    ],
  );
}

/** @param {Video} video */
function videoEntry({ codec, width, height, colour }) {
  const names = { vp8: 'V_VP8', vp09: 'V_VP9', av01: 'V_AV1' };
  const [name] = codec.split('.');
  const id = names[/** @type {keyof typeof names} */ (name)];
  if (!id) throw new TypeError(`no WebM name for ${codec}`);
  return element(
    [0xae],
    [
      ...trackHead('video', 1, id),
      ...(name === 'av01' ? element([0x63, 0xa2], av1Configuration(codec)) : []),
      ...element([0xe0], [...element([0xb0], number(width)), ...element([0xba], number(height)), ...colourElement(colour)]),
    ],
  );
}

/** @param {Audio} audio */
function audioEntry({ channels }) {
  const head = [...text('OpusHead'), 1, channels, ...[OPUS_PRE_SKIP & 255, OPUS_PRE_SKIP >> 8], ...[0x80, 0xbb, 0, 0], 0, 0, 0];
  return element(
    [0xae],
    [
      ...trackHead('audio', 2, 'A_OPUS'),
      ...element([0x63, 0xa2], head), // CodecPrivate
      ...element([0x56, 0xaa], number(Math.round((OPUS_PRE_SKIP * 1e9) / OPUS_RATE))), // CodecDelay
      ...element([0x56, 0xbb], number(OPUS_SEEK_PRE_ROLL_NS)), // SeekPreRoll
      ...element([0xe1], [...element([0xb5], float(OPUS_RATE)), ...element([0x9f], [channels])]),
    ],
  );
}

/**
 * @param {Kind} kind
 * @param {number} type
 * @param {string} codecId
 */
function trackHead(kind, type, codecId) {
  return [
    ...element([0xd7], [TRACK[kind]]), // TrackNumber
    ...element([0x73, 0xc5], [TRACK[kind]]), // TrackUID
    ...element([0x9c], [0]), // FlagLacing
    ...element([0x83], [type]), // TrackType
    ...element([0x86], text(codecId)), // CodecID
  ];
}

/**
 * AV1's CodecPrivate for `av01.P.LLT.BB`, of 4:2:0: its configuration is in each keyframe besides.
 *
 * @param {string} codec
 */
function av1Configuration(codec) {
  const [, profile, levelAndTier, depth] = codec.split('.');
  const isHighTier = levelAndTier.endsWith('H') ? 0x80 : 0;
  const isDeep = depth === '08' ? 0 : 0x40;
  return [0x81, (Number(profile) << 5) | Number.parseInt(levelAndTier, 10), isHighTier | isDeep | 0x0c, 0];
}

/** @param {number} timeMs */
function clusterHead(timeMs) {
  return new Uint8Array([0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN_SIZE, ...element([0xe7], number(timeMs))]);
}

/**
 * Of a SimpleBlock.
 *
 * @param {number} track
 * @param {number} relativeMs
 * @param {boolean} isKeyframe
 * @param {number} length
 */
function blockHead(track, relativeMs, isKeyframe, length) {
  return new Uint8Array([0xa3, ...sizeOf(length + 4), ...[0x80 | track, (relativeMs >> 8) & 255, relativeMs & 255, isKeyframe ? 0x80 : 0]]);
}

/**
 * @param {number[]} id
 * @param {number[]} content
 */
function element(id, content) {
  return [...id, ...sizeOf(content.length), ...content];
}

/** @param {number} length */
function sizeOf(length) {
  const width = 1 + SIZES.findIndex((most) => length <= most);
  if (width === 0) throw new RangeError(`${length} bytes are too many for a block`);
  const bytes = number(length, width);
  bytes[0] |= 0x80 >> (width - 1);
  return bytes;
}

/**
 * Big-endian, in so many bytes or as few as do.
 *
 * @param {number} value
 * @param {number} [width]
 */
function number(value, width = Math.max(1, Math.ceil(Math.log2(value + 1) / 8))) {
  return Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** (width - 1 - i)) % 256);
}

/** @param {number} value */
function float(value) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [...new Uint8Array(view.buffer)];
}

/** @param {string} word */
function text(word) {
  return [...new TextEncoder().encode(word)];
}
