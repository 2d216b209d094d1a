// The volume that a person chose, kept for the next stream and the next visit.
//
//   const { volume, isMuted } = rememberedVolume();
//   rememberVolume({ volume: 0.4, isMuted: false });
//
// Storage may be missing, forbidden or full: then nothing is kept.

const SLOT = 'videostream volume';

/** @typedef {{ volume: number, isMuted: boolean }} Volume */

/**
 * What was kept, or full volume.
 *
 * @param {Pick<Storage, 'getItem'> | null} [storage]
 * @returns {Volume}
 */
export function rememberedVolume(storage = localStorageOrNull()) {
  const [volume, muted] = (attempt(() => storage?.getItem(SLOT)) ?? '').split(' ');
  const kept = volume === '' ? NaN : Number(volume);
  return { volume: kept >= 0 && kept <= 1 ? kept : 1, isMuted: muted === 'muted' };
}

/**
 * @param {Volume} volume
 * @param {Pick<Storage, 'setItem'> | null} [storage]
 */
export function rememberVolume({ volume, isMuted }, storage = localStorageOrNull()) {
  attempt(() => storage?.setItem(SLOT, `${Math.round(volume * 100) / 100}${isMuted ? ' muted' : ''}`));
}

function localStorageOrNull() {
  return attempt(() => globalThis.localStorage) ?? null;
}

/**
 * @template T
 * @param {() => T} use
 * @returns {T | null}
 */
function attempt(use) {
  try {
    return use();
  } catch {
    return null;
  }
}
