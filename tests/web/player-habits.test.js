// What well-known players do, and people expect: keys, volume that stays, a picture to keep, media keys.

import test from 'node:test';
import assert from 'node:assert/strict';
import { rememberedVolume, rememberVolume } from '../../web/lib/volume.js';
import { announceMedia } from '../../web/player/media-session.js';
import { snapshotName } from '../../web/player/snapshot.js';
import { othersOf } from '../../web/watch/also-live.js';
import { helpFor } from '../../web/watch/help.js';
import { actionFor, HELP } from '../../web/watch/keys.js';
import { barsOf } from '../../web/watch/sound-view.js';
import { withGlobals } from './fakes.js';

const press = (key, place = 'page', more = {}) => actionFor({ key, ...more }, place);

test('keys do what they do in well-known players, with caps lock as well', () => {
  for (const key of [' ', 'k', 'K']) assert.deepEqual(press(key), { does: 'toggle' });
  for (const [key, does] of Object.entries({ m: 'mute', F: 'fullscreen', i: 'pip', P: 'pip', s: 'stats', ArrowUp: 'louder' })) {
    assert.deepEqual(press(key), { does });
  }
  assert.deepEqual(press('?'), { does: 'help' });
  assert.deepEqual(press('/', 'page', { shiftKey: true }), { does: 'help' });
  assert.equal(press('/'), null);
  assert.deepEqual(press('ArrowLeft'), { does: 'seek', byMs: 5000 });
  assert.deepEqual(press('Home'), { does: 'seek', byMs: Infinity });
  for (const key of ['l', 'L', 'End']) assert.deepEqual(press(key), { does: 'seek', byMs: -Infinity });
});

test('keys stay with the browser while a person types, works a control, or holds another key', () => {
  for (const key of ['k', ' ', '?', 'ArrowLeft']) assert.equal(press(key, 'field'), null);
  for (const held of ['ctrlKey', 'altKey', 'metaKey', 'isComposing']) assert.equal(press('f', 'page', { [held]: true }), null);
  assert.equal(press(' ', 'button'), null);
  assert.deepEqual(press('ArrowLeft', 'button'), { does: 'seek', byMs: 5000 });
  assert.equal(press('ArrowUp', 'slider'), null);
  assert.deepEqual(press('m', 'slider'), { does: 'mute' });
  assert.deepEqual(press('PageUp', 'bar'), { does: 'seek', byMs: -60_000 });
  assert.equal(press('Enter', 'button'), null);
  // A key that is held down.
  assert.equal(press('k', 'page', { repeat: true }), null);
  assert.deepEqual(press('ArrowUp', 'page', { repeat: true }), { does: 'louder' });
});

test('the help names each key that works, and no other', () => {
  const keys = (able) => helpFor(able).flatMap(([names]) => names);
  assert.equal(keys({ seek: true, pip: true }).length, HELP.flatMap(([names]) => names).length);
  assert.ok(!keys({ seek: false, pip: false }).some((key) => ['I', 'J', 'Home', 'L'].includes(key)));
  const arrows = { '←': 'ArrowLeft', '→': 'ArrowRight', '↑': 'ArrowUp', '↓': 'ArrowDown', Space: ' ' };
  for (const key of keys({ seek: true, pip: true })) assert.ok(press(arrows[key] ?? key), key);
});

test('the chosen volume stays, also where there is no storage', () => {
  const kept = new Map();
  const storage = { getItem: (slot) => kept.get(slot) ?? null, setItem: (slot, text) => kept.set(slot, text) };
  assert.deepEqual(rememberedVolume(storage), { volume: 1, isMuted: false });
  rememberVolume({ volume: 0.8000001, isMuted: true }, storage);
  assert.deepEqual(rememberedVolume(storage), { volume: 0.8, isMuted: true });
  rememberVolume({ volume: 0, isMuted: false }, storage);
  assert.deepEqual(rememberedVolume(storage), { volume: 0, isMuted: false });
  for (const text of ['loud', '7', '-1', 'NaN muted']) {
    assert.equal(rememberedVolume({ getItem: () => text }).volume, 1, text);
  }
  const denied = {
    getItem() {
      throw new Error('denied');
    },
    setItem() {
      throw new Error('full');
    },
  };
  assert.deepEqual(rememberedVolume(denied), { volume: 1, isMuted: false });
  rememberVolume({ volume: 0.5, isMuted: false }, denied);
  assert.deepEqual(rememberedVolume(null), { volume: 1, isMuted: false });
});

test('media keys reach the player, and a browser that knows fewer of them is no fault', (t) => {
  const handlers = {};
  const mediaSession = {
    setActionHandler(action, handler) {
      if (action === 'stop') throw new TypeError('unknown');
      handlers[action] = handler;
    },
  };
  withGlobals(t, {
    navigator: { mediaSession },
    MediaMetadata: class {
      constructor(facts) {
        Object.assign(this, facts);
      }
    },
  });
  const done = [];
  const on = { play: () => done.push('play'), pause: () => done.push('pause') };
  const tell = announceMedia({ title: 'demo', artist: 'host', poster: '/live/demo/poster' }, on);
  handlers.pause();
  handlers.play();
  tell('paused');
  assert.deepEqual([done, mediaSession.playbackState, mediaSession.metadata.title], [['pause', 'play'], 'paused', 'demo']);
});

test('a saved picture is named after its stream and time', () => {
  assert.equal(snapshotName('demo', new Date(2026, 10, 9, 8, 3, 29)), 'demo-2026-11-09T08-03-29.png');
});

test('other streams come with most viewers first, in natural order, and only so many', () => {
  const streams = [10, 2, 1].map((n) => ({ name: `room-${n}`, viewers: 0, uptime_s: 1 }));
  const busy = { name: 'busy', viewers: 5, uptime_s: 1 };
  const named = (list) => list.map(({ name }) => name);
  assert.deepEqual(named(othersOf([...streams, busy], 'room-2')), ['busy', 'room-1', 'room-10']);
  assert.equal(
    othersOf(
      Array.from({ length: 30 }, (_, i) => ({ ...busy, name: String(i) })),
      '1',
    ).length,
    8,
  );
});

test('a tone raises the bar of its octave', () => {
  const spectrum = new Uint8Array(1024);
  spectrum[Math.round((440 * 2048) / 48_000)] = 255;
  const bars = barsOf(spectrum, 48_000);
  assert.deepEqual([bars.length, bars.filter(Boolean).length > 0], [32, true]);
  const at = bars.indexOf(1);
  assert.ok(at > 8 && at < 16, `${at}`);
  assert.deepEqual(barsOf(new Uint8Array(1024), 48_000, 3), [0, 0, 0]);
});
