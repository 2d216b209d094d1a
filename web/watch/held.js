// What a person does before the script for it is there: held, and done once it is.

const HELD = ['pointerdown', 'click', 'dblclick', 'keydown', 'input', 'change'];
/** These tell that a person is about to do something. */
const SIGNS = ['pointermove', 'focusin'];
/** Keys of the player that would scroll the page meanwhile. */
const SCROLLS = /^( |Arrow.*|Home|End)$/;

/**
 * Calls `begin` with each sign of a person. Returns what ends that, and does what was held where it is wanted.
 *
 * @param {() => void} begin
 * @returns {(isWanted: boolean) => void}
 */
export function holdEvents(begin) {
  /** @type {Event[]} */
  let held = [];
  const abort = new AbortController();
  const notice = (/** @type {Event} */ event) => {
    if (HELD.includes(event.type) && !isBrowsers(event)) held.push(event);
    begin();
  };
  for (const type of [...HELD, ...SIGNS]) document.addEventListener(type, notice, { capture: true, signal: abort.signal });
  return (isWanted) => {
    const events = held;
    held = [];
    if (!isWanted) return;
    abort.abort();
    for (const event of events) event.target?.dispatchEvent(copyOf(event));
  };
}

/**
 * Links and fields need no script of ours.
 *
 * @param {Event} event
 */
function isBrowsers(event) {
  if (event.target instanceof Element && event.target.closest('a, form')) return true;
  if (event instanceof KeyboardEvent && event.target === document.body && SCROLLS.test(event.key)) event.preventDefault();
  return false;
}

/** @param {Event} event */
function copyOf(event) {
  const Kind = /** @type {new (type: string, from: EventInit) => Event} */ (event.constructor);
  return new Kind(event.type, event);
}
