// The last hour in figures: what the server sent first, and what came since. Pure.
//
// A row is its time, in seconds since the server started, and its figures.

/** Seconds that are kept. */
export const HOUR_S = 3600;
/** Less history than this would be a dot at the edge of an hour. */
const SHORT_S = 600;
export const MINUTES_S = 120;

/** @typedef {(number | null)[]} Row */
/** @typedef {[number, number | null]} Point */
/** @typedef {{ stream: string | null, figures: string[], rows: Row[] }} Sent */

export class History {
  #figures;
  #rows;

  /** @param {Sent} sent */
  constructor({ figures, rows }) {
    this.#figures = figures;
    this.#rows = rows;
  }

  /**
   * The sample of a second, by the names of its figures.
   *
   * @param {number} atS
   * @param {Record<string, number | null> | null | undefined} sample
   */
  add(atS, sample) {
    if (!sample || atS <= (this.#rows.at(-1)?.[0] ?? -1)) return;
    this.#rows.push([atS, ...this.#figures.map((name) => sample[name] ?? null)]);
    const first = this.#rows.findIndex(([rowS]) => (rowS ?? 0) > atS - HOUR_S);
    if (first > 0) this.#rows.splice(0, first);
  }

  /**
   * Seconds that are worth showing at first.
   *
   * @param {number} nowS
   */
  spanAt(nowS) {
    return nowS - (this.#rows[0]?.[0] ?? nowS) < SHORT_S ? MINUTES_S : HOUR_S;
  }

  /**
   * One figure over the last `spanS` seconds before `nowS`, as a peak and a mean for each piece of
   * the picture: at most about `points` of them.
   *
   * @param {string} figure
   * @param {{ nowS: number, spanS: number, points: number, fold: 'mean' | 'max' }} view
   * @returns {Point[]}
   */
  points(figure, { nowS, spanS, points, fold }) {
    const column = this.#figures.indexOf(figure) + 1;
    if (column === 0) return [];
    const stepS = Math.max(1, Math.ceil(spanS / points));
    /** @type {{ atS: number, values: number[] }[]} */
    const pieces = [];
    for (const row of this.#rows) {
      const atS = row[0] ?? 0;
      if (atS <= nowS - spanS) continue;
      const beginsS = atS - (atS % stepS);
      if (pieces.at(-1)?.atS !== beginsS) pieces.push({ atS: beginsS, values: [] });
      const value = row[column];
      if (value !== null) pieces.at(-1)?.values.push(value);
    }
    return pieces.map(({ atS, values }) => [atS, values.length ? folded(values, fold) : null]);
  }
}

/**
 * @param {number[]} values
 * @param {'mean' | 'max'} fold
 */
function folded(values, fold) {
  if (fold === 'max') return Math.max(...values);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
