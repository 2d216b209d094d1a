// A line chart as SVG paths. Pure: points in, paths out.
//
// The picture is 100 wide and 100 high, and is stretched to its place; the pen is not
// (`vector-effect`). A hole in time, or a figure that is not known, is a hole in the line.

/** @typedef {import('./history.js').Point} Point */

export const WIDTH = 100;
export const HEIGHT = 100;

/**
 * The next of 1, 2, 5, 10, 20, 50, … that is not below a value: where the scale ends.
 *
 * @param {number} value
 */
export function scaleEnd(value) {
  if (!(value > 0)) return 1;
  const decade = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10];
  // What is left of 3e6 / 1e6 may be a hair above 3.
  return (steps.find((step) => step >= value / decade - 1e-9) ?? 10) * decade;
}

/**
 * @param {Point[]} points oldest first
 * @param {{ nowS: number, spanS: number, holeS: number, least?: number }} view
 *   `holeS`: from which distance on two points are not joined; `least`: the scale is never shorter
 * @returns {{ line: string, area: string, end: number, peak: number | null }}
 */
export function chart(points, { nowS, spanS, holeS, least = 0 }) {
  const known = points.flatMap(([, value]) => (value === null ? [] : [value]));
  const peak = known.length ? Math.max(...known) : null;
  const end = scaleEnd(Math.max(peak ?? 0, least));
  const x = (/** @type {number} */ atS) => round(WIDTH * (1 - (nowS - atS) / spanS));
  const y = (/** @type {number} */ value) => round(HEIGHT * (1 - value / end));
  let line = '';
  let area = '';
  for (const run of runs(points, holeS)) {
    const [first, last] = [x(run[0][0]), x(run[run.length - 1][0])];
    // One point alone would have no length.
    const tail = run.length === 1 ? `h${round(WIDTH / 100)}` : '';
    const path = run.map(([atS, value]) => `${x(atS)} ${y(value)}`).join('L');
    line += `M${path}${tail}`;
    area += `M${first} ${HEIGHT}L${path}${tail}L${tail ? round(last + WIDTH / 100) : last} ${HEIGHT}Z`;
  }
  return { line, area, end, peak };
}

/**
 * Points that are joined.
 *
 * @param {Point[]} points
 * @param {number} holeS
 */
function runs(points, holeS) {
  /** @type {[number, number][][]} */
  const found = [];
  let lastS = -Infinity;
  for (const [atS, value] of points) {
    if (value === null) {
      lastS = -Infinity;
      continue;
    }
    if (atS - lastS > holeS) found.push([]);
    found[found.length - 1].push([atS, value]);
    lastS = atS;
  }
  return found;
}

/**
 * The point next to where a finger or a pointer is, from 0 at the left to 1 at the right; null where
 * none is near.
 *
 * @param {Point[]} points
 * @param {number} place
 * @param {{ nowS: number, spanS: number }} view
 * @returns {Point | null}
 */
export function pointAt(points, place, { nowS, spanS }) {
  const wantedS = nowS - spanS * (1 - place);
  let nearest = null;
  let distanceS = spanS / 20;
  for (const point of points) {
    const distance = Math.abs(point[0] - wantedS);
    if (distance > distanceS || point[1] === null) continue;
    nearest = point;
    distanceS = distance;
  }
  return nearest;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}
