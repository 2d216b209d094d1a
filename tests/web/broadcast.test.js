import test from 'node:test';
import assert from 'node:assert/strict';
import { Broadcast } from '../../web/publisher/broadcast.js';
import { Clock, FakeRecorder, FakeSocket, settled, withGlobals } from './fakes.js';

const URL_ = 'ws://host/publish/show';
const OPTIONS = { mimeType: 'video/webm;codecs=vp8', videoBitsPerSecond: 1_000_000, hasAudio: false };
const MEDIA = { getVideoTracks: () => [] };
const SECOND_BYTES = OPTIONS.videoBitsPerSecond / 8;

function broadcast(t, { askReceived = async () => null } = {}) {
  const clock = new Clock(t);
  FakeSocket.made = [];
  FakeRecorder.made = [];
  FakeRecorder.refuses = null;
  let it = null;
  t.after(() => it.stop());
  withGlobals(t, { WebSocket: FakeSocket, MediaRecorder: FakeRecorder });
  const heard = [];
  const on = Object.fromEntries(
    ['live', 'lost', 'replaced', 'failed', 'warning', 'quality'].map((name) => [
      name,
      (told) => heard.push(told === undefined ? [name] : [name, told]),
    ]),
  );
  it = new Broadcast(URL_, MEDIA, OPTIONS, askReceived, on);
  return {
    it,
    clock,
    heard,
    socket: () => FakeSocket.made.at(-1),
    recorder: () => FakeRecorder.made.at(-1),
    begin() {
      FakeSocket.made.at(-1).open();
      FakeSocket.made.at(-1).say({ type: 'ready', watch: '/live/show' });
    },
    /** Time in which answers come. */
    async pass(ms) {
      for (let passedMs = 0; passedMs < ms; passedMs += 50) {
        clock.pass(50);
        await settled();
      }
    },
    /** Records for so many seconds what never leaves the socket's queue. */
    async hold(seconds) {
      for (let second = 0; second < seconds; second += 1) {
        FakeRecorder.made.at(-1).give(SECOND_BYTES);
        FakeSocket.made.at(-1).bufferedAmount += SECOND_BYTES;
        await this.pass(1000);
      }
    },
  };
}

const names = (heard) => heard.map(([name]) => name);

test('every connection begins with a recording of its own', (t) => {
  const { it, clock, heard, socket, recorder, begin } = broadcast(t);
  assert.equal(FakeRecorder.made.length, 0);
  begin();
  assert.deepEqual([recorder().options.mimeType, recorder().options.videoBitsPerSecond], [OPTIONS.mimeType, 1_000_000]);
  assert.deepEqual([it.isConnected, it.isRecording, it.hasSent], [true, true, false]);
  recorder().give(1000);
  assert.deepEqual([socket().sent, it.hasSent, it.recordedBytes], [[{ size: 1000 }], true, 1000]);
  socket().end(1006);
  assert.deepEqual([it.isConnected, it.isRecording, it.hasSent], [false, false, false]);
  clock.pass(300);
  begin();
  assert.deepEqual([FakeSocket.made.length, FakeRecorder.made.length], [2, 2]);
  assert.deepEqual([it.isConnected, it.recordedBytes], [true, 0]);
  assert.deepEqual(names(heard), ['live', 'lost', 'live']);
});

test('data recorded without a connection are dropped', (t) => {
  const { it, socket, recorder, begin } = broadcast(t);
  begin();
  const former = recorder();
  socket().end(1006);
  former.give(1000);
  assert.deepEqual([it.hasSent, socket().sent], [false, []]);
});

test('the server asks for a new recording, and gets it on the same connection', (t) => {
  const { socket, recorder, begin } = broadcast(t);
  begin();
  recorder().give(10);
  socket().say({ type: 'restart' });
  assert.deepEqual([FakeSocket.made.length, FakeRecorder.made.length], [1, 2]);
});

test('viewers are counted, warnings handed on, and unknown messages ignored', (t) => {
  const { it, heard, socket, begin } = broadcast(t);
  begin();
  socket().say({ type: 'viewers', count: 7 });
  socket().say({ type: 'warning', code: 'timestamps', message: 'the clock jumped' });
  socket().say({ type: 'weather' });
  assert.equal(it.viewers, 7);
  assert.deepEqual(heard.slice(1), [['warning', { code: 'timestamps', message: 'the clock jumped' }]]);
});

test('another publisher ends the broadcast for good', (t) => {
  const { clock, heard, socket, begin } = broadcast(t);
  begin();
  socket().say({ type: 'replaced' });
  clock.pass(20_000);
  assert.deepEqual([names(heard), socket().closedWith, FakeSocket.made.length], [['live', 'replaced'], 1000, 1]);
});

test('a normal close is final, and causes no retry', (t) => {
  const { clock, heard, socket, begin } = broadcast(t);
  begin();
  socket().end(1000, 'ended by an administrator');
  clock.pass(20_000);
  assert.deepEqual(names(heard), ['live', 'failed']);
  assert.deepEqual([heard[1][1].code, heard[1][1].reason], [1000, 'ended by an administrator']);
  assert.equal(FakeSocket.made.length, 1);
});

test('a server that closes every connection at once is tried five times', (t) => {
  const { clock, heard, socket } = broadcast(t);
  for (let i = 0; i < 5; i += 1) {
    socket().open();
    socket().end(1007, 'block too large');
    clock.pass(10_000);
  }
  assert.deepEqual(names(heard), ['lost', 'lost', 'lost', 'lost', 'failed']);
  assert.deepEqual([heard.at(-1)[1].code, FakeSocket.made.length], [1007, 5]);
});

test('a connection that lasted for a while is no refusal', (t) => {
  const { clock, heard, socket } = broadcast(t);
  for (let i = 0; i < 8; i += 1) {
    socket().open();
    clock.pass(2500);
    socket().end(1006);
    clock.pass(10_000);
  }
  assert.deepEqual([...new Set(names(heard))], ['lost']);
});

test('connections that never opened are tried for ever', (t) => {
  const { clock, heard, socket } = broadcast(t);
  for (let i = 0; i < 8; i += 1) {
    socket().end(1006);
    clock.pass(10_000);
  }
  assert.deepEqual([...new Set(names(heard))], ['lost']);
  assert.equal(FakeSocket.made.length, 9);
});

test('a browser that cannot record says so once', (t) => {
  const { heard, socket } = broadcast(t);
  FakeRecorder.refuses = 'no encoder';
  socket().open();
  assert.deepEqual(heard, [['failed', { code: 0, reason: 'no encoder' }]]);
  assert.equal(socket().closedWith, 4000);
});

test('a queue that grows stops the recording, and an empty one begins a smaller one', async (t) => {
  const lab = broadcast(t);
  const { it, socket, recorder } = lab;
  lab.begin();
  await lab.hold(4);
  assert.deepEqual([it.isDraining, it.isRecording, recorder().state], [true, false, 'inactive']);
  assert.ok(it.behindMs > 2000, `${it.behindMs} ms`);
  // Words of the server wait for the new recording.
  socket().say({ type: 'restart' });
  assert.equal(FakeRecorder.made.length, 1);
  recorder().end();
  socket().bufferedAmount = 0;
  await lab.pass(500);
  assert.deepEqual([it.isDraining, FakeRecorder.made.length, it.isRecording], [false, 2, true]);
  assert.equal(recorder().options.videoBitsPerSecond, 750_000);
});

test('an uplink that carries less gets a smaller recording, and no gap in what is recorded', async (t) => {
  let received = 0;
  const lab = broadcast(t, { askReceived: async () => received });
  const { it, heard, recorder } = lab;
  lab.begin();
  for (let tenth = 0; tenth < 60; tenth += 1) {
    recorder().give(SECOND_BYTES / 10);
    // From the second second on, half of it arrives.
    received += SECOND_BYTES / (tenth < 20 ? 10 : 20);
    await lab.pass(100);
  }
  const [, quality] = heard.find(([name]) => name === 'quality');
  assert.ok(quality.videoBitsPerSecond < 700_000, `${quality.videoBitsPerSecond}`);
  assert.deepEqual([it.isReduced, it.isDraining, names(heard).includes('lost')], [true, false, false]);
  assert.ok(FakeRecorder.made.length > 1);
  assert.ok(FakeRecorder.made.some(({ options }) => options.videoBitsPerSecond === quality.videoBitsPerSecond));
  assert.equal(FakeRecorder.made[0].state, 'inactive');
});

test('a queue that does not drain belongs to a dead connection', async (t) => {
  const lab = broadcast(t);
  const { it, heard } = lab;
  lab.begin();
  await lab.hold(4);
  assert.equal(it.isDraining, true);
  await lab.pass(10_500);
  assert.deepEqual([names(heard), it.isDraining], [['live', 'lost'], false]);
  assert.equal(FakeSocket.made.length, 2);
  // Not 1000: viewers are to wait.
  assert.equal(FakeSocket.made[0].closedWith, 4000);
});

test('the received bytes are requested from the server, one request at a time', async (t) => {
  const questions = [];
  const askReceived = () =>
    new Promise((resolve) => {
      questions.push(resolve);
    });
  const { it, clock, recorder, begin } = broadcast(t, { askReceived });
  begin();
  clock.pass(2000);
  assert.equal(questions.length, 0);
  recorder().give(1000);
  clock.pass(3000);
  assert.equal(questions.length, 1);
  assert.equal(it.isStuck, true);
  questions[0](1000);
  await settled();
  assert.equal(it.isStuck, false);
  clock.pass(1000);
  assert.equal(questions.length, 2);
});

test('a failed request for received bytes is repeated', async (t) => {
  let asked = 0;
  const askReceived = async () => {
    asked += 1;
    throw new Error('no network');
  };
  const { it, clock, recorder, begin } = broadcast(t, { askReceived });
  begin();
  recorder().give(1000);
  for (let i = 0; i < 3; i += 1) {
    clock.pass(1000);
    await settled();
  }
  assert.ok(asked >= 2, String(asked));
  assert.equal(it.isStuck, true);
});

test('another source goes on with the same connection, and another rate', (t) => {
  const { it, socket, recorder, begin } = broadcast(t);
  begin();
  it.change(MEDIA, { mimeType: 'video/webm;codecs=vp9', videoBitsPerSecond: 500_000 });
  assert.deepEqual([recorder().options.mimeType, recorder().options.videoBitsPerSecond], ['video/webm;codecs=vp9', 500_000]);
  assert.deepEqual([FakeSocket.made.length, FakeRecorder.made.length, socket().closedWith], [1, 2, null]);
});

test('stopping sends the last block, and then a normal close', (t) => {
  const { it, clock, heard, socket, recorder, begin } = broadcast(t);
  begin();
  it.stop();
  assert.equal(socket().closedWith, null);
  recorder().end(500);
  assert.deepEqual([socket().sent, socket().closedWith], [[{ size: 500 }], 1000]);
  clock.pass(20_000);
  assert.deepEqual([names(heard), FakeSocket.made.length], [['live'], 1]);
});

test('stopping waits no longer than 0.4 s for the last block', (t) => {
  const { it, clock, socket, begin } = broadcast(t);
  begin();
  it.stop();
  clock.pass(390);
  assert.equal(socket().closedWith, null);
  clock.pass(10);
  assert.equal(socket().closedWith, 1000);
});
