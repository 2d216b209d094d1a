// One row of charts: of a stream, or of the process.

import { chart, pointAt } from './chart.js';
import { ago, chartInWords } from './words.js';
import { element, within } from '../lib/element.js';

/** @typedef {import('./history.js').History} History */
/** @typedef {import('./words.js').Kind} Kind */
/** @typedef {{ nowS: number, spanS: number }} View */

/** Points of a chart: more cannot be told apart on a phone. */
const POINTS = 180;

/**
 * @param {HTMLElement} place
 * @param {Kind[]} kinds
 */
export function makeCharts(place, kinds) {
  const charts = kinds.map((kind) => new Chart(kind));
  place.append(...charts.map((one) => one.figure));
  return charts;
}

/**
 * What the figures mean that have something to explain.
 *
 * @param {HTMLElement} place
 * @param {Kind[]} kinds
 */
export function explain(place, kinds) {
  for (const { title, about } of kinds) {
    if (!about) continue;
    place.append(document.createElement('dt'), document.createElement('dd'));
    const [term, words] = [...place.children].slice(-2);
    term.textContent = title;
    words.textContent = about;
  }
}

export class Chart {
  #kind;
  #figure;
  #svg;
  #value;
  /** @type {import('./history.js').Point[]} */
  #points = [];
  /** @type {View} */
  #view = { nowS: 0, spanS: 1 };
  /**
   * Where the pointer is, from 0 to 1.
   *
   * @type {number | null}
   */
  #place = null;

  /** @param {Kind} kind */
  constructor(kind) {
    this.#kind = kind;
    const copy = element('chart', HTMLTemplateElement).content.cloneNode(true);
    this.#figure = within(/** @type {DocumentFragment} */ (copy), 'figure', HTMLElement);
    this.#svg = within(this.#figure, 'svg', SVGSVGElement);
    this.#value = within(this.#figure, '.chart-value', HTMLElement);
    const title = within(this.#figure, '.chart-title', HTMLElement);
    title.textContent = kind.title;
    title.title = kind.about ?? '';
    const plot = within(this.#figure, '.plot', HTMLElement);
    const move = (/** @type {PointerEvent} */ event) => {
      const { left, width } = plot.getBoundingClientRect();
      this.#place = (event.clientX - left) / width;
      this.#point();
    };
    plot.addEventListener('pointermove', move);
    plot.addEventListener('pointerdown', move);
    for (const end of /** @type {const} */ (['pointerleave', 'pointercancel'])) {
      plot.addEventListener(end, () => {
        this.#place = null;
        this.#point();
      });
    }
  }

  get figure() {
    return this.#figure;
  }

  /**
   * @param {History} history
   * @param {View} view
   */
  draw(history, view) {
    this.#view = view;
    const { figure, fold, least } = this.#kind;
    const points = history.points(figure, { ...view, points: POINTS, fold });
    this.#points = points;
    // A step of the server's hour is 10 s, and one may be late.
    const holeS = view.spanS > 120 ? 45 : 4;
    const drawn = chart(points, { ...view, holeS, least });
    within(this.#svg, '.line', SVGPathElement).setAttribute('d', drawn.line);
    within(this.#svg, '.area', SVGPathElement).setAttribute('d', drawn.area);
    within(this.#figure, '.chart-end', HTMLElement).textContent = this.#kind.say(drawn.end);
    const span = view.spanS > 120 ? 'the last hour' : 'the last two minutes';
    const now = this.#now();
    this.#svg.setAttribute('aria-label', chartInWords(this.#kind, { now, peak: drawn.peak, span }));
    this.#point();
  }

  #now() {
    const last = this.#points.at(-1);
    return last && this.#view.nowS - last[0] <= 30 ? last[1] : null;
  }

  /** The figure of now, or of where the pointer is. */
  #point() {
    const at = this.#place === null ? null : pointAt(this.#points, this.#place, this.#view);
    const hair = within(this.#figure, '.hair', HTMLElement);
    hair.hidden = at === null;
    const { nowS, spanS } = this.#view;
    const value = at === null ? this.#now() : at[1];
    const said = value === null ? '–' : this.#kind.say(value);
    if (this.#value.textContent !== said) this.#value.textContent = said;
    const when = within(this.#figure, '.chart-when', HTMLElement);
    when.hidden = at === null;
    when.textContent = at === null ? '' : ago(nowS - at[0]);
    if (at !== null) hair.style.left = `${100 * (1 - (nowS - at[0]) / spanS)}%`;
  }
}
