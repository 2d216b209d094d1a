import test from 'node:test';
import assert from 'node:assert/strict';
import { isStreamName, nameFromPath, plainName, suggestName, toStreamName } from '../../web/lib/stream-name.js';

test('a name has 1 to 64 plain characters, no leading dot and no ending of a file', () => {
  for (const good of ['a', 'A-z_0.9', '-x', '_', 'x'.repeat(64), 'a.b', 'webm', 'a.jpeg', 'a.webm.b']) assert.ok(isStreamName(good), good);
  for (const bad of ['', '.hidden', 'x'.repeat(65), 'a b', 'ä', 'a/b', 'a?', 'my.webm', 'pic.jpg', 'a.mkv', 'a.webp', 'a.jpg.webm'])
    assert.ok(!isStreamName(bad), bad);
});

test('what people type becomes a name', () => {
  assert.equal(toStreamName('My first show!'), 'My-first-show');
  assert.equal(toStreamName('..Café'), 'Cafe');
  assert.equal(toStreamName('日本'), '');
  assert.equal(toStreamName('x'.repeat(80)).length, 64);
  assert.equal(toStreamName('my.webm'), 'my');
  assert.equal(toStreamName('my film.webm.jpg'), 'my-film');
  assert.equal(toStreamName(`${'x'.repeat(59)}.webm-and-more`), 'x'.repeat(59));
});

test('letters of other scripts get their usual spelling', () => {
  for (const [typed, name] of [
    ['Straße', 'Strasse'],
    ['Мой кот', 'Moy-kot'],
    ['Щука', 'Shchuka'],
    ['ЁЛКА', 'YoLKA'],
    ['Київ', 'Kiyiv'],
    ['Ελλάδα', 'Ellada'],
    ['ούζο', 'ouzo'],
    ['Θεσσαλονίκη', 'Thessaloniki'],
    ['Łódź', 'Lodz'],
    ['smørrebrød', 'smorrebrod'],
    ['Überraschung', 'Uberraschung'],
    ['Ærø', 'Aero'],
    ['Phở Việt', 'Pho-Viet'],
    ['ﬁlm １', 'film-1'],
    ['日本 live', 'live'],
  ])
    assert.equal(toStreamName(typed), name, typed);
});

test('the address names the stream', () => {
  assert.equal(nameFromPath('/live/show-1'), 'show-1');
  assert.equal(nameFromPath('/publish/a%2Eb'), 'a.b');
  assert.equal(nameFromPath('/publish/show.webm'), 'show');
  assert.equal(nameFromPath('/live/show.jpg'), null);
  assert.equal(nameFromPath('/live/show.jpg.webm'), null);
  assert.equal(nameFromPath('/live/'), null);
  assert.equal(nameFromPath('/live/%E0%A4%A'), null);
});

test('every suggestion is a good name', () => {
  for (let i = 0; i < 500; i += 1) assert.ok(isStreamName(suggestName()));
  assert.ok(isStreamName(suggestName(() => 0)));
  assert.ok(isStreamName(suggestName(() => 0.999999)));
  assert.match(plainName(), /^stream-[0-9a-f]{4}$/);
  assert.equal(
    plainName(() => 0.01),
    'stream-028f',
  );
});
