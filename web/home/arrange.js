// Which cards the home page shows, and in which order. Pure.
//
// Streams stand in the order of their names, with numbers by their value: `stream-2` comes before
// `stream-10`, today and on the next visit. While a person is at the list (`isHeld`), no card moves: a
// stream that ends keeps its place, and new ones come last.

/** @typedef {import('./machine.js').Stream} Stream */
/** @typedef {{ stream: Stream, isGone: boolean }} Card */

/** From so many streams on, the page has a field to search them. */
export const SEARCH_FROM = 12;

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/**
 * By name; those that differ in capitals alone have an order too.
 *
 * @param {Stream[]} streams
 */
export function byName(streams) {
  return [...streams].sort((a, b) => collator.compare(a.name, b.name) || (a.name < b.name ? -1 : 1));
}

/**
 * @param {Card[]} former what is shown
 * @param {Stream[]} streams what is on air
 * @param {boolean} isHeld
 * @returns {Card[]}
 */
export function arrange(former, streams, isHeld) {
  const sorted = byName(streams);
  if (!isHeld) return sorted.map((stream) => ({ stream, isGone: false }));
  const onAir = new Map(sorted.map((stream) => [stream.name, stream]));
  const kept = former.map(({ stream }) => {
    const newest = onAir.get(stream.name);
    onAir.delete(stream.name);
    return { stream: newest ?? stream, isGone: newest === undefined };
  });
  return [...kept, ...[...onAir.values()].map((stream) => ({ stream, isGone: false }))];
}

/**
 * Those whose name has every word of a search, in any order.
 *
 * @template {{ stream: Stream }} T
 * @param {T[]} cards
 * @param {string} search
 */
export function matching(cards, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return cards.filter(({ stream }) => words.every((word) => stream.name.toLowerCase().includes(word)));
}

/**
 * Whether the page has the field.
 *
 * @param {{ streams: Stream[], search: string }} state
 */
export function isSearchable({ streams, search }) {
  return streams.length >= SEARCH_FROM || search !== '';
}
