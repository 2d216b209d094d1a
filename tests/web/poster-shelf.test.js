import test from 'node:test';
import assert from 'node:assert/strict';

let nowMs = 0;
/** @type {string[]} */
let asked = [];
let observer;
let isBroken = false;

class HTMLImageElement {
  src = '';
  hidden = true;
  isWhole = false;
  classList = {
    toggle: (_, isOn) => {
      this.isWhole = isOn;
    },
  };
}
globalThis.HTMLImageElement = HTMLImageElement;
globalThis.IntersectionObserver = class {
  constructor(callback) {
    observer = callback;
  }
  observe() {}
  unobserve() {}
};
globalThis.Image = class {
  naturalWidth = 90;
  naturalHeight = 160;
  #src = '';
  get src() {
    return this.#src;
  }
  set src(url) {
    this.#src = url;
    asked.push(url);
    if (isBroken) this.onerror();
    else this.onload();
  }
};
Object.defineProperty(performance, 'now', { value: () => nowMs });

const { PosterShelf } = await import('../../web/home/poster-shelf.js');

function shelf() {
  asked = [];
  nowMs = 0;
  const image = new HTMLImageElement();
  const item = { querySelector: () => image };
  const posters = new PosterShelf();
  posters.add(item, (version) => `poster?v=${version}`);
  return { posters, item, image, see: (isIntersecting) => observer([{ target: item, isIntersecting }]) };
}

test('a poster out of sight is not asked for', () => {
  const { posters, item, image, see } = shelf();
  posters.update(item, 'a');
  assert.deepEqual(asked, []);
  see(true);
  assert.deepEqual(asked, ['poster?v=a']);
  assert.ok(!image.hidden && image.isWhole);
});

test('a poster that has not changed is not asked for again', () => {
  const { posters, item, see } = shelf();
  see(true);
  for (nowMs = 0; nowMs < 120_000; nowMs += 4000) posters.update(item, 'a');
  assert.deepEqual(asked, ['poster?v=a']);
});

test('a poster that changes each second is asked for now and then', () => {
  const { posters, item, see } = shelf();
  see(true);
  for (nowMs = 0; nowMs < 60_000; nowMs += 4000) posters.update(item, `v${nowMs}`);
  assert.deepEqual(
    asked,
    ['v0', 'v16000', 'v32000', 'v48000'].map((version) => `poster?v=${version}`),
  );
  see(false);
  nowMs = 100_000;
  posters.update(item, 'later');
  assert.equal(asked.length, 4);
});

test('a poster that could not be loaded is asked for again', () => {
  const { posters, item, image, see } = shelf();
  isBroken = true;
  see(true);
  posters.update(item, 'a');
  assert.ok(image.hidden);
  isBroken = false;
  nowMs = 16_000;
  posters.update(item, 'a');
  assert.deepEqual([asked.length, image.hidden], [2, false]);
});
