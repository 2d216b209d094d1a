// What this browser has of Media Source Extensions: asked before the player that needs them is loaded.

/**
 * The browser's MediaSource, the managed one where that is all there is (iOS), or null.
 *
 * @returns {typeof MediaSource | null}
 */
export function mediaSourceClass() {
  const { MediaSource: Usual, ManagedMediaSource: Managed } = /** @type {any} */ (globalThis);
  return Usual ?? Managed ?? null;
}

/** @param {string} mime */
export function canPlay(mime) {
  return mediaSourceClass()?.isTypeSupported(mime) ?? false;
}
