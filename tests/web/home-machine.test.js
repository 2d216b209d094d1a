import test from 'node:test';
import assert from 'node:assert/strict';
import { next, start, STATES } from '../../web/home/machine.js';

const before = start('quiet-harbor-27', 'stream-7f3a');
const stream = (name, uptime_s, more = {}) => ({ name, uptime_s, live: true, viewers: 1, ...more });
const listed = (streams, more = {}) => ({ type: 'listed', streams, isLocked: false, hasKey: false, ...more });
const names = ({ streams }) => streams.map(({ name }) => name);

const EVENTS = [
  [listed([]), 'empty'],
  [listed([stream('a', 1)]), 'live'],
  [listed([], { isLocked: true }), 'locked'],
  [listed([stream('a', 1)], { isLocked: true }), 'live'],
  [{ type: 'refused', hasKey: true }, 'locked'],
  [{ type: 'unanswered' }, 'unreachable'],
];

test('every list leads to its state from every other', () => {
  for (const name of STATES) {
    for (const [event, expected] of EVENTS) {
      assert.equal(next({ ...before, name }, event).name, expected, `${name} ${event.type}`);
    }
  }
});

test('a name leaves the state of the list as it is', () => {
  for (const name of STATES) {
    for (const event of [
      { type: 'typed', value: 'show' },
      { type: 'named', name: 'show' },
    ]) {
      const state = next({ ...before, name }, event);
      assert.deepEqual([state.name, state.value, state.typed], [name, 'show', 'show']);
    }
  }
});

test('an event that is none throws', () => {
  assert.throws(() => next(before, { type: 'listened' }), /no event/);
});

test('streams stand by name, whatever the order of the list, and those off air do not', () => {
  const state = next(before, listed([stream('stream-10', 50), stream('off', 99, { live: false }), stream('stream-2', 5)]));
  assert.deepEqual(names(state), ['stream-2', 'stream-10']);
});

test('cards stay where they are while a person is at the list', () => {
  const cardNames = ({ cards }) => cards.map(({ stream: { name }, isGone }) => (isGone ? `(${name})` : name));
  let state = next(before, listed([stream('b', 1), stream('d', 1)]));
  state = next(state, { type: 'held', isHeld: true });
  state = next(state, listed([stream('d', 5), stream('c', 1), stream('a', 1)]));
  assert.deepEqual(cardNames(state), ['(b)', 'd', 'a', 'c']);
  assert.equal(state.cards[1].stream.uptime_s, 5);
  // The last one ends too.
  assert.deepEqual(cardNames(next(state, listed([]))), ['(b)', '(d)', '(a)', '(c)']);
  state = next(state, listed([stream('b', 0), stream('d', 6)]));
  assert.deepEqual(cardNames(state), ['b', 'd', '(a)', '(c)']);
  assert.deepEqual(cardNames(next(state, { type: 'held', isHeld: false })), ['b', 'd']);
});

test('a key that was given is being tried until the list answers', () => {
  const locked = next(before, listed([], { isLocked: true }));
  const trying = next(locked, { type: 'keyGiven' });
  assert.ok(trying.isTrying && !locked.isTrying);
  for (const event of [listed([]), { type: 'refused', hasKey: true }, { type: 'unanswered' }]) {
    assert.ok(!next(trying, event).isTrying, event.type);
  }
});

test('a server that does not answer leaves the streams that were seen', () => {
  const seen = next(before, listed([stream('a', 1)], { isLocked: true }));
  const state = next(seen, { type: 'unanswered' });
  assert.deepEqual([names(state), state.isLocked], [['a'], true]);
});

/** What the field holds after letters were put into it, one after another. */
function type(letters) {
  let state = next(before, { type: 'typed', value: '' });
  for (const letter of letters) state = next(state, { type: 'typed', value: state.value + letter });
  return state;
}

test('typed letters become the name, and the typed text is kept', () => {
  assert.deepEqual([type('Мой кот').value, type('Мой кот').typed], ['Moy-kot', 'Мой кот']);
  assert.equal(type('日本').value, '日本');
  assert.deepEqual([type('show.webm').value, type('show.webm').typed], ['show', 'show.webm']);
});

test('a shorter text is taken as it is', () => {
  const state = next(type('Straße'), { type: 'typed', value: 'Stra' });
  assert.deepEqual([state.value, state.typed], ['Stra', 'Stra']);
});
