// Holds what a person does before the script for it is there, and does it once it is.

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
  /** Each with the value that a field had then. @type {{ event: Event, value: string | null }[]} */
  let held = [];
  let mayWait = true;
  const abort = new AbortController();
  const notice = (/** @type {Event} */ event) => {
    if (HELD.includes(event.type) && !isBrowsers(event)) {
      if (mayWait && isScroll(event)) event.preventDefault();
      held.push({ event, value: event.target instanceof HTMLInputElement ? event.target.value : null });
    }
    begin();
  };
  for (const type of [...HELD, ...SIGNS]) document.addEventListener(type, notice, { capture: true, signal: abort.signal });
  return (isWanted) => {
    const events = held;
    held = [];
    mayWait = isWanted;
    if (!isWanted) return;
    abort.abort();
    for (const { event, value } of events) {
      // The script that is there by now has set the field to the player's own value.
      if (value !== null && event.target instanceof HTMLInputElement) event.target.value = value;
      event.target?.dispatchEvent(copyOf(event));
    }
  };
}

/**
 * Links and forms need nothing of that script.
 *
 * @param {Event} event
 */
function isBrowsers({ target }) {
  return target instanceof Element && target.closest('a, form') !== null;
}

/**
 * A key of the player that would scroll the page. With Ctrl, Alt or Meta it is the browser's.
 *
 * @param {Event} event
 */
function isScroll(event) {
  if (!(event instanceof KeyboardEvent) || event.target !== document.body) return false;
  return SCROLLS.test(event.key) && !(event.ctrlKey || event.altKey || event.metaKey);
}

/** @param {Event} event */
function copyOf(event) {
  const Kind = /** @type {new (type: string, from: EventInit) => Event} */ (event.constructor);
  return new Kind(event.type, event);
}
