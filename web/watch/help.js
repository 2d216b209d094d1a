// The keys of the player, in a dialog.

import { closesBeside, make } from '../lib/element.js';
import { HELP } from './keys.js';

/**
 * The lines that are true now. Pure.
 *
 * @param {{ seek: boolean, pip: boolean }} able
 */
export function helpFor(able) {
  return HELP.filter(([, , needs]) => !needs || able[needs]);
}

/** @param {{ seek: boolean, pip: boolean }} able */
export function openHelp(able) {
  const rows = helpFor(able).flatMap(([keys, does]) => [
    make('dt', {}, ...keys.flatMap((key, i) => [...(i ? [' '] : []), make('kbd', {}, key)])),
    make('dd', {}, does),
  ]);
  // A long list begins at its top, also where the window is low.
  const heading = make('h2', { id: 'help-title', tabIndex: -1, autofocus: true }, 'Keys');
  const close = make('button', { className: 'button primary' }, 'Close');
  const dialog = make(
    'dialog',
    { className: 'sure help', 'aria-labelledby': 'help-title' },
    make('div', {}, heading, make('dl', {}, ...rows), make('div', { className: 'sure-actions' }, close)),
  );
  close.onclick = () => dialog.close();
  closesBeside(dialog);
  dialog.addEventListener('keydown', (event) => {
    if (event.key === '?') dialog.close();
  });
  dialog.addEventListener('close', () => dialog.remove());
  // In full screen nothing else is shown.
  (document.fullscreenElement ?? document.body).append(dialog);
  dialog.showModal();
}
