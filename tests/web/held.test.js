import test from 'node:test';
import assert from 'node:assert/strict';
import { holdEvents } from '../../web/watch/held.js';
import { withGlobals } from './fakes.js';

/** A page on which things happen, and what it was told of. */
function page(t) {
  const document = Object.assign(new EventTarget(), { body: {} });
  class Element {
    told = [];
    constructor(within = '') {
      this.within = within;
    }
    closest(selector) {
      return selector.split(', ').includes(this.within) ? this : null;
    }
    dispatchEvent({ type }) {
      this.told.push(type);
    }
  }
  class KeyboardEvent extends Event {
    constructor(type, { key, cancelable } = {}) {
      super(type, { cancelable });
      this.key = key;
    }
  }
  withGlobals(t, { document, Element, KeyboardEvent });
  let begun = 0;
  const end = holdEvents(() => (begun += 1));
  const happens = (event, target) => {
    Object.defineProperty(event, 'target', { value: target });
    document.dispatchEvent(event);
    return event;
  };
  return { document, Element, KeyboardEvent, end, happens, begun: () => begun };
}

test('what a person does is held until it can be done, and then done in its order', (t) => {
  const { Element, end, happens, begun } = page(t);
  const button = new Element();
  for (const type of ['pointermove', 'pointerdown', 'click']) happens(new Event(type), button);
  assert.deepEqual([begun(), button.told], [3, []]);
  end(true);
  assert.deepEqual(button.told, ['pointerdown', 'click']);
  // Then the page's own listeners are there.
  happens(new Event('click'), button);
  assert.deepEqual([begun(), button.told.length], [3, 2]);
});

test('what could not be done is forgotten, and the next sign is another attempt', (t) => {
  const { Element, end, happens, begun } = page(t);
  const button = new Element();
  happens(new Event('click'), button);
  end(false);
  happens(new Event('keydown'), button);
  end(true);
  assert.deepEqual([begun(), button.told], [2, ['keydown']]);
});

test("links and forms are the browser's, and keys of the player do not scroll the page", (t) => {
  const { document, Element, KeyboardEvent, end, happens } = page(t);
  const link = new Element('a');
  happens(new Event('click'), link);
  const scrolls = (key, target) => happens(new KeyboardEvent('keydown', { key, cancelable: true }), target).defaultPrevented;
  document.body.dispatchEvent = () => {};
  assert.deepEqual(
    [' ', 'ArrowDown', 'End', 'Tab', 'k'].map((key) => scrolls(key, document.body)),
    [true, true, true, false, false],
  );
  assert.equal(scrolls(' ', new Element()), false);
  end(true);
  assert.deepEqual(link.told, []);
});
