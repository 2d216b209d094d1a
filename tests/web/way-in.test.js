import test from 'node:test';
import assert from 'node:assert/strict';
// Or loading it takes its time.
import '../../web/player/segments/segment-socket.js';
import { WayIn } from '../../web/player/segments/way-in.js';
import { Clock, FakeSocket, settled, withGlobals } from './fakes.js';

/** A way in whose sockets never open, and what it asks for and tells; `status` is what the server answers, null for nothing. */
function refused(t, status) {
  const clock = new Clock(t);
  FakeSocket.made.length = 0;
  const [asked, told] = [[], []];
  withGlobals(t, {
    WebSocket: FakeSocket,
    fetch: async (url) => {
      asked.push(url);
      if (status === null) throw new TypeError('Failed to fetch');
      return new Response('null', { status });
    },
  });
  const way = new WayIn(
    () => 'ws://a/live/demo',
    (file) => `http://a/live/demo/${file}`,
    {
      open: () => told.push('open'),
      message: ({ type, live }) => told.push(`${type} ${live}`),
      lost: ({ attempt }) => told.push(`lost ${attempt}`),
    },
  );
  t.after(() => way.close());
  /** The newest socket fails, and the next one is there. */
  const refuse = async () => {
    FakeSocket.made.at(-1).onclose({ code: 1006, reason: '' });
    // A module that is loaded takes a few turns.
    for (let turns = 0; turns < 20; turns += 1) await settled();
    clock.pass(10_000);
  };
  return { way, asked, told, refuse };
}

test('one refused socket is no reason for segments', async (t) => {
  const { way, asked, refuse } = refused(t, 404);
  way.connect();
  await refuse();
  assert.deepEqual(asked, []);
  assert.equal(FakeSocket.made.length, 2);
});

test('where no socket opens and the server answers, segments are looked for, also off air', async (t) => {
  const { way, asked, told, refuse } = refused(t, 404);
  way.connect();
  await refuse();
  await refuse();
  assert.ok(way.isOpen, told.join());
  assert.deepEqual(told, ['lost 0', 'lost 1', 'open', 'hello false']);
  assert.equal(new Set(asked).size, 1);
  const sockets = FakeSocket.made.length;
  await settled();
  assert.equal(FakeSocket.made.length, sockets);
});

test('a server that does not answer, or refuses, is tried by socket again', async (t) => {
  for (const status of [null, 401, 503]) {
    await t.test(String(status), async (each) => {
      const { way, told, refuse } = refused(each, status);
      way.connect();
      for (let i = 0; i < 4; i += 1) await refuse();
      assert.deepEqual(told, ['lost 0', 'lost 1', 'lost 2', 'lost 3']);
      assert.ok(!way.isOpen);
      assert.equal(FakeSocket.made.length, 5);
    });
  }
});

test('what is closed while segments are loaded stays closed', async (t) => {
  const { way, told, refuse } = refused(t, 200);
  way.connect();
  await refuse();
  FakeSocket.made.at(-1).onclose({ code: 1006, reason: '' });
  way.close();
  for (let turns = 0; turns < 20; turns += 1) await settled();
  assert.deepEqual(told, ['lost 0', 'lost 1']);
});

test('segments that are asked for need no socket', async (t) => {
  const { way, told } = refused(t, 404);
  way.connect({ bySegments: true });
  for (let turns = 0; turns < 20; turns += 1) await settled();
  assert.deepEqual(told, ['open', 'hello false']);
  assert.equal(FakeSocket.made.length, 0);
});
