// Deleting a recording: asks first, and for the key where one is missing.
//
//   const deletion = new Deletion((recording) => remove(recording));
//   deletion.ask(recording, 'demo, 22 November');

import { Credentials } from '../lib/credentials.js';
import { element } from '../lib/element.js';
import { at } from '../lib/place.js';
import { explainDeletion } from './words.js';

/** @typedef {import('./words.js').Recording} Recording */

const CANNOT_BE_UNDONE = 'It cannot be brought back.';

export class Deletion {
  #dialog = element('sure', HTMLDialogElement);
  #text = element('sure-text', HTMLElement);
  #keyPart = element('sure-key', HTMLElement);
  #keyField = element('publish-key', HTMLInputElement);
  #deleteButton = element('delete', HTMLButtonElement);
  /** @type {Recording | null} */
  #recording = null;
  #onGone;

  /** @param {(recording: Recording) => void} onGone */
  constructor(onGone) {
    this.#onGone = onGone;
    element('keep', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    element('deletion', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#delete();
    });
  }

  /**
   * @param {Recording} recording
   * @param {string} title
   */
  ask(recording, title) {
    this.#recording = recording;
    element('sure-what', HTMLElement).textContent = title;
    this.#text.textContent = CANNOT_BE_UNDONE;
    this.#needKey(false);
    this.#dialog.showModal();
    element('keep', HTMLButtonElement).focus();
  }

  /** @param {boolean} isNeeded */
  #needKey(isNeeded) {
    this.#keyPart.hidden = !isNeeded;
    this.#keyField.required = isNeeded;
    this.#keyField.value = '';
    if (isNeeded) this.#keyField.focus();
  }

  async #delete() {
    const recording = this.#recording;
    if (recording === null) return;
    const credentials = new Credentials('publish', recording.stream);
    if (this.#keyField.value !== '') credentials.remember(this.#keyField.value);
    this.#deleteButton.disabled = true;
    const path = at(`recordings/${encodeURIComponent(recording.stream)}/${encodeURIComponent(recording.file)}`);
    const response = await fetch(path, {
      method: 'DELETE',
      credentials: 'omit',
      headers: { ...credentials.headers() },
    }).catch(() => null);
    this.#deleteButton.disabled = false;
    // Another may have been asked for meanwhile.
    if (recording !== this.#recording) return;
    const { text, isGone, needsKey } = explainDeletion(response?.status ?? 0, credentials.isKnown);
    this.#text.textContent = text;
    this.#needKey(needsKey);
    if (needsKey) credentials.forget();
    if (!isGone) return;
    this.#recording = null;
    this.#dialog.close();
    this.#onGone(recording);
  }
}
