// What is beside the player on its page: who else watches and since when, and the other streams.

import { make } from '../lib/element.js';
import { counted } from '../lib/format.js';
import { at } from '../lib/place.js';
import { factsOf } from './words.js';

const REFRESH_MS = 60_000;
const SHOWN_MOST = 8;

/** @typedef {{ name: string, viewers: number, uptime_s: number }} Stream */

/**
 * The other streams, those with most viewers first. Pure.
 *
 * @param {Stream[]} streams
 * @param {string} name of the one that is watched
 */
export function othersOf(streams, name) {
  const { compare } = new Intl.Collator('en', { numeric: true });
  return streams
    .filter((stream) => stream.name !== name)
    .sort((a, b) => b.viewers - a.viewers || compare(a.name, b.name))
    .slice(0, SHOWN_MOST);
}

export class AlsoLive {
  #elements;
  #site;
  #credentials;
  #name;
  /** @type {number | null} */
  #viewers = null;
  /**
   * When the stream went on air, as far as is known.
   *
   * @type {number | null}
   */
  #sinceMs = null;
  #askedAtMs = -Infinity;

  /**
   * @param {{ facts: HTMLElement, section: HTMLElement, list: HTMLElement }} elements
   * @param {string} name
   * @param {import('./site.js').Site} site
   * @param {import('../lib/credentials.js').Credentials} credentials
   */
  constructor(elements, name, site, credentials) {
    this.#elements = elements;
    this.#name = name;
    this.#site = site;
    this.#credentials = credentials;
  }

  /** @param {number | null} count */
  tellViewers(count) {
    this.#viewers = count;
    this.#showFacts();
  }

  /**
   * Asks once in a while.
   *
   * @param {{ nowMs: number, isNow?: boolean }} time `isNow`: at once
   */
  async refresh({ nowMs, isNow = false }) {
    if (!isNow && nowMs - this.#askedAtMs < REFRESH_MS) return;
    this.#askedAtMs = nowMs;
    /** @type {Stream[] | null} */
    const streams = await this.#site.streams();
    if (!streams) return;
    const own = streams.find(({ name }) => name === this.#name);
    this.#sinceMs = own ? nowMs - own.uptime_s * 1000 : null;
    if (own) this.#viewers = own.viewers;
    this.#showFacts();
    this.#showOthers(othersOf(streams, this.#name));
  }

  #showFacts() {
    const uptimeS = this.#sinceMs === null ? null : (performance.now() - this.#sinceMs) / 1000;
    const text = factsOf({ viewers: this.#viewers, uptimeS });
    const { facts } = this.#elements;
    if (facts.textContent !== text) facts.textContent = text;
  }

  /** @param {Stream[]} streams */
  #showOthers(streams) {
    const { section, list } = this.#elements;
    section.hidden = streams.length === 0;
    /** @type {Map<string | undefined, HTMLElement>} */
    const cards = new Map(
      [...list.children].map((card) => [/** @type {HTMLElement} */ (card).dataset.name, /** @type {HTMLElement} */ (card)]),
    );
    // Those that stay keep their place under a finger; new ones come last.
    for (const [name, card] of cards) if (!streams.some((stream) => stream.name === name)) card.remove();
    for (const { name, viewers } of streams) {
      const card = cards.get(name) ?? this.#card(name);
      if (!card.isConnected) list.append(card);
      const meta = card.querySelector('.card-meta');
      if (meta) meta.textContent = counted(viewers, 'viewer');
    }
  }

  /** @param {string} name */
  #card(name) {
    const path = at(`live/${encodeURIComponent(name)}`);
    const poster = make('img', { alt: '', loading: 'lazy', src: this.#credentials.url(`${path}/poster`, { cache: Date.now() }) });
    // A picture held upright is shown whole.
    poster.onload = () => poster.classList.toggle('whole', poster.naturalWidth < 1.6 * poster.naturalHeight);
    const title = make('span', { className: 'card-name', title: name }, name);
    const link = make(
      'a',
      { className: 'card', href: path },
      make('span', { className: 'poster' }, poster),
      title,
      make('span', { className: 'card-meta soft' }),
    );
    const card = make('li', {}, link);
    card.dataset.name = name;
    return card;
  }
}
