// Looks at the few WebM elements that a player must know about.
//
// The server sends whole elements, so a message can be cut into pieces without keeping bytes
// from one message to the next:
//
//   EBML header, Segment, Info, Tracks | Cluster, Timestamp, SimpleBlock… | SimpleBlock…
//   └─────────────── init ────────────┘ └──────── cluster ──────────────┘  └─ blocks ─┘
//
// Only heads are read; frame payloads are stepped over. Malformed bytes end the scan quietly:
// the browser's own parser is the one that judges them.

/** @typedef {'video' | 'audio' | 'other'} Kind */
/** @typedef {{ id: number, size: number, body: number }} Element */
/** @typedef {Element & { at: number, end: number }} Child */
/** @typedef {{ number: number, kind: Kind, codecId: string, encoding?: 'encrypted' | 'compressed' }} Track */
/**
 * @typedef {object} Block
 * @property {Kind} kind
 * @property {number} timestampMs
 * @property {boolean} isKeyframe
 * @property {number} sizeLength bytes of the element's size field
 * @property {number} from
 * @property {number} to
 * @property {number} timeAt
 * @property {number} frameTo
 * @property {boolean} ignored
 */
/** @typedef {{ type: 'init' | 'cluster' | 'blocks', bytes: Uint8Array, blocks: Block[] }} Piece */
/** @typedef {{ type: Piece['type'], from: number, to: number, blocks: Block[], holes: [number, number][], removed: number }} Cut */

const EBML = 0x1a45dfa3;
export const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
export const TRACKS = 0x1654ae6b;
export const TRACK_ENTRY = 0xae;
const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const CODEC_ID = 0x86;
const CONTENT_ENCODINGS = 0x6d80;
const CONTENT_ENCODING = 0x6240;
const CONTENT_ENCRYPTION = 0x5035;
const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const REFERENCE_BLOCK = 0xfb;

/** @type {Record<number, Kind>} */
const KINDS = { 1: 'video', 2: 'audio' };

/**
 * An element's head at `at`: `{ id, size, body }`, `body` being where its content begins.
 * An unknown size is `Infinity`. Null when the head is not whole or not EBML.
 *
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} [end]
 * @returns {Element | null}
 */
export function elementAt(bytes, at, end = bytes.length) {
  const idLength = vintLength(bytes[at], 4);
  if (!idLength || at + idLength >= end) return null;
  let id = 0;
  for (let i = 0; i < idLength; i += 1) id = id * 256 + bytes[at + i];

  const sizeAt = at + idLength;
  const sizeLength = vintLength(bytes[sizeAt], 8);
  if (!sizeLength || sizeAt + sizeLength > end) return null;
  const mask = 0xff >> sizeLength;
  let size = bytes[sizeAt] & mask;
  let allOnes = size === mask;
  for (let i = 1; i < sizeLength; i += 1) {
    const byte = bytes[sizeAt + i];
    allOnes &&= byte === 0xff;
    size = size * 256 + byte;
  }
  return { id, size: allOnes ? Infinity : size, body: sizeAt + sizeLength };
}

/**
 * Bytes of a variable-size integer, told by its first byte; 0 when longer than `longest`.
 *
 * @param {number | undefined} first
 * @param {number} longest
 */
function vintLength(first, longest) {
  const length = Math.clz32(first ?? 0) - 23;
  return length >= 1 && length <= longest ? length : 0;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} length
 */
function unsigned(bytes, from, length) {
  let value = 0;
  for (let i = 0; i < length; i += 1) value = value * 256 + bytes[from + i];
  return value;
}

/**
 * @param {Uint8Array} bytes
 * @param {Child} element
 */
function letters(bytes, element) {
  return String.fromCharCode(...bytes.subarray(element.body, element.end));
}

/**
 * Whole child elements of `bytes[from..end]`, in order.
 *
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} end
 * @returns {Generator<Child>}
 */
export function* children(bytes, from, end) {
  for (let at = from; at < end;) {
    const element = elementAt(bytes, at, end);
    if (!element) return;
    const next = Math.min(end, element.body + element.size);
    yield { ...element, at, end: next };
    at = next;
  }
}

/**
 * What an init segment declares: `{ timestampScale, tracks: [{ number, kind, codecId }] }`; a track
 * that is wrapped up also has `encoding`, `compressed` or `encrypted`.
 *
 * @param {Uint8Array} init
 * @returns {{ timestampScale: number, tracks: Track[] }}
 */
export function readInit(init) {
  /** @type {{ timestampScale: number, tracks: Track[] }} */
  const found = { timestampScale: 1_000_000, tracks: [] };
  const tracks = [];
  for (const top of children(init, 0, init.length)) {
    if (top.id !== SEGMENT) continue;
    for (const part of children(init, top.body, top.end)) {
      if (part.id === INFO) {
        for (const field of children(init, part.body, part.end)) {
          if (field.id === TIMESTAMP_SCALE) found.timestampScale = unsigned(init, field.body, field.size);
        }
      }
      if (part.id === TRACKS) tracks.push(part);
    }
  }
  for (const part of tracks) {
    for (const entry of children(init, part.body, part.end)) {
      if (entry.id === TRACK_ENTRY) found.tracks.push(readTrack(init, entry));
    }
  }
  return found;
}

/**
 * @param {Uint8Array} init
 * @param {Child} entry
 * @returns {Track}
 */
export function readTrack(init, entry) {
  /** @type {Track} */
  const track = { number: 0, kind: 'other', codecId: '' };
  for (const field of children(init, entry.body, entry.end)) {
    const value = () => unsigned(init, field.body, field.size);
    if (field.id === TRACK_NUMBER) track.number = value();
    if (field.id === TRACK_TYPE) track.kind = KINDS[value()] ?? 'other';
    if (field.id === CODEC_ID) track.codecId = letters(init, field);
    if (field.id === CONTENT_ENCODINGS) track.encoding = encodingOf(init, field);
  }
  return track;
}

/**
 * How a track's frames are wrapped up, which no browser undoes without keys or at all.
 *
 * @param {Uint8Array} init
 * @param {Child} encodings
 * @returns {'encrypted' | 'compressed'}
 */
function encodingOf(init, encodings) {
  for (const encoding of children(init, encodings.body, encodings.end)) {
    if (encoding.id !== CONTENT_ENCODING) continue;
    for (const field of children(init, encoding.body, encoding.end)) {
      if (field.id === CONTENT_ENCRYPTION) return 'encrypted';
    }
  }
  return 'compressed';
}

/**
 * Several byte arrays as one.
 *
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array}
 */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Cuts a stream's messages into pieces, and says what blocks each holds. */
export class Scanner {
  #timestampScale = 1_000_000;
  #clusterTicks = 0;
  /**
   * Track number to kind, from the newest init segment.
   *
   * @type {Map<number, Kind>}
   */
  #kinds = new Map();
  /**
   * Kinds whose blocks are left out of the pieces.
   *
   * @type {Set<Kind>}
   */
  #ignored = new Set();

  /**
   * Leaves the blocks of one kind of track out from now on.
   *
   * @param {Kind} kind
   */
  ignore(kind) {
    this.#ignored.add(kind);
  }

  /**
   * `[{ type: 'init' | 'cluster' | 'blocks', bytes, blocks }]` in order, a block being
   * `{ kind, timestampMs, isKeyframe, sizeLength, from, to, timeAt, frameTo }`: the element lies
   * between `from` and `to` of the piece's bytes, its frame between `timeAt + 3` and `frameTo`. A
   * piece of type `cluster` begins with a Cluster head.
   * Blocks of ignored kinds are still listed, with `ignored: true`.
   *
   * @param {Uint8Array} message
   * @returns {Piece[]}
   */
  push(message) {
    /** @type {Cut[]} */
    const cuts = [];
    const learn = (/** @type {Cut | undefined} */ cut) => {
      if (cut?.type === 'init') this.#learn(message.subarray(cut.from, cut.to));
    };
    const open = (/** @type {Piece['type']} */ type, /** @type {number} */ at) => {
      // The blocks behind it may be in the same message.
      learn(cuts.at(-1));
      /** @type {Cut} */
      const cut = { type, from: at, to: at, blocks: [], holes: [], removed: 0 };
      cuts.push(cut);
      return cut;
    };
    for (let at = 0; at < message.length;) {
      const element = elementAt(message, at);
      if (!element) {
        // Not an element that we can read: pass it on whole with what came before.
        (cuts.at(-1) ?? open('blocks', at)).to = message.length;
        break;
      }
      if (element.id === EBML) open('init', at);
      if (element.id === CLUSTER) open('cluster', at);
      const cut = cuts.at(-1) ?? open('blocks', at);
      // Segment and Cluster are stepped into, everything else is stepped over.
      const isMaster = element.id === SEGMENT || element.id === CLUSTER;
      const end = isMaster ? element.body : Math.min(message.length, element.body + element.size);
      if (element.id === TIMESTAMP) {
        this.#clusterTicks = unsigned(message, element.body, element.size);
      }
      if (element.id === SIMPLE_BLOCK || element.id === BLOCK_GROUP) {
        const block = this.#block(message, at, element, end);
        if (block) {
          cut.blocks.push(block);
          const before = cut.from + cut.removed;
          block.from -= before;
          block.to -= before;
          block.timeAt -= before;
          block.frameTo -= before;
          if (block.ignored) {
            cut.holes.push([at, end]);
            cut.removed += end - at;
          }
        }
      }
      cut.to = end;
      at = end;
    }
    learn(cuts.at(-1));
    return cuts.map((cut) => ({ type: cut.type, bytes: withoutHoles(message, cut), blocks: cut.blocks }));
  }

  /** @param {Uint8Array} init */
  #learn(init) {
    const { timestampScale, tracks } = readInit(init);
    this.#timestampScale = timestampScale;
    this.#kinds = new Map(tracks.map(({ number, kind }) => [number, kind]));
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} from
   * @param {Element} element
   * @param {number} end
   * @returns {Block | null}
   */
  #block(bytes, from, element, end) {
    let { body } = element;
    let frameTo = end;
    let isReference = false;
    if (element.id === BLOCK_GROUP) {
      let block = null;
      for (const child of children(bytes, element.body, end)) {
        if (child.id === BLOCK) block = child;
        if (child.id === REFERENCE_BLOCK) isReference = true;
      }
      if (!block) return null;
      body = block.body;
      frameTo = block.end;
    }
    const numberLength = vintLength(bytes[body], 8);
    if (!numberLength || body + numberLength + 3 > bytes.length) return null;
    const number = unsigned(bytes, body, numberLength) - 2 ** (7 * numberLength);
    const at = body + numberLength;
    // Both block elements have an ID of one byte.
    const sizeLength = element.body - from - 1;
    const relative = ((bytes[at] << 24) >> 16) | bytes[at + 1];
    const kind = this.#kinds.get(number) ?? 'other';
    return {
      kind,
      timestampMs: ((this.#clusterTicks + relative) * this.#timestampScale) / 1e6,
      isKeyframe: element.id === SIMPLE_BLOCK ? (bytes[at + 2] & 0x80) !== 0 : !isReference,
      sizeLength,
      from,
      to: end,
      timeAt: at,
      frameTo,
      ignored: this.#ignored.has(kind),
    };
  }
}

/**
 * @param {Uint8Array} message
 * @param {{ from: number, to: number, holes: [number, number][] }} options
 */
function withoutHoles(message, { from, to, holes }) {
  if (!holes.length) return message.subarray(from, to);
  const parts = [];
  let at = from;
  for (const [holeFrom, holeTo] of holes) {
    if (holeFrom > at) parts.push(message.subarray(at, holeFrom));
    at = holeTo;
  }
  if (to > at) parts.push(message.subarray(at, to));
  return parts.length ? joined(parts) : new Uint8Array(0);
}
