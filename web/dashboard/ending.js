// Ending a publisher: asks first, and for the key where one is missing.

import { Credentials } from '../lib/credentials.js';
import { element } from '../lib/element.js';
import { at } from '../lib/place.js';
import { explainEnding } from './words.js';

const WHAT_HAPPENS = 'Its publisher is disconnected and viewers see that the stream has ended. It may come back.';

export class Ending {
  #dialog = element('sure', HTMLDialogElement);
  #text = element('sure-text', HTMLElement);
  #keyPart = element('sure-key', HTMLElement);
  #keyField = element('publish-key', HTMLInputElement);
  #endButton = element('end', HTMLButtonElement);
  #name = '';

  constructor() {
    element('keep', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    element('ending', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#end();
    });
  }

  /** @param {string} name */
  ask(name) {
    this.#name = name;
    element('sure-title', HTMLElement).textContent = `End ${name}?`;
    this.#text.textContent = WHAT_HAPPENS;
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

  async #end() {
    const name = this.#name;
    const credentials = new Credentials('publish', name);
    if (this.#keyField.value !== '') credentials.remember(this.#keyField.value);
    this.#endButton.disabled = true;
    const response = await fetch(at(`api/streams/${encodeURIComponent(name)}`), {
      method: 'DELETE',
      credentials: 'omit',
      headers: { ...credentials.headers() },
    }).catch(() => null);
    this.#endButton.disabled = false;
    // Another may have been asked for meanwhile.
    if (name !== this.#name) return;
    const { text, isEnded, needsKey } = explainEnding(response?.status ?? 0, credentials.isKnown);
    this.#text.textContent = text;
    this.#needKey(needsKey);
    if (needsKey) credentials.forget();
    if (isEnded) this.#dialog.close();
  }
}
