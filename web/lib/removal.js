// Asks before something of a stream is ended or deleted, and for the publish key where one is needed.
//
// The page has a dialog `sure` for it: `sure-form`, `sure-text`, `sure-key`, `publish-key`, `keep`, `go`.
//
//   removal.ask({ stream: 'demo', path: at('api/streams/demo'), text: 'What happens.', done: () => … });

import { Credentials } from './credentials.js';
import { element } from './element.js';

/**
 * @typedef {object} Wanted
 * @property {string} stream whose key it needs
 * @property {string} path what gets a DELETE
 * @property {string} text what happens then
 * @property {() => void} [done]
 */

export class Removal {
  #dialog = element('sure', HTMLDialogElement);
  #text = element('sure-text', HTMLElement);
  #keyPart = element('sure-key', HTMLElement);
  #keyField = element('publish-key', HTMLInputElement);
  #goButton = element('go', HTMLButtonElement);
  /** @type {Wanted | null} */
  #wanted = null;

  constructor() {
    element('keep', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    element('sure-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#remove();
    });
  }

  /** @param {Wanted} wanted */
  ask(wanted) {
    this.#wanted = wanted;
    this.#text.textContent = wanted.text;
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

  async #remove() {
    const wanted = this.#wanted;
    if (wanted === null) return;
    const credentials = new Credentials('publish', wanted.stream);
    if (this.#keyField.value !== '') credentials.remember(this.#keyField.value);
    this.#goButton.disabled = true;
    const response = await fetch(wanted.path, {
      method: 'DELETE',
      credentials: 'omit',
      headers: { ...credentials.headers() },
    }).catch(() => null);
    this.#goButton.disabled = false;
    // Another may have been asked for meanwhile.
    if (wanted !== this.#wanted) return;
    const { text, isDone, needsKey } = explainRemoval(response?.status ?? 0, credentials.isKnown);
    this.#text.textContent = text;
    this.#needKey(needsKey);
    if (needsKey) credentials.forget();
    if (!isDone) return;
    this.#wanted = null;
    this.#dialog.close();
    wanted.done?.();
  }
}

/**
 * What came of the request, and what to do.
 *
 * @param {number} status of the answer; 0 without one
 * @param {boolean} hasKey whether the request showed a key or a token
 * @returns {{ text: string, isDone: boolean, needsKey: boolean }}
 */
export function explainRemoval(status, hasKey) {
  const stays = (/** @type {string} */ text, needsKey = false) => ({ text, isDone: false, needsKey });
  switch (status) {
    case 204:
    case 404:
      return { text: '', isDone: true, needsKey: false };
    case 401:
    case 403:
      if (!hasKey) return stays('This needs the key for publishing. Enter it.', true);
      return stays('This key does not allow it. Enter the key for publishing.', true);
    case 409:
      return stays('It is still being recorded. End the stream or its recording, then delete it.');
    case 500:
      return stays('The server could not do it. Its log has the reason.');
    case 503:
      return stays('The server is busy. Try again in a moment.');
    default:
      return stays('The server did not answer. Try again.');
  }
}
