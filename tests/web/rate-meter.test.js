import test from 'node:test';
import assert from 'node:assert/strict';
import { RateMeter } from '../../web/lib/rate-meter.js';

test('a steady flow reads as what it is, also before the window is full', () => {
  const meter = new RateMeter(2000);
  for (let ms = 0; ms <= 1000; ms += 50) meter.add(500, ms);
  assert.ok(Math.abs(meter.bytesPerSecond(1000) - 10_500) < 1);
  for (let ms = 1050; ms <= 8000; ms += 50) meter.add(500, ms);
  assert.ok(Math.abs(meter.bitsPerSecond(8000) - 80_000) < 3000);
});

test('what went by long ago no longer counts', () => {
  const meter = new RateMeter(2000);
  meter.add(1_000_000, 0);
  assert.equal(meter.bytesPerSecond(5000), 0);
  assert.equal(new RateMeter().bytesPerSecond(0), 0);
});
