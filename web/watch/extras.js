// What few viewers ask for, loaded when one does: the help, the statistics, the share panel, a picture to keep.

import { adoptSheet } from '../lib/adopt-sheet.js';
import { openSharePanel } from '../lib/share-panel.js';
import { save, snapshot, snapshotName } from '../player/snapshot.js';
import { SHEET } from './extras-sheet.js';
import { openHelp } from './help.js';
import { showStats, statsRows, StripReader } from './stats-panel.js';

export class Extras {
  #strip = new StripReader();

  constructor() {
    adoptSheet(SHEET);
  }

  /** @param {{ seek: boolean, pip: boolean }} able */
  help(able) {
    openHelp(able);
  }

  /**
   * @param {string} name
   * @param {string} link
   */
  share(name, link) {
    openSharePanel(name, link);
  }

  /**
   * Whether there was a picture to save.
   *
   * @param {HTMLVideoElement | HTMLCanvasElement} picture
   * @param {string} name
   */
  async keep(picture, name) {
    const time = new Date();
    const blob = await snapshot(picture);
    if (blob) save(blob, snapshotName(name, time));
    return blob !== null;
  }

  /**
   * @param {HTMLElement} list
   * @param {import('./stats-panel.js').Figures} figures
   */
  stats(list, figures) {
    showStats(list, statsRows(figures));
  }

  /**
   * How old the test picture's clock is, null for other pictures.
   *
   * @param {HTMLVideoElement | HTMLCanvasElement} picture
   */
  ageMs(picture) {
    return this.#strip.ageMs(picture);
  }
}
