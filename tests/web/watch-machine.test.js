import test from 'node:test';
import assert from 'node:assert/strict';
import { FAULTS_MOST, FAULTS_WITHIN_MS } from '../../web/watch/by-server.js';
import * as machine from '../../web/watch/machine.js';
import { begin, EVERY_EVENT, isHitched, isPaused, isSlow, isSoundOnly, STATES } from '../../web/watch/states.js';
import { mseType, playsOf } from '../../web/watch/types.js';
import { wordsFor } from '../../web/watch/words.js';

const ALL = { all: true, withoutAudio: false, withoutVideo: false };
const NONE = { all: false, withoutAudio: false, withoutVideo: false };
const VP8 = 'video/webm;codecs="vp8,opus"';
const WRAPPED = [{ kind: 'video', encoding: 'compressed' }];
const START_MS = 1000;

/** What events are when a test does not say otherwise. */
const eventFor = {
  hello: { live: true, hasPicture: false },
  init: { mime: VP8, plays: ALL, hasPicture: false },
  data: { hasPicture: false },
  skip: {},
  stalled: {},
  resumed: {},
  offline: { reason: 'lost' },
  lost: { opened: true, attempt: 0, retryInMs: 200 },
  answered: { problem: { title: 'There is no such stream.', text: 'Check the address.' }, needsKey: false, hadKey: false },
  polled: { live: false, mime: null, plays: NONE },
  ready: {},
  failed: { message: 'decode error' },
  starved: { kind: 'audio' },
  declared: { tracks: [] },
  plainLost: { isBroken: false },
  plainSlow: { codecs: ['avc1.42E01E'] },
  plainLate: {},
  playing: {},
  blocked: {},
  toggled: { isBuffered: true },
  sought: { behindMs: 20_000, isBuffered: true },
  backTold: { backMs: 60_000, isGrowing: false },
  unmuted: {},
  keyGiven: {},
  retried: {},
  shown: { isPaused: true },
  online: {},
  looked: { position: 0, aheadMs: 0, behindMs: null, isOffline: false },
  ticked: { isOpen: true },
};
const event = (type, more = {}) => ({ type, nowMs: START_MS, ...eventFor[type], ...more });
const next = (state, type, more) => machine.next(state, event(type, more));
/** The state after events, each a type or `[type, more]`. */
const run = (state, ...events) =>
  events.reduce((before, each) => {
    const [type, more] = [each].flat();
    return next(before, type, more).state;
  }, state);

/** What the page says of a state. */
const said = (state) => wordsFor(state.name, { ...state, name: 'show' }).text;

const { state: fresh } = begin({ hasMse: true, nowMs: START_MS });
const { state: plain } = begin({ hasMse: true, isPlain: true, nowMs: START_MS });
const playing = run(fresh, 'hello', 'init', 'ready');

const leads = (names, to) => Object.fromEntries(names.map((name) => [name, to]));
const OPEN = STATES.filter((name) => name !== 'locked' && name !== 'error');

/** Where each event leads while a socket brings a stream that was on air; what is not named stays. */
const BY_SOCKET = {
  hello: { waiting: 'connecting', ended: 'connecting' },
  init: { waiting: 'connecting', ended: 'connecting' },
  data: {},
  skip: {},
  stalled: {},
  resumed: {},
  offline: leads(OPEN, 'waiting'),
  lost: leads(OPEN, 'reconnecting'),
  answered: leads(OPEN, 'error'),
  polled: {},
  ready: leads(OPEN, 'playing'),
  failed: leads(OPEN, 'reconnecting'),
  starved: leads(OPEN, 'reconnecting'),
  declared: {},
  plainLost: {},
  plainSlow: {},
  plainLate: {},
  playing: leads(OPEN, 'playing'),
  blocked: {},
  toggled: {},
  sought: {},
  backTold: {},
  unmuted: {},
  keyGiven: { locked: 'connecting' },
  retried: {},
  shown: {},
  online: {},
  looked: {},
  ticked: {},
};

/** The same for the plain stream. */
const BY_PLAIN_STREAM = {
  ...BY_SOCKET,
  ...Object.fromEntries(['hello', 'init', 'offline', 'lost', 'failed', 'starved'].map((type) => [type, {}])),
  polled: { connecting: 'ended', waiting: 'ended', reconnecting: 'ended' },
  plainLost: leads(OPEN, 'reconnecting'),
  plainLate: leads(OPEN, 'error'),
};

for (const [way, table, start] of [
  ['socket', BY_SOCKET, playing],
  ['plain', BY_PLAIN_STREAM, { ...plain, isOnAir: true, wasOnAir: true }],
]) {
  test(`every event in every state leads where the table says (${way})`, () => {
    assert.deepEqual(Object.keys(table).sort(), [...Object.keys(EVERY_EVENT)].sort());
    for (const type of Object.keys(EVERY_EVENT)) {
      for (const name of STATES) {
        const { state } = next({ ...start, name }, type);
        assert.equal(state.name, table[type][name] ?? name, `${type} in ${name}`);
      }
    }
  });
}

test('an event or a state that is none throws', () => {
  assert.throws(() => machine.next(fresh, { type: 'prodded' }), /no event/);
  assert.throws(() => next({ ...fresh, name: 'lost' }, 'ready'), /no state/);
});

test('a page begins with the socket, or with the plain stream where that is all there is', () => {
  assert.deepEqual(begin({ hasMse: true, nowMs: 0 }).effects, ['newPlayer', 'connect']);
  assert.deepEqual(begin({ hasMse: false, nowMs: 0 }).effects, ['newPlayer', 'connect']);
  assert.deepEqual(begin({ hasMse: true, isPlain: true, nowMs: 0 }).effects, ['openPlain']);
});

test('without Media Source Extensions a row of files is played, whatever they would say of the type', () => {
  for (const page of [{ hasMse: false }, { hasMse: true, isClassic: true }]) {
    const { state } = begin({ ...page, nowMs: 0 });
    assert.deepEqual([state.isClassic, state.way], [true, 'socket']);
    const step = next(run(state, 'hello'), 'init', { plays: NONE });
    assert.deepEqual([step.state.way, step.effects], ['socket', ['announce']]);
    // What the video element does not take is left to the plain stream, which says why.
    const failed = next(step.state, 'failed');
    assert.deepEqual([failed.state.way, failed.effects], ['plain', ['closeSocket', 'openPlain', 'watchPlain']]);
  }
  const { state } = begin({ hasMse: false, isPlain: true, nowMs: 0 });
  assert.deepEqual([state.isClassic, state.way], [false, 'plain']);
});

test('a viewer that comes first waits, and plays when the stream begins', () => {
  const waiting = next(fresh, 'hello', { live: false });
  assert.deepEqual([waiting.state.name, waiting.state.wasOnAir, waiting.effects], ['waiting', false, ['showStill']]);
  const begun = next(waiting.state, 'init');
  assert.deepEqual([begun.state.name, begun.effects], ['connecting', ['announce']]);
  const ready = next(begun.state, 'ready');
  assert.deepEqual([ready.state.name, ready.effects], ['playing', ['play']]);
});

test('a planned end is shown at once, an unplanned one after a while', () => {
  const ended = run(playing, ['offline', { reason: 'ended' }]);
  assert.deepEqual([ended.name, ended.hasEnded], ['ended', true]);
  const gone = run(playing, ['offline', { reason: 'lost', nowMs: 5000 }]);
  assert.equal(run(gone, ['ticked', { nowMs: 5000 + machine.ENDED_AFTER_MS }]).name, 'waiting');
  const later = run(gone, ['ticked', { nowMs: 5001 + machine.ENDED_AFTER_MS }]);
  assert.deepEqual([later.name, later.hasEnded], ['ended', false]);
  assert.equal(run(playing, ['offline', { reason: 'replaced' }]).name, 'playing');
});

test('a stream that comes back goes on with the picture that there is', () => {
  const gone = run(playing, 'offline');
  assert.equal(run(gone, ['data', { hasPicture: true }]).name, 'playing');
  assert.equal(run(gone, ['data', { hasPicture: false }]).name, 'connecting');
});

test('a connection that is lost gets a new player with its first init segment', () => {
  const lost = next(playing, 'lost', { opened: true });
  assert.deepEqual([lost.state.name, lost.state.isStale, lost.effects], ['reconnecting', true, []]);
  assert.deepEqual(next(lost.state, 'init').effects, ['newPlayer', 'announce']);
  assert.deepEqual(next(run(lost.state, 'init'), 'init').effects, ['announce']);
});

test('a refused socket causes an HTTP request, and its answer decides', () => {
  const refused = next(fresh, 'lost', { opened: false, attempt: 0 });
  assert.deepEqual([refused.state.name, refused.effects], ['connecting', ['askWhy']]);
  const again = next(refused.state, 'answered', { problem: null });
  assert.deepEqual([again.state.name, again.effects], ['connecting', []]);
  const wrong = next(refused.state, 'answered');
  assert.deepEqual([wrong.state.name, wrong.state.error.title], ['error', 'There is no such stream.']);
  assert.deepEqual(wrong.effects, ['closeSocket']);
});

test('a missing key is requested once, a wrong key is reported, and a right key connects', () => {
  for (const start of [fresh, plain]) {
    const locked = next(start, 'answered', { problem: null, needsKey: true });
    assert.deepEqual([locked.state.name, locked.state.isWrongKey], ['locked', false]);
    assert.ok(locked.effects.includes('askKey'));
    // While a person types.
    assert.deepEqual(next(locked.state, 'answered', { needsKey: true, hadKey: true }).effects, []);
    const given = next(locked.state, 'keyGiven');
    assert.deepEqual([given.state.name, given.effects], ['connecting', [start === plain ? 'reload' : 'connect']]);
    assert.equal(next(given.state, 'answered', { needsKey: true, hadKey: true }).state.isWrongKey, true);
  }
});

test('faults cause a new join, a limited number of times', () => {
  let state = playing;
  for (let i = 0; i < FAULTS_MOST; i += 1) {
    const step = next(state, 'failed', { nowMs: 2000 + i });
    assert.deepEqual([step.state.name, step.effects], ['reconnecting', ['warn', 'newPlayer', 'reconnect']]);
    assert.equal(step.warning, 'joining afresh: decode error');
    state = step.state;
  }
  const last = next(state, 'failed', { nowMs: 3000 });
  assert.deepEqual([last.state.name, last.effects], ['error', ['warn', 'closeSocket']]);
  assert.match(said(last.state), /The browser says: decode error\. Press Try again/);
  const later = next(state, 'failed', { nowMs: 2000 + FAULTS_WITHIN_MS + FAULTS_MOST });
  assert.equal(later.state.name, 'reconnecting');
});

test('a track that ended is left out, and one that cannot be played stays out', () => {
  const starved = next(playing, 'starved', { kind: 'audio' });
  assert.deepEqual([starved.state.ignored, starved.warning], ['audio', 'joining afresh: tracks ended, ignoring audio']);
  // It came back.
  assert.equal(run(starved.state, ['starved', { kind: null }]).ignored, null);
  const missing = run(fresh, ['init', { plays: { ...NONE, withoutAudio: true } }]);
  assert.deepEqual(next(missing, 'starved', { kind: null }), { state: missing, effects: [] });
});

test('as much of a type is played as the browser knows', () => {
  const init = (plays, state = fresh) => next(state, 'init', { mime: 'video/webm;codecs="vp9,mp4a"', plays: { ...NONE, ...plays } });
  const silent = init({ withoutAudio: true, withoutVideo: true });
  assert.deepEqual([silent.state.ignored, silent.effects], ['audio', ['newPlayer', 'announce']]);
  assert.match(said({ ...silent.state, name: 'playing' }), /no sound: it is in AAC/);
  const plainly = init({ withoutVideo: true });
  assert.deepEqual([plainly.state.way, plainly.state.name], ['plain', 'connecting']);
  assert.deepEqual(plainly.effects, ['closeSocket', 'openPlain', 'watchPlain']);
  const back = next(plainly.state, 'plainLate');
  assert.deepEqual([back.state.way, back.effects], ['socket', ['closePlain', 'newPlayer', 'connect']]);
  const blind = init({ withoutVideo: true }, back.state);
  assert.deepEqual([blind.state.ignored, blind.effects], ['video', ['newPlayer', 'announce']]);
  const all = init({ all: true }, blind.state);
  assert.deepEqual([all.state.ignored, all.state.missing, all.effects], [null, null, ['newPlayer', 'announce']]);
});

test('an unplayable stream is reported with a link for another player', () => {
  const tried = run(fresh, ['init', { plays: NONE }], 'plainLate');
  assert.deepEqual([tried.name, tried.error], ['error', { why: 'unplayable' }]);
  assert.match(said(tried), /VP8/);
  const wrapped = run(playing, ['declared', { tracks: WRAPPED }]);
  assert.deepEqual([wrapped.way, wrapped.name], ['plain', 'connecting']);
  assert.match(said(run(wrapped, 'plainLate')), /compressed tracks \(VP8 and Opus\)/);
});

test('an ended plain stream causes a status request, and its answer decides', () => {
  const live = run(plain, ['polled', { live: true, mime: VP8, plays: ALL }]);
  assert.deepEqual([live.name, live.isOnAir, live.mime], ['connecting', true, VP8]);
  assert.equal(run(live, 'plainLost').name, 'reconnecting');
  assert.equal(run(live, 'polled').name, 'ended');
  assert.equal(run(live, 'polled').mime, VP8);
  assert.equal(run(plain, 'polled').name, 'waiting');
  const broken = run(plain, ['polled', { live: true, mime: VP8, plays: NONE }], ['plainLost', { isBroken: true }]);
  assert.equal(broken.name, 'error');
});

test('a slow start is shown only while it lasts', () => {
  const slow = run(plain, 'plainSlow');
  assert.deepEqual(slow.slowCodecs, ['avc1.42E01E']);
  assert.deepEqual(run(slow, 'ready').slowCodecs, []);
  assert.deepEqual(run(run(plain, 'ready'), 'plainSlow').slowCodecs, []);
});

test('pausing stops at once, and going on begins at the live edge', () => {
  const paused = next(playing, 'toggled');
  assert.deepEqual([isPaused(paused.state), paused.effects], [true, ['pause']]);
  assert.deepEqual(next(paused.state, 'ready').effects, []);
  assert.deepEqual(next(paused.state, 'shown').effects, []);
  const back = next(paused.state, 'toggled');
  assert.deepEqual([isPaused(back.state), back.effects], [false, ['catchUp', 'play']]);
});

test('a browser that starts nothing by itself waits for a tap', () => {
  const blocked = next(playing, 'blocked');
  assert.deepEqual([blocked.state.isBlocked, isPaused(blocked.state), blocked.effects], [true, true, ['pause']]);
  assert.equal(run(blocked.state, 'toggled').isBlocked, false);
  assert.equal(run(blocked.state, 'unmuted').isBlocked, false);
});

test('a connection without data reconnects, unless the server gives a reason', () => {
  const nowMs = START_MS + machine.SILENT_MS + 1;
  const silent = next(playing, 'ticked', { nowMs });
  assert.deepEqual([silent.state.name, silent.state.isStale, silent.effects], ['reconnecting', true, ['reconnect']]);
  assert.deepEqual(next(silent.state, 'ticked', { nowMs: nowMs + 500 }).effects, []);
  assert.deepEqual(next(run(playing, 'stalled'), 'ticked', { nowMs }).effects, []);
  assert.deepEqual(next(playing, 'ticked', { nowMs, isOpen: false }).effects, []);
});

test('back on the network, a live connection is kept', () => {
  assert.deepEqual(next(playing, 'online', { nowMs: START_MS + 100 }).effects, ['retryNow']);
  assert.deepEqual(next(playing, 'online', { nowMs: START_MS + 600 }).effects, ['reconnect']);
});

test('messages in quick succession change nothing', () => {
  assert.equal(next(playing, 'data', { nowMs: START_MS + 50 }).state, playing);
  assert.equal(run(playing, ['data', { nowMs: START_MS + 150 }]).dataAtMs, START_MS + 150);
  assert.equal(run(playing, 'stalled', 'data').isStalled, false);
});

test('a stalled picture is reported, and a paused one is not', () => {
  const still = run(playing, ['looked', { nowMs: START_MS + 500 }]);
  assert.deepEqual([still.hitch, still.isStill, isHitched(still)], ['dry', true, true]);
  const moving = run(still, ['looked', { nowMs: START_MS + 600, position: 0.1 }]);
  assert.deepEqual([moving.hitch, moving.isStill, isHitched(moving)], ['', false, false]);
  // A clock that settles by less and less is none that goes on.
  const settling = [0.0049, 0.009, 0.0125].map((position, i) => ['looked', { nowMs: START_MS + 200 * (i + 1), position }]);
  assert.equal(run(playing, ...settling).isStill, true);
  const paused = run(playing, 'toggled', ['looked', { nowMs: START_MS + 5000 }]);
  assert.equal(paused.isStill, false);
  const offline = run(playing, ['looked', { nowMs: START_MS + 600, isOffline: true }]);
  assert.equal(offline.hitch, 'offline');
});

test('many skips in a short time mean a slow connection', () => {
  const skipped = next(playing, 'skip');
  assert.deepEqual(skipped.effects, ['skipped']);
  const slow = run(skipped.state, 'skip', 'skip', ['looked', { position: 1 }]);
  assert.deepEqual([slow.hitch, isHitched(slow)], ['slow', false]);
  assert.equal(run(playing, ...Array(30).fill('skip')).skipsAtMs.length, 10);
});

test('three stops in a short time may mean a slow connection, unless the publisher made them', () => {
  let nowMs = START_MS;
  let position = 0;
  const stop = (state) => {
    position += 1;
    const moving = run(state, ['data', { nowMs }], ['looked', { position, nowMs }]);
    nowMs += 500;
    const standing = run(moving, ['looked', { position, nowMs }]);
    nowMs += 500;
    return standing;
  };
  const twice = stop(stop(playing));
  assert.deepEqual([twice.stopsAtMs.length, twice.hitch, twice.isStill], [2, 'dry', true]);
  const slow = stop(twice);
  assert.deepEqual([slow.hitch, slow.isStill, isSlow(slow), isHitched(slow)], ['stops', true, true, false]);
  const theirs = run(twice, ['looked', { position: 90, nowMs }], 'stalled', ['looked', { position: 90, nowMs: nowMs + 500 }]);
  assert.deepEqual([theirs.stopsAtMs.length, theirs.hitch], [2, 'publisher']);
  const later = run(run(playing, ['looked', { nowMs: START_MS + 500 }]), 'stalled', ['looked', { nowMs: START_MS + 600 }]);
  assert.deepEqual(later.stopsAtMs, []);
});

test('three stops with more to play mean a slow device', () => {
  const times = [1, 2, 3].map((position) => ({ position, nowMs: START_MS + position * 1000 }));
  const stop = (state, { position, nowMs }) =>
    run(state, ['data', { nowMs }], ['looked', { position, nowMs }], ['looked', { position, aheadMs: 600, nowMs: nowMs + 500 }]);
  const slow = times.reduce(stop, playing);
  assert.deepEqual([slow.hitch, slow.stopsAtMs, slow.lapsesAtMs.length, isSlow(slow)], ['device', [], 3, true]);
});

test('stops at gaps in what is sent say nothing of the device or the line', () => {
  const times = [1, 2, 3].map((position) => ({ position, nowMs: START_MS + position * 1000 }));
  const stood = (state) => [state.isStill, state.hitch, state.stopsAtMs.length, state.lapsesAtMs.length];
  for (const aheadMs of [0, 600]) {
    // It stands, and goes on behind the gap.
    const leap = (state, { position, nowMs }) =>
      run(
        state,
        ['data', { nowMs }],
        ['looked', { position, aheadMs, gaps: position - 1, nowMs }],
        ['looked', { position, aheadMs, gaps: position - 1, nowMs: nowMs + 450 }],
        ['looked', { position: position + 0.1, aheadMs, gaps: position, nowMs: nowMs + 500 }],
      );
    assert.deepEqual(stood(times.reduce(leap, playing)), [false, '', 0, 0]);
    // It leaps, and stands while what lies behind the gap is decoded.
    const land = (state, { position, nowMs }) =>
      run(
        state,
        ['data', { nowMs }],
        ['looked', { position, aheadMs, gaps: position, nowMs }],
        ['looked', { position, aheadMs, gaps: position, nowMs: nowMs + 500 }],
      );
    assert.deepEqual(stood(times.reduce(land, playing)), [true, 'dry', 0, 0]);
    // Another player counts anew.
    const renew = (state, { position, nowMs }) =>
      run(
        state,
        ['data', { nowMs }],
        ['looked', { position, aheadMs, gaps: 9 - position, nowMs }],
        ['looked', { position, aheadMs, gaps: 9 - position, nowMs: nowMs + 500 }],
      );
    assert.equal(times.reduce(renew, { ...playing, gaps: 9 }).hitch, aheadMs ? 'device' : 'stops');
  }
});

test("a stop that turns out to be the publisher's is taken back, whatever it was counted as", () => {
  for (const aheadMs of [0, 600]) {
    const nowMs = START_MS + 1000;
    const stopped = run(
      playing,
      ['looked', { position: 1, nowMs }],
      ['data', { nowMs }],
      ['looked', { position: 1, aheadMs, nowMs: nowMs + 500 }],
    );
    assert.equal(stopped.stopsAtMs.length + stopped.lapsesAtMs.length, 1);
    const theirs = run(stopped, 'stalled', ['looked', { position: 1, aheadMs, nowMs: nowMs + 700 }]);
    assert.deepEqual([theirs.stopsAtMs, theirs.lapsesAtMs], [[], []]);
    const again = run(theirs, ['data', { nowMs: nowMs + 800 }], ['looked', { position: 1, aheadMs, nowMs: nowMs + 900 }]);
    assert.deepEqual([again.stopsAtMs, again.lapsesAtMs], [[], []]);
  }
});

test('a stream without a picture, or without one that plays, is sound only', () => {
  const { state } = next(fresh, 'init', { mime: 'audio/webm;codecs="opus"' });
  assert.ok(isSoundOnly(state) && !isSoundOnly(playing) && !isSoundOnly(fresh));
  assert.ok(isSoundOnly({ ...playing, ignored: 'video' }));
});

test('a retry that is far off has a countdown, which ends with it', () => {
  const lost = run(playing, ['lost', { retryInMs: 4000 }]);
  assert.equal(lost.retryAtMs, START_MS + 4000);
  assert.equal(run(playing, 'lost').retryAtMs, null);
  assert.equal(run(lost, 'retried').retryAtMs, null);
  assert.equal(run(lost, 'ready').retryAtMs, null);
});

test('trying again reloads a player that cannot continue by itself', () => {
  assert.deepEqual(next({ ...playing, name: 'error' }, 'retried').effects, ['reload']);
  assert.deepEqual(next({ ...plain, name: 'reconnecting' }, 'retried').effects, ['reload']);
  assert.deepEqual(next({ ...playing, name: 'reconnecting' }, 'retried').effects, ['retryNow']);
});

test('the browser is queried for each codec of a type', () => {
  const plays = (mime, ...known) => playsOf(mime, (type) => known.includes(type));
  assert.equal(mseType('video/x-matroska;codecs="avc1"'), 'video/webm;codecs="avc1"');
  assert.deepEqual(plays('video/x-matroska;codecs="vp8,mp4a"', 'video/webm;codecs="vp8"'), { ...NONE, withoutAudio: true });
  assert.deepEqual(plays(VP8, 'audio/webm;codecs="opus"'), { ...NONE, withoutVideo: true });
  assert.deepEqual(plays('video/webm;codecs="vp8"', 'video/webm;codecs="vp8"'), ALL);
});

// --- Back in time

const recorded = run(playing, ['backTold', { backMs: 60_000, isGrowing: true }]);
const sought = (state, behindMs, more = {}) => next(state, 'sought', { behindMs, isBuffered: false, ...more });

test('a seek to what is buffered is made at once, and the address tells it', () => {
  const step = sought(recorded, 5000, { isBuffered: true });
  assert.deepEqual([step.state.shift.wantedMs, step.effects], [5000, ['seekHere', 'showAddress']]);
  const live = sought(step.state, 0, { isBuffered: true });
  assert.deepEqual([live.state.shift.wantedMs, live.effects], [0, ['seekHere', 'showAddress']]);
});

test('a seek beyond what is buffered makes one new connection, for the last of several', () => {
  let state = recorded;
  for (const behindMs of [20_000, 25_000, 30_000]) {
    const step = sought(state, behindMs);
    assert.deepEqual([step.state.name, step.effects], ['playing', []]);
    ({ state } = step);
  }
  assert.deepEqual(next(state, 'looked', { nowMs: START_MS + 200 }).effects, []);
  const due = next(state, 'looked', { nowMs: START_MS + 300 });
  assert.deepEqual([due.state.name, due.state.shift.wantedMs], ['connecting', 30_000]);
  assert.deepEqual(due.effects, ['newPlayer', 'connect', 'showAddress']);
  assert.ok(due.state.shift.isConnecting);
  assert.deepEqual(next(due.state, 'looked', { nowMs: START_MS + 400 }).effects, []);
  // The old picture is no sign of the new one.
  assert.equal(next(due.state, 'playing').state.name, 'connecting');
  const ready = next(run(due.state, 'hello', 'init'), 'ready');
  assert.deepEqual([ready.state.name, ready.state.shift.isConnecting, ready.effects], ['playing', false, ['play']]);
});

test('a seek leads no further back than there is something, and near live it leads to live', () => {
  assert.equal(sought(recorded, Infinity).state.shift.wantedMs, 60_000);
  assert.equal(sought(recorded, Infinity, { nowMs: START_MS + 5000 }).state.shift.wantedMs, 65_000);
  assert.equal(
    sought(run(recorded, ['backTold', { isGrowing: false }]), Infinity, { nowMs: START_MS + 5000 }).state.shift.wantedMs,
    60_000,
  );
  for (const behindMs of [1999, 0, -Infinity]) assert.equal(sought(recorded, behindMs).state.shift.wantedMs, 0);
});

test('nobody goes back in a stream that was not seen, or that is played as files or plainly', () => {
  const classic = begin({ hasMse: true, isClassic: true, behindMs: 9000, nowMs: 0 }).state;
  for (const state of [fresh, { ...recorded, way: 'plain' }, run(classic, 'hello', 'init'), { ...recorded, name: 'locked' }]) {
    assert.deepEqual(sought(state, 20_000), { state, effects: [] });
  }
  assert.equal(classic.shift.wantedMs, 0);
  assert.equal(begin({ hasMse: true, behindMs: 9000, nowMs: 0 }).state.shift.wantedMs, 9000);
});

test('after a pause it goes on where it was, from the player or by a new connection', () => {
  const behind = run(recorded, ['sought', { isBuffered: true }]);
  const paused = run(behind, 'toggled', ['looked', { behindMs: 35_000 }]);
  assert.ok(isPaused(paused));
  const here = next(paused, 'toggled', { isBuffered: true });
  assert.deepEqual([here.state.shift.wantedMs, here.effects], [35_000, ['play', 'showAddress']]);
  const gone = next(paused, 'toggled', { isBuffered: false });
  assert.deepEqual([gone.state.shift.wantedMs, gone.state.wantsPlay, gone.effects], [35_000, true, []]);
  assert.equal(next(gone.state, 'looked', { nowMs: START_MS + 300 }).state.name, 'connecting');
  // The Live button plays.
  const live = sought(paused, 0, { isBuffered: true });
  assert.deepEqual([live.state.wantsPlay, live.effects], [true, ['seekHere', 'showAddress', 'play']]);
});

test('behind live, the end of the stream comes when the picture does', () => {
  const behind = run(recorded, ['sought', { isBuffered: true }], ['offline', { reason: 'ended' }]);
  assert.equal(behind.name, 'playing');
  const moving = run(behind, ['looked', { position: 3, nowMs: START_MS + 5000 }]);
  assert.equal(moving.name, 'playing');
  const stood = run(moving, ['looked', { position: 3, nowMs: START_MS + 5700 }]);
  assert.deepEqual([stood.name, stood.hasEnded], ['ended', true]);
  // It is back before that.
  const back = run(behind, 'hello', ['looked', { position: 3, nowMs: START_MS }], ['looked', { position: 3, nowMs: START_MS + 5700 }]);
  assert.equal(back.name, 'playing');
});

test('a skip leads a viewer behind live to live', () => {
  const step = next(run(recorded, ['sought', { isBuffered: true }]), 'skip');
  assert.deepEqual([step.state.shift.wantedMs, step.effects], [0, ['skipped', 'seekHere', 'showAddress']]);
});
