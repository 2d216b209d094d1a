import test from 'node:test';
import assert from 'node:assert/strict';
import { parseMessage, retryDelayMs, socketUrl, StreamSocket } from '../../web/lib/socket.js';
import { Clock, FakeSocket, settled, withGlobals } from './fakes.js';

test('retries wait longer each time, up to eight seconds', () => {
  const most = [0, 1, 2, 3, 4, 5, 6, 50].map((attempt) => retryDelayMs(attempt, () => 1));
  assert.deepEqual(most, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
});

test('half of every delay is left to chance', () => {
  assert.equal(
    retryDelayMs(3, () => 0),
    1000,
  );
  assert.equal(
    retryDelayMs(3, () => 0.5),
    1500,
  );
});

test('the socket shares the address of its page and takes only key and token along', () => {
  assert.equal(socketUrl('http://host:8080/publish/a?source=test&auto'), 'ws://host:8080/publish/a');
  assert.equal(socketUrl('https://host/live/a?key=s%20e&embed#x'), 'wss://host/live/a?key=s+e');
  assert.equal(socketUrl('https://host/live/a?embed&token=e.y-_.J'), 'wss://host/live/a?token=e.y-_.J');
  assert.equal(socketUrl('http://host/live/a?token=t&key=k'), 'ws://host/live/a?key=k&token=t');
});

test('invalid control messages are ignored', () => {
  assert.deepEqual(parseMessage('{"type":"viewers","count":3}'), { type: 'viewers', count: 3 });
  for (const text of ['', 'null', '3', '{}', '{"type":1}', '{']) assert.equal(parseMessage(text), null);
});

/** A socket, what it tells, and time that passes when the test says so. */
function socketIn(t) {
  const clock = new Clock(t);
  FakeSocket.made.length = 0;
  withGlobals(t, { WebSocket: FakeSocket });
  const told = [];
  const socket = new StreamSocket('ws://a/live/demo', { lost: ({ opened, attempt, reason }) => told.push([opened, attempt, reason]) });
  t.after(() => socket.close());
  socket.connect();
  return { socket, clock, told, newest: () => FakeSocket.made.at(-1), count: () => FakeSocket.made.length };
}

test('a way that swallows what is sent is given up after ten seconds, and tried again', (t) => {
  const { clock, told, count } = socketIn(t);
  clock.pass(9900);
  assert.deepEqual([told, count()], [[], 1]);
  clock.pass(500);
  assert.deepEqual([told, count()], [[[false, 0, 'no answer']], 2]);
});

test('a socket that opened has no time to keep', (t) => {
  const { clock, told, newest } = socketIn(t);
  newest().open();
  clock.pass(30_000);
  assert.deepEqual(told, []);
});

test('a closed socket comes back by nothing', (t) => {
  const { socket, clock, newest, count } = socketIn(t);
  newest().open();
  socket.close();
  socket.reconnect();
  socket.retryNow();
  socket.connect();
  clock.pass(20_000);
  assert.equal(count(), 1);
});

test('a connection is dropped without the word for an end, and made again at once', (t) => {
  const { socket, told, newest, count } = socketIn(t);
  const first = newest();
  first.open();
  socket.reconnect();
  assert.deepEqual([first.closedWith, count(), told], [4000, 2, []]);
});

let pages = 0;

/** A page whose own script (web/watch/early.js) has run, and what that has asked for. */
async function earlyPage(t, address, { kept = 0, browser = {}, hasPoster = false } = {}) {
  const clock = new Clock(t);
  const still = { hidden: true };
  const dataset = { mse: 'mse.js', codecs: 'codecs.js', state: 'connecting' };
  FakeSocket.made.length = 0;
  const fetched = [];
  const parsed = [];
  withGlobals(t, {
    WebSocket: FakeSocket,
    earlySocket: undefined,
    location: new URL(address),
    sessionStorage: { length: kept },
    navigator: { userAgent: '' },
    ...browser,
    document: {
      createElement: () => ({}),
      addEventListener: (type, listener) => type === 'DOMContentLoaded' && parsed.push(listener),
      documentElement: { dataset },
      querySelector: (selector) => (selector === 'img' ? still : hasPoster || null),
      head: { append: ({ rel, href, type, src }) => fetched.push([rel ?? type, href ?? src]) },
    },
  });
  pages += 1;
  await import(`../../web/watch/early.js?${pages}`);
  const told = [];
  const socket = new StreamSocket(socketUrl(address), {
    open: () => told.push('open'),
    message: ({ type }) => told.push(type),
    lost: ({ opened }) => told.push(opened ? 'lost' : 'refused'),
  });
  t.after(() => socket.close());
  return { socket, told, fetched, parsed, clock, still, dataset, made: FakeSocket.made };
}

test('the socket that a page opened early is taken over, with what it missed and in that order', async (t) => {
  const { socket, told, clock, made } = await earlyPage(t, 'http://host/live/demo?embed');
  assert.deepEqual(
    made.map(({ url }) => url),
    ['ws://host/live/demo'],
  );
  made[0].open();
  made[0].say({ type: 'hello' });
  socket.connect();
  // Who connects is not called before it returns.
  assert.deepEqual(told, []);
  await settled();
  made[0].say({ type: 'init' });
  assert.deepEqual([told, made.length], [['open', 'hello', 'init'], 1]);
  clock.pass(20_000);
  assert.equal(made[0].closedWith, null);
});

test('a stream with a poster shows it where the picture is slow to come', async (t) => {
  const { clock, still, dataset } = await earlyPage(t, 'http://host/live/demo?latency=low', { hasPoster: true });
  clock.pass(300);
  assert.equal(still.src, undefined);
  clock.pass(200);
  assert.deepEqual([still.src, still.loading], ['/live/demo/poster', 'eager']);
  still.onload();
  assert.equal(still.hidden, false);
  // The picture was quicker.
  dataset.state = 'playing';
  still.onload();
  assert.equal(still.hidden, true);
});

for (const [what, hasPoster, state] of [
  ['that has none', false, 'connecting'],
  ['whose picture is there', true, 'playing'],
])
  test(`no poster is asked for of a stream ${what}`, async (t) => {
    const { clock, still, dataset } = await earlyPage(t, 'http://host/live/demo', { hasPoster });
    dataset.state = state;
    clock.pass(1000);
    assert.equal(still.src, undefined);
  });

const CHROMIUM = { navigator: { userAgent: '', userAgentData: {} } };
for (const [what, browser, player] of [
  ['another browser', { VideoDecoder: class {} }, 'mse.js'],
  ['Firefox', { VideoDecoder: class {}, navigator: { userAgent: 'Firefox/153.0' } }, 'codecs.js'],
  ['Chromium', { ...CHROMIUM, VideoDecoder: class {} }, 'codecs.js'],
  ['Chromium on a page that is not secure', CHROMIUM, 'mse.js'],
])
  test(`the script with the player of ${what} is fetched at once, and runs when the page is read`, async (t) => {
    const { fetched, parsed } = await earlyPage(t, 'http://host/live/demo?t=-30', { browser });
    assert.deepEqual(fetched, [['modulepreload', player]]);
    for (const listener of parsed) listener();
    assert.deepEqual(fetched, [
      ['modulepreload', player],
      ['module', player],
    ]);
  });

test('an early socket that was refused is a loss as any other', async (t) => {
  const { socket, told, clock, made } = await earlyPage(t, 'https://host/live/demo');
  made[0].end();
  socket.connect();
  await settled();
  assert.deepEqual(told, ['refused']);
  clock.pass(300);
  assert.deepEqual(
    made.map(({ url }) => url),
    ['wss://host/live/demo', 'wss://host/live/demo'],
  );
});

test('an early socket that nothing takes over ends', async (t) => {
  const { clock, made } = await earlyPage(t, 'http://host/live/demo');
  clock.pass(10_100);
  assert.equal(made[0].readyState, 3);
});

for (const [what, address, kept] of [
  ['a time', 'http://host/live/demo?t=-30', 0],
  ['a key', 'http://host/live/demo?key=k', 0],
  ['another player', 'http://host/live/demo?player=src', 0],
  ['something kept in the session', 'http://host/live/demo', 1],
]) {
  test(`no socket is early with ${what}`, async (t) => {
    const { made } = await earlyPage(t, address, { kept });
    assert.deepEqual(made, []);
  });
}

test('an early socket that leads elsewhere is closed', async (t) => {
  const { made } = await earlyPage(t, 'http://host/live/demo');
  const [early] = made;
  const other = new StreamSocket('ws://host/live/demo?t=-30', {});
  t.after(() => other.close());
  other.connect();
  assert.deepEqual([early.readyState, made.length], [3, 2]);
});
