import test from 'node:test';
import assert from 'node:assert/strict';
import { briefWordsFor, countdown, delayText } from '../../web/watch/brief-words.js';
import * as watch from '../../web/watch/words.js';
import { STATES as WATCH_STATES } from '../../web/watch/states.js';
import { smoother } from '../../web/watch/links.js';
import * as publish from '../../web/publish/words.js';
import { isOnAir, STATES as PUBLISH_STATES } from '../../web/publish/machine.js';
import { explainCaptureError, explainMissing } from '../../web/publisher/capture.js';
import { choiceFrom, edgesOf } from '../../web/publish/settings.js';
import { embedCode } from '../../web/lib/share-panel.js';
import { statsRows } from '../../web/watch/stats-panel.js';
import { PosterTimes, posterSize } from '../../web/publisher/poster.js';

const isSentence = ({ title, text }) => {
  assert.match(title, /[.?]$/);
  if (text) assert.match(text, /[.=?]$/);
};

test('every state of the viewer page has whole sentences', () => {
  for (const state of WATCH_STATES) isSentence(watch.wordsFor(state, { name: 'show' }));
  isSentence(watch.wordsFor('playing', { name: 'show', isPaused: true }));
  isSentence(watch.wordsFor('playing', { name: 'show', isPaused: true, isBlocked: true }));
  isSentence(watch.wordsFor('locked', { name: 'show', isWrongKey: true }));
  isSentence(watch.wordsFor('waiting', { name: 'show', wasOnAir: true }));
  for (const hitch of watch.HITCHES) isSentence(watch.wordsFor('playing', { name: 'show', hitch }));
  assert.throws(() => watch.wordsFor('lost', {}));
});

test('every state of the publisher page has whole sentences and an action', () => {
  for (const state of PUBLISH_STATES) {
    for (const source of ['camera', 'screen', 'test', null]) {
      isSentence(publish.wordsFor(state, { source }));
      isSentence(publish.wordsFor(state, { source, hasPreview: source !== null }));
      assert.ok(publish.actionFor(state).label);
    }
  }
  assert.throws(() => publish.wordsFor('gone'));
});

test('only a playing stream is called live, and a planned end is called an end', () => {
  for (const hitch of watch.HITCHES.filter(Boolean)) {
    assert.doesNotMatch(watch.wordsFor('playing', { name: 'show', hitch }).title, /watching live/);
  }
  assert.equal(watch.wordsFor('ended', { name: 'show', hasEnded: true }).title, 'show has ended.');
  assert.match(watch.wordsFor('playing', { name: 'show', hitch: 'slow' }).title, /too slow for this stream/);
  assert.match(watch.wordsFor('playing', { name: 'show', hitch: 'device' }).title, /^This device is too slow/);
  assert.equal(watch.wordsFor('locked', { name: 'show' }).title, 'This stream needs a key.');
  assert.equal(watch.wordsFor('locked', { name: 'show', isWrongKey: true }).title, 'That key is wrong.');
});

test('an unplayable codec is named, and no browser is recommended', () => {
  const names = { hvc1: /HEVC/, avc1: /H\.264/, mjpeg: /Motion JPEG/ };
  for (const [codec, pattern] of Object.entries(names)) {
    const words = watch.explainUnplayable(`video/x-matroska;codecs="${codec}"`, [codec]);
    isSentence(words);
    assert.match(words.text, pattern);
    assert.match(words.text, /VLC/);
    assert.doesNotMatch(words.text, /Chrome|Firefox/);
  }
  const wrapped = (encoding) => watch.explainUnplayable('video/webm;codecs="vp8"', ['vp8'], [{ encoding }]).text;
  assert.match(wrapped('compressed'), /compressed tracks \(VP8\)/);
  assert.match(wrapped('encrypted'), /encrypted tracks/);
  assert.match(watch.explainMissing('audio', ['mp4a.40.2']), /no sound: it is in AAC/);
});

test('a source that gives nothing, and an upload that is too slow, are named as such', () => {
  for (const source of ['camera', 'screen', 'test']) {
    for (const missing of ['picture', 'sound', 'recorder']) isSentence(publish.wordsFor('silent', { source, missing }));
  }
  assert.equal(publish.wordsFor('silent', { source: 'camera', missing: 'picture' }).title, 'Nothing comes from the camera.');
  assert.equal(publish.wordsFor('slow', { behindMs: 3200 }).title, 'Your upload is too slow: 3 s behind.');
  isSentence(publish.wordsFor('slow', { behindMs: 900, isDraining: true }));
  isSentence(publish.wordsFor('stuck', { behindMs: 4000 }));
  assert.match(publish.wordsFor('taken', { name: 'show' }).title, /^show is on air now\.$/);
});

test('what viewers do not get, and a lower quality, is said while all is well', () => {
  const live = (facts) => publish.wordsFor('live', { source: 'camera', ...facts }).text;
  assert.equal(live({}), '');
  assert.equal(live({ isMuted: true }), 'Viewers hear nothing: you are muted.');
  assert.equal(live({ isHidden: true }), 'Viewers see black: your picture is hidden.');
  assert.equal(live({ isMuted: true, isHidden: true }), 'Viewers see black and hear nothing.');
  assert.match(live({ sound: 'silent' }), /^No sound comes from the microphone/);
  assert.match(live({ sound: 'loud' }), /too loud/);
  assert.match(live({ isReduced: true }), /quality is lower/);
  // A person who muted knows why nothing is heard, and a screen may well be silent.
  assert.match(live({ isMuted: true, sound: 'silent' }), /you are muted/);
  assert.equal(live({ source: 'screen', sound: 'silent' }), '');
  assert.match(publish.wordsFor('idle', { source: 'camera', hasPreview: true, sound: 'silent' }).text, /microphone/);
  for (const facts of [{ sound: 'silent' }, { isReduced: true }]) isSentence(publish.wordsFor('live', { source: 'camera', ...facts }));
});

test('Stop tells how many it ends the stream for', () => {
  assert.equal(publish.stopWarning(0), 'It goes off air at once.');
  assert.equal(publish.stopWarning(1), '1 viewer is watching. For them it ends at once.');
  assert.equal(publish.stopWarning(3), '3 viewers are watching. For them it ends at once.');
});

test('a device that is missing is named, with what viewers lack', () => {
  const said = (what, reason, source = 'camera') => explainMissing({ what, reason }, source);
  assert.equal(said('microphone', 'NotFoundError'), 'No microphone was found, so your stream is silent.');
  assert.match(said('microphone', 'NotAllowedError'), /^The microphone is blocked, so your stream is silent\. Allow it/);
  assert.match(said('microphone', 'NotReadableError', 'screen'), /in use by another program, so viewers do not hear you\./);
  assert.equal(said('camera', 'NotFoundError'), 'No camera was found, so viewers do not see you.');
  assert.match(said('camera', 'TypeError'), /^The camera did not open, so viewers do not see you\./);
});

test('the code for another page has the link and a title', () => {
  const code = embedCode('https://host/video/live/demo', 'demo');
  assert.match(code, /^<iframe src="https:\/\/host\/video\/live\/demo\?embed" title="demo" [^>]*><\/iframe>$/);
});

test('the address chooses size, rate and what goes beside a screen, within limits', () => {
  const choice = (query) => choiceFrom(new URLSearchParams(query));
  assert.deepEqual(edgesOf(choice('size=640x360').size), { width: 640, height: 360 });
  assert.deepEqual(edgesOf(choice('size=0x1').size), { width: 1280, height: 720 });
  assert.deepEqual([choice('fps=60').fps, choice('fps=9999').fps, choice('fps=x').fps], [60, 120, 30]);
  assert.deepEqual([choice('kbps=1').kbps, choice('kbps=600').kbps, choice('').kbps], [100, 600, 2500]);
  assert.deepEqual(
    [choice('microphone&corner').withMicrophone, choice('').withCamera, choice('mirror=0').isMirrored],
    [true, false, false],
  );
});

test('only a stream that arrives has the badge Live', () => {
  for (const state of PUBLISH_STATES) assert.equal(publish.badgeFor(state) === 'Live', state === 'live', state);
  assert.equal(publish.badgeFor('slow', { behindMs: 2600 }), '3 s behind');
  assert.equal(publish.badgeFor('silent', { missing: 'sound' }), 'No sound');
});

test('warnings of the server are sentences, known or not', () => {
  for (const code of ['keyframe-interval', 'timestamps', 'tracks', 'text', 'recording', 'new']) {
    assert.match(publish.explainWarning({ code, message: 'send binary messages' }), /^[A-Z].*\.$/);
  }
});

test('a recording that the server refuses is explained in a sentence', () => {
  for (const status of [0, 401, 403, 404, 409, 500]) {
    assert.match(publish.explainRecording(status), /^[A-Z].*\.$/);
  }
});

test('a wrong key and a missing key have different sentences', () => {
  assert.match(publish.explainRefusal(401).title, /needs a key/);
  assert.match(publish.explainRefusal(401, { hadKey: true }).title, /not the right one/);
  assert.ok(publish.explainRefusal(401, { hadKey: true }).wantsKey);
});

test('capture errors name the cause and the next step', () => {
  const names = ['NotAllowedError', 'NotReadableError', 'NotFoundError', 'SecurityError', 'AbortError', 'Odd', ''];
  for (const name of names) {
    for (const source of ['camera', 'screen', 'test']) {
      const words = explainCaptureError(name, source);
      isSentence(words);
      assert.ok(!name || !`${words.title} ${words.text}`.includes(name), words.text);
    }
  }
  assert.match(explainCaptureError('SecurityError', 'camera').text, /https/);
  assert.match(explainCaptureError('NotReadableError', 'camera').title, /another program/);
  assert.match(explainCaptureError('TypeError', 'test').title, /test picture/);
});

test('a refusal names only what may be blocked', () => {
  const title = (blocked) => explainCaptureError('NotAllowedError', 'camera', blocked).title;
  assert.equal(title(['camera']), 'The camera is blocked.');
  assert.equal(title(['microphone']), 'The microphone is blocked.');
  assert.equal(title(['camera', 'microphone']), 'The camera or the microphone is blocked.');
  assert.equal(title(undefined), 'The camera or the microphone is blocked.');
});

test('the end of a broadcast gives a reason only where there is one', () => {
  for (const code of [0, 1000, 1003, 1006, 1008, 1009]) {
    for (const reason of ['', 'not WebM: expected EBML header at byte 0']) isSentence(publish.explainClose(code, reason));
    assert.doesNotMatch(publish.explainClose(code, '').text, /says|none/);
  }
  assert.match(publish.explainClose(1003, 'not WebM').text, /The server says: Not WebM\.$/);
  // What the browser's recorder says is not for people.
  assert.doesNotMatch(publish.explainClose(0, 'InvalidStateError').text, /Error/);
});

test('only Stop of a stream on air is red, and Cancel is quiet', () => {
  for (const state of PUBLISH_STATES) {
    const { label, kind } = publish.actionFor(state);
    assert.equal(kind === 'stop', label === 'Stop', state);
    assert.equal(kind === 'cancel', label === 'Cancel', state);
    assert.equal(kind === 'stop', isOnAir({ name: state }), state);
  }
});

test('refusals are explained by their status, and unknown ones are retried', () => {
  assert.ok(publish.explainRefusal(401).wantsKey);
  for (const status of [400, 401, 403]) isSentence(publish.explainRefusal(status));
  // A missing key is asked for, and a stream that is not there yet may come.
  for (const status of [400, 403]) isSentence(watch.explainRefusal(status));
  for (const status of [200, 401, 404]) assert.equal(watch.explainRefusal(status), null);
  assert.equal(publish.explainRefusal(200), null);
});

test('figures that are not known yet are dashes', () => {
  const rows = statsRows({
    latency_ms: null,
    buffer_ms: 0,
    target_ms: null,
    rate: 1,
    bitrate_bps: null,
    width: 0,
    height: 0,
    frames: null,
    dropped: null,
    codecs: '',
    underflows: 0,
    skips: 0,
    glass_ms: null,
  });
  assert.ok(rows.every(([label, value]) => label && !/NaN|undefined|null/.test(value)));
});

test('a poster is at most 640 wide and never enlarged', () => {
  assert.deepEqual(posterSize(1280, 720), { width: 640, height: 360 });
  assert.deepEqual(posterSize(320, 240), { width: 320, height: 240 });
  assert.deepEqual(posterSize(5000, 1), { width: 640, height: 1 });
});

test('posters are sent while the picture changes, and to each new connection', () => {
  const picture = (/** @type {number} */ shade) => new Uint8ClampedArray(16 * 9 * 4).fill(shade);
  const times = new PosterTimes();
  assert.ok(!times.isDue(1e9), 'none before the connection stands');
  times.begin(0);
  assert.ok(!times.isDue(1000) && times.isDue(2000));
  // Nothing to see yet: soon again.
  assert.ok(!times.wants(null, 2000));
  assert.ok(!times.isDue(2500) && times.isDue(3100));
  assert.ok(times.wants(picture(100), 3100));
  // It was not taken, so the next one counts however it looks.
  assert.ok(!times.isDue(10_000) && times.isDue(15_200));
  assert.ok(times.wants(picture(100), 15_200));
  times.sent(picture(100));
  // A still picture with a camera's noise, then a change.
  assert.ok(!times.wants(picture(101), 30_000));
  assert.ok(!times.isDue(41_000) && times.isDue(42_000));
  assert.ok(times.wants(picture(104), 42_000));
  times.sent(picture(104));
  assert.ok(!times.wants(picture(104), 60_000));
  times.begin(60_000);
  assert.ok(times.isDue(61_500) && times.wants(picture(104), 61_500));
});

test('a viewer without a picture listens', () => {
  assert.equal(watch.wordsFor('playing', { name: 'show', isSound: true }).title, 'You are listening live.');
  assert.equal(
    watch.wordsFor('playing', { name: 'show', isSound: true, behindMs: 5000 }).title,
    'You are listening 5 seconds behind live.',
  );
  assert.equal(watch.wordsFor('playing', { name: 'show', isSound: true, isPaused: true, isBlocked: true }).title, 'Tap to listen.');
});

test('a slow connection has a way to more delay, which keeps the rest of the address', () => {
  assert.equal(smoother('?embed=&latency=low'), '?embed=&latency=smooth');
  assert.equal(smoother(''), '?latency=smooth');
});

test('words that need nothing more of the server are there at once, and the same', () => {
  const says = (state, facts) => briefWordsFor(state, { name: 'show', ...facts });
  for (const state of WATCH_STATES) {
    const words = says(state);
    assert.equal(words !== null, ['connecting', 'playing', 'reconnecting'].includes(state), state);
    if (words) assert.deepEqual(words, watch.wordsFor(state, { name: 'show' }));
  }
  for (const hitch of ['dry', 'offline', 'line']) {
    assert.deepEqual(says('playing', { hitch }), watch.wordsFor('playing', { name: 'show', hitch }));
    assert.equal(says('playing', { hitch, behindMs: 5000 }), null);
    assert.deepEqual(says('playing', { hitch }), watch.wordsFor('playing', { name: 'show', hitch, behindMs: 5000 }));
  }
  for (const facts of [{ isPaused: true }, { missing: 'audio' }, { behindMs: 5000 }, { hitch: 'slow' }])
    assert.equal(says('playing', facts), null);
  assert.equal(says('connecting', { slowCodecs: ['vp9'] }), null);
});

test('a far retry counts down in whole seconds, and a near one does not', () => {
  assert.deepEqual([3900, 1000, 0, -5, null].map(countdown), ['Trying again in 4 s.', 'Trying again in 1 s.', '', '', '']);
});

test('viewers and time on air are shown as far as they are known', () => {
  const plain = (facts) => watch.factsOf(facts).replace(/\u202f/g, ' ');
  assert.equal(plain({ viewers: 1, uptimeS: 600 }), '1 viewer · on air for 10 min');
  assert.equal(plain({ viewers: null, uptimeS: 5 }), 'just started');
  assert.equal(plain({ viewers: null, uptimeS: null }), '');
});

test('the delay beside the badge is in seconds', () => {
  const plain = (ms) => delayText(ms).replace('\u202f', ' ');
  assert.deepEqual([null, 20, 249, 1740, 12_400].map(plain), ['', '0.1 s', '0.2 s', '1.7 s', '12 s']);
});

test('a picture that takes long to begin is explained', () => {
  assert.equal(watch.wordsFor('connecting', { name: 'demo' }).text, '');
  const { title, text } = watch.wordsFor('connecting', { name: 'demo', slowCodecs: ['avc1.42D00B'] });
  assert.equal(`${title} ${text}`, 'Connecting to demo. This browser takes some seconds to begin with H.264.');
});
