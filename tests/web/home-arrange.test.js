import test from 'node:test';
import assert from 'node:assert/strict';
import { arrange, byName, isSearchable, matching, SEARCH_FROM } from '../../web/home/arrange.js';

const streams = (...names) => names.map((name) => ({ name }));
const namesOf = (list) => list.map(({ name }) => name);

test('numbers in names count by their value, and capitals make no difference', () => {
  const mixed = streams('stream-10', 'Stream-2', 'b', 'cam.20', 'stream-1', 'A', 'cam.3', '10', '9');
  assert.deepEqual(namesOf(byName(mixed)), ['9', '10', 'A', 'b', 'cam.3', 'cam.20', 'stream-1', 'Stream-2', 'stream-10']);
});

test('names that differ in capitals alone have the same order each time', () => {
  for (const names of [
    ['cam', 'Cam', 'CAM'],
    ['CAM', 'cam', 'Cam'],
  ]) {
    assert.deepEqual(namesOf(byName(streams(...names))), ['CAM', 'Cam', 'cam']);
  }
});

test('two hundred cards are arranged in an instant', () => {
  const many = streams(...Array.from({ length: 200 }, (_, i) => `stream-${(i * 7919) % 200}`));
  const cards = arrange([], many, false);
  assert.deepEqual(
    cards.map(({ stream }) => stream.name),
    Array.from({ length: 200 }, (_, i) => `stream-${i}`),
  );
});

test('a search finds names that have all its words', () => {
  const cards = arrange([], streams('front-door', 'back-door', 'Garden'), false);
  const found = (search) => matching(cards, search).map(({ stream }) => stream.name);
  assert.deepEqual(found('DOOR'), ['back-door', 'front-door']);
  assert.deepEqual(found(' door  back'), ['back-door']);
  assert.deepEqual(found('gard'), ['Garden']);
  assert.deepEqual(found('roof'), []);
  assert.equal(found('').length, 3);
});

test('there is a search from twelve streams on, and while it is used', () => {
  const of = (length, search = '') => isSearchable({ streams: streams(...Array(length).keys()), search });
  assert.deepEqual([SEARCH_FROM, of(11), of(12), of(3, 'x')], [12, false, true, true]);
});
