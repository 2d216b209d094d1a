import test, { mock } from 'node:test';
import assert from 'node:assert/strict';
import { Cutter } from '../../web/player/segments/cutter.js';
import { Pace } from '../../web/player/segments/pace.js';
import { SegmentSocket } from '../../web/player/segments/segment-socket.js';
import { AUDIO, bytes, cluster, frame, init, keyframe, sound, VIDEO } from './webm.js';

const INIT = init(VIDEO, AUDIO);
/** A GOP of two seconds that begins at `ms`. */
const gop = (ms) => bytes(cluster(ms), keyframe(0), sound(10), frame(1000), sound(1990));

const joined = (parts) => bytes(...parts.map((part) => [...(part.bytes ?? part)]));

test('a segment is cut into whole blocks however it comes', () => {
  const whole = gop(4000);
  for (const step of [1, 3, 7, 50, whole.length]) {
    const cutter = new Cutter();
    const parts = [];
    for (let at = 0; at < whole.length; at += step) parts.push(...cutter.push(whole.slice(at, at + step)));
    assert.deepEqual(joined(parts), whole);
    assert.deepEqual(
      parts.map(({ timestampMs }) => timestampMs),
      [4000, 4010, 5000, 5990],
    );
    // The Cluster's head comes with its first block.
    assert.deepEqual([...parts[0].bytes.slice(0, 4)], [0x1f, 0x43, 0xb6, 0x75]);
    assert.ok(cutter.isWhole);
  }
});

test('what has no end is not given out, and is taken up where it was', () => {
  const whole = gop(0);
  for (let cut = 0; cut < whole.length; cut += 1) {
    const cutter = new Cutter();
    const before = cutter.push(whole.slice(0, cut));
    assert.equal(joined(before).length, cutter.given);
    cutter.again();
    const after = [...cutter.push(whole.slice(0, 9)), ...cutter.push(whole.slice(9))];
    assert.deepEqual(joined([...before, ...after]), whole);
    assert.ok(cutter.isWhole);
  }
});

test('a way that brings segments at once after a wait brings them whole, until it streams again', () => {
  const pace = new Pace();
  const transfer = (askedMs, firstMs, lastMs) => pace.came({ askedMs, firstMs, lastMs, mediaMs: 2000 });
  transfer(0, 50, 1900);
  assert.equal(pace.isWhole, false);
  // An old one, which was there: it tells nothing.
  transfer(0, 20, 60);
  assert.equal(pace.isWhole, false);
  transfer(0, 1900, 1950);
  assert.equal(pace.isWhole, true);
  for (let i = 0; i < 3; i += 1) transfer(0, 50, 1900);
  assert.equal(pace.isWhole, true);
  transfer(0, 50, 1900);
  assert.equal(pace.isWhole, false);
});

test('media of a whole way go out at the pace of their times, later where a segment was late', () => {
  const pace = new Pace();
  assert.equal(pace.due(500, 1000), 1000);
  pace.waits(1500, 2000);
  assert.equal(pace.due(4000, 10_000), 10_000);
  assert.equal(pace.due(5000, 10_000), 11_000);
  // The next is half a second late: what follows is later by that, and by a margin.
  pace.begins(6000, 12_500);
  assert.equal(pace.due(6000, 12_500), 12_700);
  assert.equal(pace.due(7000, 12_500), 13_700);
  // One that is in time changes next to nothing.
  pace.begins(8000, 14_000);
  assert.ok(pace.due(8000, 14_000) > 14_500);
});

/** A server of segments: `files` by their names, each a function of how often it was asked for. */
function serve(t, files) {
  const asked = [];
  t.mock.method(globalThis, 'fetch', async (url, { signal }) => {
    asked.push(url);
    const count = asked.filter((each) => each === url).length;
    const answer = files[url]?.(count);
    if (!answer) return new Response('', { status: 404 });
    if (answer instanceof Error) throw answer;
    return Promise.race([
      answer,
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    ]);
  });
  return asked;
}

const LIST = {
  name: 'demo',
  generation: 7,
  mime: 'video/webm;codecs="vp8,opus"',
  init: 'init-7.webm',
  gops: [{ n: 8, generation: 7, start_ms: 0, duration_ms: 2000, bytes: 9 }],
  open: 9,
};
const segment = (body, generation = 7) => new Response(body, { headers: { 'x-videostream-generation': String(generation) } });

/** Bytes that come, and then an error. */
function broken(part) {
  return segment(
    new ReadableStream({
      pull(controller) {
        if (part) controller.enqueue(part);
        else controller.error(new TypeError('network error'));
        part = null;
      },
    }),
  );
}

/** Connects, until so many bytes have come. */
async function heard(length) {
  const [messages, data] = [[], []];
  let socket;
  await new Promise((resolve) => {
    socket = new SegmentSocket((file) => file, {
      message: (message) => messages.push(message),
      lost: (loss) => {
        messages.push({ type: 'lost', ...loss });
        resolve();
      },
      data(part) {
        data.push(part);
        if (joined(data).length >= length) resolve();
      },
    });
    socket.connect();
  });
  socket.close();
  return { types: messages.map(({ type }) => type), messages, data: joined(data) };
}

test('segments give the messages and data of a socket', async (t) => {
  const never = new Promise(() => {});
  const asked = serve(t, {
    'live.json': () => Response.json(LIST),
    'init-7.webm': () => new Response(INIT),
    '9.webm': () => segment(gop(2000)),
    '10.webm': () => segment(gop(4000)),
    '11.webm': () => never,
  });
  const { types, messages, data } = await heard(INIT.length + 2 * gop(0).length);
  assert.deepEqual(types, ['hello', 'init']);
  assert.equal(messages[0].live, true);
  assert.deepEqual([messages[1].mime, messages[1].generation], [LIST.mime, 7]);
  assert.deepEqual(data, joined([INIT, gop(2000), gop(4000)]));
  assert.deepEqual(asked.slice(0, 4), ['live.json', 'init-7.webm', '9.webm', '10.webm']);
});

test('a transfer that breaks goes on with the next whole block', async (t) => {
  const whole = gop(2000);
  serve(t, {
    'live.json': () => Response.json(LIST),
    'init-7.webm': () => new Response(INIT),
    '9.webm': (count) => (count < 3 ? broken(whole.slice(0, 30 + count * 10)) : segment(whole)),
    '10.webm': () => new Promise(() => {}),
  });
  const { types, data } = await heard(INIT.length + whole.length);
  assert.deepEqual(types, ['hello', 'init']);
  assert.deepEqual(data, joined([INIT, whole]));
});

test('a segment that needs another init segment gets it first', async (t) => {
  const other = init(VIDEO);
  const later = { ...LIST, generation: 10, init: 'init-10.webm', open: 10, mime: 'video/webm;codecs="vp8"' };
  const alone = bytes(cluster(4000), keyframe(0), frame(40));
  serve(t, {
    'live.json': (count) => Response.json(count < 2 ? LIST : later),
    'init-7.webm': () => new Response(INIT),
    'init-10.webm': () => new Response(other),
    '9.webm': () => segment(gop(2000)),
    '10.webm': () => segment(alone, 10),
    '11.webm': () => new Promise(() => {}),
  });
  const { types, messages, data } = await heard(INIT.length + gop(0).length + other.length + alone.length);
  assert.deepEqual(types, ['hello', 'init', 'init']);
  assert.equal(messages[2].mime, later.mime);
  assert.deepEqual(data, joined([INIT, gop(2000), other, alone]));
});

test('a server that has begun anew is joined anew', async (t) => {
  const anew = { ...LIST, generation: 90, init: 'init-90.webm', gops: [], open: 90 };
  serve(t, {
    'live.json': (count) => Response.json(count < 2 ? LIST : anew),
    'init-7.webm': () => new Response(INIT),
    '9.webm': () => segment(gop(2000)),
  });
  const { types, messages } = await heard(Infinity);
  assert.deepEqual(types, ['hello', 'init', 'lost']);
  assert.equal(messages[2].opened, true);
});

test('a stream that is off air is waited for, and its end gives a message', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const ticking = setImmediateLoop(() => mock.timers.tick(100));
  const off = { ...LIST, open: null };
  serve(t, {
    'live.json': (count) => Response.json(count === 2 ? LIST : off),
    'init-7.webm': () => new Response(INIT),
    '9.webm': () => segment(gop(2000)),
    '10.webm': () => new Promise(() => {}),
  });
  const said = [];
  const socket = new SegmentSocket((file) => file, {
    message: ({ type, live }) => said.push(live === undefined ? type : `${type} ${live}`),
  });
  socket.connect();
  await until(() => said.length > 3);
  ticking.stop();
  socket.close();
  assert.deepEqual(said, ['hello false', 'hello true', 'init', 'offline']);
});

function setImmediateLoop(each) {
  let isOver = false;
  const turn = () => {
    if (isOver) return;
    each();
    setImmediate(turn);
  };
  setImmediate(turn);
  return {
    stop() {
      isOver = true;
    },
  };
}

async function until(ask) {
  while (!ask()) await new Promise((resolve) => setImmediate(resolve));
}
