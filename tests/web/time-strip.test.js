import test from 'node:test';
import assert from 'node:assert/strict';
import { CELLS, encodeTime, stripAgeMs } from '../../web/lib/time-strip.js';

const lit = (cells, light = 235, dark = 20) => cells.map((isLight) => (isLight ? light : dark));
const NOW = 1_795_000_000_123;

test('a strip tells how old the picture is', () => {
  assert.equal(encodeTime(NOW).length, CELLS);
  for (const age of [0, 1, 217, 4000, 3_600_000]) assert.equal(stripAgeMs(lit(encodeTime(NOW - age)), NOW), age);
  assert.equal(stripAgeMs(lit(encodeTime(NOW + 40)), NOW), -40);
});

test('the age holds over the turn of the counter', () => {
  const turn = 2 ** 24 * 107_000;
  assert.equal(stripAgeMs(lit(encodeTime(turn - 100)), turn + 150), 250);
});

test('noise and blur do not matter as long as light is lighter', () => {
  const cells = lit(encodeTime(NOW - 300), 180, 70).map((value, i) => value + ((i * 37) % 40) - 20);
  assert.equal(stripAgeMs(cells, NOW), 300);
});

test('other pictures are no strip', () => {
  assert.equal(stripAgeMs(Array(32).fill(128), NOW), null);
  assert.equal(stripAgeMs([], NOW), null);
  const broken = lit(encodeTime(NOW));
  broken[9] = 255 - broken[9];
  assert.equal(stripAgeMs(broken, NOW), null);
});
