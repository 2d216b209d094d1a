import test from 'node:test';
import assert from 'node:assert/strict';
import { parseMessage, retryDelayMs, socketUrl } from '../../web/lib/socket.js';

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

test('what is no control message is ignored', () => {
  assert.deepEqual(parseMessage('{"type":"viewers","count":3}'), { type: 'viewers', count: 3 });
  for (const text of ['', 'null', '3', '{}', '{"type":1}', '{']) assert.equal(parseMessage(text), null);
});
