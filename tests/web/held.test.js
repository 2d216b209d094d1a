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
    constructor(type, { key, ctrlKey = false, cancelable } = {}) {
      super(type, { cancelable });
      Object.assign(this, { key, ctrlKey, altKey: false, metaKey: false });
    }
  }
  class HTMLInputElement extends Element {}
  withGlobals(t, { document, Element, HTMLInputElement, KeyboardEvent });
  let begun = 0;
  const end = holdEvents(() => (begun += 1));
  const happens = (event, target) => {
    Object.defineProperty(event, 'target', { value: target });
    document.dispatchEvent(event);
    return event;
  };
  return { document, Element, HTMLInputElement, KeyboardEvent, end, happens, begun: () => begun };
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
  const { document, Element, KeyboardEvent, end, happens, begun } = page(t);
  const button = new Element();
  happens(new Event('click'), button);
  end(false);
  const scroll = new KeyboardEvent('keydown', { key: ' ', cancelable: true });
  assert.equal(happens(scroll, document.body).defaultPrevented, false);
  end(false);
  happens(new Event('keydown'), button);
  end(true);
  assert.deepEqual([begun(), button.told], [3, ['keydown']]);
});

test('a field has the value that it had then', (t) => {
  const { HTMLInputElement, end, happens } = page(t);
  const volume = Object.assign(new HTMLInputElement(), { value: '0.3' });
  const values = [];
  volume.dispatchEvent = () => values.push(volume.value);
  happens(new Event('input'), volume);
  volume.value = '1';
  end(true);
  assert.deepEqual(values, ['0.3']);
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
  const back = happens(new KeyboardEvent('keydown', { key: 'ArrowLeft', ctrlKey: true, cancelable: true }), document.body);
  assert.equal(back.defaultPrevented, false);
  end(true);
  assert.deepEqual(link.told, []);
});
