import test from 'node:test';
import assert from 'node:assert/strict';
import { SrcPlayer } from '../../web/player/src-player.js';
import { Clock, FakeVideo } from './fakes.js';

const URL_ = 'http://host/video/live/show.webm?key=k';

function player(t) {
  const clock = new Clock(t);
  t.mock.method(Date, 'now', () => clock.nowMs);
  const video = new FakeVideo();
  const heard = [];
  const it = new SrcPlayer(video, { ready: () => heard.push('ready'), lost: () => heard.push('lost') }, URL_);
  t.after(() => it.destroy());
  const data = (...range) => {
    video.readyState = 3;
    video.ranges = [range];
    video.say('loadeddata');
  };
  return { it, video, clock, heard, data };
}

/** The cache-buster of the address that is loaded. */
const loadedAt = (video) => Number(new URL(video.src).searchParams.get('cache'));

test('each load has an address of its own, and keeps the key', (t) => {
  const { it, video, clock } = player(t);
  assert.equal(video.src, `${URL_}&cache=100000`);
  clock.pass(500);
  it.catchUp();
  assert.equal(video.src, `${URL_}&cache=100500`);
});

test('playback enters where the data begins, rather than waiting for it', (t) => {
  const { video, data, heard } = player(t);
  data(3600, 3604);
  assert.equal(video.currentTime, 3600);
  assert.deepEqual(heard, ['ready']);
});

test('playback that begins near the data is left alone', (t) => {
  const { video, data } = player(t);
  data(0.2, 4);
  assert.equal(video.currentTime, 0);
  video.currentTime = 3600.5;
  data(3600, 3604);
  assert.equal(video.currentTime, 3600.5);
});

test('data without a range enters nowhere', (t) => {
  const { video, heard } = player(t);
  video.say('loadeddata');
  assert.deepEqual([video.currentTime, heard], [0, ['ready']]);
});

test('a response that ends, or fails, is asked for again, later each time', (t) => {
  t.mock.method(Math, 'random', () => 1);
  const { video, clock, heard } = player(t);
  for (const [type, waitMs] of [
    ['ended', 250],
    ['error', 500],
    ['error', 1000],
  ]) {
    const before = loadedAt(video);
    video.say(type);
    clock.pass(waitMs - 10);
    assert.equal(loadedAt(video), before, type);
    clock.pass(10);
    assert.equal(loadedAt(video), clock.nowMs, type);
  }
  assert.deepEqual(heard, ['lost', 'lost', 'lost']);
});

test('data begins the delays anew', (t) => {
  t.mock.method(Math, 'random', () => 1);
  const { video, clock, data } = player(t);
  for (let i = 0; i < 5; i += 1) video.say('error');
  data(0, 1);
  video.say('ended');
  clock.pass(250);
  assert.equal(loadedAt(video), clock.nowMs);
});

test('playback that stops although data came is asked for again, and a paused one is not', (t) => {
  const { video, clock, data, heard } = player(t);
  data(0, 1);
  video.paused = true;
  clock.pass(20_000);
  assert.deepEqual(heard, ['ready']);
  video.paused = false;
  clock.pass(10_000);
  assert.deepEqual(heard, ['ready']);
  clock.pass(500);
  assert.deepEqual(heard, ['ready', 'lost']);
});

test('a player far behind plays faster, and never seeks', (t) => {
  const { video, clock, data } = player(t);
  data(0, 10);
  clock.pass(1000, () => {
    video.currentTime += 0.01;
  });
  assert.ok(video.playbackRate > 1, String(video.playbackRate));
  assert.ok(video.currentTime < 1.1);
});

test('figures tell what lies ahead', (t) => {
  const { it, video, data } = player(t);
  assert.deepEqual([it.stats().latency_ms, it.stats().buffer_ms, it.stats().ranges], [null, 0, []]);
  data(0, 4);
  video.currentTime = 1;
  const { player: kind, latency_ms, buffer_ms, target_ms, ranges } = it.stats();
  assert.deepEqual([kind, latency_ms, buffer_ms, target_ms, ranges], ['src', 3000, 3000, 1000, [[0, 4]]]);
});

test('a player that is done asks for nothing, and reports nothing', (t) => {
  const { it, video, clock, heard } = player(t);
  video.say('error');
  it.destroy();
  clock.pass(20_000);
  video.say('error');
  assert.deepEqual([video.src, video.loads, heard], ['', 1, ['lost']]);
});
