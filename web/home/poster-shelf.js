// The posters of the streams that can be seen: a new one is asked for where the server has another, and
// no sooner than a while after the last.

import { within } from '../lib/element.js';

/** From one poster of a card to the next: the picture of a stream's keyframe is another each second. */
const SAME_FOR_MS = 15_000;
/** So far beyond the edge of the window, a poster is loaded ahead. */
const AHEAD = '300px 0px';
/** A picture much narrower than its frame is shown whole. */
const NARROW = 1.6;

/** @typedef {{ version: string, wanted: string, atMs: number, isNear: boolean, url: (version: string) => string }} Poster */

export class PosterShelf {
  /** @type {WeakMap<Element, Poster>} */
  #posters = new WeakMap();
  #observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: AHEAD });

  /**
   * @param {HTMLElement} item of the list
   * @param {(version: string) => string} url
   */
  add(item, url) {
    this.#posters.set(item, { version: '', wanted: '', atMs: -Infinity, isNear: false, url });
    this.#observer.observe(item);
  }

  /** @param {HTMLElement} item */
  remove(item) {
    this.#observer.unobserve(item);
  }

  /**
   * The server has this version now.
   *
   * @param {HTMLElement} item
   * @param {string} version
   */
  update(item, version) {
    const poster = this.#posters.get(item);
    if (!poster) return;
    poster.wanted = version;
    load(item, poster);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const poster = this.#posters.get(target);
      if (!poster) continue;
      poster.isNear = isIntersecting;
      load(/** @type {HTMLElement} */ (target), poster);
    }
  }
}

/**
 * Loaded out of sight first: the old poster stays until the new one is whole.
 *
 * @param {HTMLElement} item
 * @param {Poster} poster
 */
function load(item, poster) {
  const { isNear, version, wanted, atMs } = poster;
  const nowMs = performance.now();
  if (!isNear || wanted === version || nowMs - atMs < SAME_FOR_MS) return;
  poster.version = wanted;
  poster.atMs = nowMs;
  const picture = new Image();
  picture.onload = () => {
    const image = within(item, 'img', HTMLImageElement);
    image.classList.toggle('whole', picture.naturalWidth < picture.naturalHeight * NARROW);
    image.src = picture.src;
    image.hidden = false;
  };
  // Asked for again with the next list, but not at once.
  picture.onerror = () => {
    poster.version = '';
  };
  picture.src = poster.url(wanted);
}
