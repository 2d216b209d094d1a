// The audio element by which media keys reach a page that plays through Web Audio.

import test from 'node:test';
import assert from 'node:assert/strict';
import { faintTone, SessionAudio } from '../../web/player/session-audio.js';
import { withGlobals } from './fakes.js';

/** As far as it is used here. Events of `play` and `pause` come when a test says so, as a browser's come later. */
class FakeAudio {
  static made = [];
  paused = true;
  muted = false;
  playbackRate = 1;
  currentTime = 0;
  refuses = false;

  constructor(url) {
    this.url = url;
    FakeAudio.made.push(this);
  }

  async play() {
    if (this.refuses) throw new DOMException('not before a tap', 'NotAllowedError');
    this.paused = false;
  }

  pause() {
    this.paused = true;
  }

  passes(seconds) {
    this.currentTime += seconds * this.playbackRate;
    this.ontimeupdate();
  }
}

function sessionAudio(t) {
  FakeAudio.made = [];
  withGlobals(t, { Audio: FakeAudio });
  const done = [];
  const session = new SessionAudio({ play: () => done.push('play'), pause: () => done.push('pause') });
  return { done, tell: (isPlaying, isMuted = false) => session.tell({ isPlaying, isMuted }) };
}

test('the element starts and pauses with the page, and stands once it was heard', (t) => {
  const { tell } = sessionAudio(t);
  tell(true);
  const [audio] = FakeAudio.made;
  assert.deepEqual([audio.paused, audio.playbackRate, audio.muted, audio.loop], [false, 1, false, true]);
  audio.passes(0.1);
  assert.equal(audio.playbackRate, 1);
  audio.passes(0.25);
  assert.equal(audio.playbackRate, 0);
  tell(false);
  assert.equal(audio.paused, true);
  tell(true);
  assert.deepEqual([audio.paused, audio.playbackRate, audio.currentTime], [false, 1, 0]);
  assert.equal(FakeAudio.made.length, 1);
});

test('a page that plays nothing aloud gets no element', (t) => {
  const { tell } = sessionAudio(t);
  tell(false);
  tell(true, true);
  tell(false, true);
  assert.equal(FakeAudio.made.length, 0);
  tell(true, true);
  tell(true);
  assert.equal(FakeAudio.made.length, 1);
});

test('the element is muted with the page, and heard once more when the page is', (t) => {
  const { tell } = sessionAudio(t);
  tell(true);
  const [audio] = FakeAudio.made;
  audio.passes(0.25);
  tell(true, true);
  assert.deepEqual([audio.muted, audio.paused], [true, false]);
  audio.passes(0.25);
  tell(true);
  assert.deepEqual([audio.muted, audio.playbackRate], [false, 1]);
});

test('the same state again starts and pauses nothing, also after the browser refused to play', async (t) => {
  const { tell, done } = sessionAudio(t);
  tell(true);
  const [audio] = FakeAudio.made;
  audio.passes(0.25);
  tell(true);
  assert.equal(audio.playbackRate, 0);
  tell(false);
  audio.refuses = true;
  tell(true);
  await null;
  audio.refuses = false;
  tell(true);
  assert.equal(audio.paused, true);
  assert.deepEqual(done, []);
});

test('the page pauses and goes on when the browser pauses the element by itself and lets it go on', (t) => {
  const { tell, done } = sessionAudio(t);
  tell(true);
  const [audio] = FakeAudio.made;
  audio.onplay();
  audio.pause();
  audio.onpause();
  assert.deepEqual(done, ['pause']);
  tell(false);
  audio.paused = false;
  audio.onplay();
  assert.deepEqual(done, ['pause', 'play']);
});

test('events that come late, when the page has changed its mind, do nothing', (t) => {
  const { tell, done } = sessionAudio(t);
  tell(true);
  const [audio] = FakeAudio.made;
  tell(false);
  tell(true);
  audio.onpause();
  tell(false);
  audio.onplay();
  assert.deepEqual(done, []);
});

test('the sound is a WAV file, longer than what browsers take for the sound of a button, and faint', () => {
  const wav = faintTone();
  const text = (from, to) => Buffer.from(wav.buffer).toString('latin1', from, to);
  assert.deepEqual([text(0, 4), text(8, 16), text(36, 40)], ['RIFF', 'WAVEfmt ', 'data']);
  const [size, rate, bytesPerSecond, dataSize] = [4, 24, 28, 40].map((at) => wav.getUint32(at, true));
  const [format, channels, bytesPerSample, bits] = [20, 22, 32, 34].map((at) => wav.getUint16(at, true));
  assert.deepEqual([format, channels, bytesPerSample, bits, bytesPerSecond], [1, 1, 2, 16, 2 * rate]);
  assert.deepEqual([size, dataSize], [wav.byteLength - 8, wav.byteLength - 44]);
  assert.ok(dataSize / bytesPerSecond > 5);
  const samples = Array.from({ length: dataSize / 2 }, (_, i) => wav.getInt16(44 + 2 * i, true));
  const peakDb = 20 * Math.log10(Math.max(...samples) / 0x8000);
  assert.ok(peakDb > -72 && peakDb < -60, `${peakDb} dB`);
});
