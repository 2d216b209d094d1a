// Cuts the bytes of a segment into whole blocks, however they come. Pure.
//
//   Cluster, Timestamp, SimpleBlock │ SimpleBlock │ SimpleBlo…
//   └────────── a part ───────────┘   └─ a part ┘   waits
//
// What has no end is never given out: of a transfer that breaks, a player sees whole blocks and
// nothing else.

import { elementAt } from '../webm-scan.js';

const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;

/** @typedef {{ bytes: Uint8Array, timestampMs: number }} Part */

export class Cutter {
  /** Bytes of an element that is not whole, and of Cluster heads before their first block. */
  #rest = new Uint8Array(0);
  #clusterMs = 0;
  #toSkip = 0;
  /** Bytes of all parts so far. */
  given = 0;

  /** The next bytes are those of the same segment from its beginning: what was given is left out. */
  again() {
    this.#rest = new Uint8Array(0);
    this.#toSkip = this.given;
  }

  /** Whether all bytes were whole blocks. */
  get isWhole() {
    return this.#rest.length === 0 && this.#toSkip === 0;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Part[]}
   */
  push(bytes) {
    const skipped = Math.min(this.#toSkip, bytes.length);
    this.#toSkip -= skipped;
    const all = new Uint8Array(this.#rest.length + bytes.length - skipped);
    all.set(this.#rest);
    all.set(bytes.subarray(skipped), this.#rest.length);
    /** @type {Part[]} */
    const parts = [];
    let from = 0;
    for (let at = 0; ;) {
      const element = elementAt(all, at);
      if (!element) break;
      // Of the Cluster, whose size is not known, only the head is stepped over.
      const end = element.id === CLUSTER ? element.body : element.body + element.size;
      if (end > all.length) break;
      if (element.id === TIMESTAMP) this.#clusterMs = unsigned(all, element.body, end);
      at = end;
      const relativeMs = relativeTime(all, element, end);
      if (relativeMs === null) continue;
      parts.push({ bytes: all.subarray(from, end), timestampMs: this.#clusterMs + relativeMs });
      from = end;
    }
    this.#rest = all.slice(from);
    this.given += from;
    return parts;
  }
}

/**
 * A block's time in its Cluster; null of another element.
 *
 * @param {Uint8Array} bytes
 * @param {import('../webm-scan.js').Element} element
 * @param {number} end
 */
function relativeTime(bytes, element, end) {
  let { body } = element;
  if (element.id === BLOCK_GROUP) {
    const block = elementAt(bytes, body, end);
    // The server puts the Block first.
    if (block?.id !== BLOCK) return 0;
    body = block.body;
  } else if (element.id !== SIMPLE_BLOCK) {
    return null;
  }
  // A track's number has one byte here.
  return ((bytes[body + 1] << 24) >> 16) | bytes[body + 2];
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} end
 */
function unsigned(bytes, from, end) {
  let value = 0;
  for (let at = from; at < end; at += 1) value = value * 256 + bytes[at];
  return value;
}
