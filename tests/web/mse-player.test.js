import test from 'node:test';
import assert from 'node:assert/strict';
import { canPlay, mediaSourceClass } from '../../web/player/media-source.js';
import { MsePlayer } from '../../web/player/mse-player.js';
import { Scanner } from '../../web/player/webm-scan.js';
import { Clock, FakeMediaSource, FakeVideo, withGlobals } from './fakes.js';
import { AUDIO, bytes, cluster, frame, init, keyframe, sound, VIDEO } from './webm.js';

const MIME = 'video/webm;codecs="vp8,opus"';
const FRAME_MS = 40;

/**
 * A player with a SourceBuffer that takes everything at once: what was appended is buffered, from
 * the first block to the end of the last one.
 */
function player(t, { ignore = null, Player = MsePlayer, declares = () => true } = {}) {
  const clock = new Clock(t);
  FakeMediaSource.made = [];
  const video = new FakeVideo();
  const heard = [];
  let it = null;
  t.after(() => it.destroy());
  withGlobals(t, { MediaSource: FakeMediaSource });
  t.mock.method(URL, 'createObjectURL', () => `blob:${FakeMediaSource.made.length}`);
  t.mock.method(URL, 'revokeObjectURL', () => {});
  it = new Player(
    video,
    {
      ready: () => heard.push('ready'),
      failed: ({ message }) => heard.push(`failed: ${message}`),
      starved: (kind) => heard.push(`starved: ${kind}`),
      declared: declares,
    },
    { ignore },
  );
  const source = () => FakeMediaSource.made.at(-1);
  const seen = new Map();

  /** What the browser does with what was appended. */
  const digest = () => {
    for (const buffer of source().buffers) {
      const scanner = seen.get(buffer) ?? new Scanner();
      seen.set(buffer, scanner);
      while (buffer.updating) {
        const blocks = scanner.push(buffer.log.at(-1)).flatMap((piece) => piece.blocks);
        for (const { timestampMs } of blocks) {
          const [from, to] = buffer.ranges[0] ?? [timestampMs / 1000, 0];
          buffer.ranges = [[from, Math.max(to, (timestampMs + FRAME_MS) / 1000)]];
        }
        buffer.done();
      }
    }
    const ranges = source().buffers.map(({ ranges: [range] }) => range);
    const isBuffered = ranges.length > 0 && ranges.every(Boolean);
    video.ranges = isBuffered ? [[Math.max(...ranges.map(([from]) => from)), Math.min(...ranges.map(([, to]) => to))]] : [];
  };
  return {
    it,
    video,
    clock,
    heard,
    source,
    digest,
    begin(...tracks) {
      it.announce(tracks.includes(AUDIO) ? MIME : 'video/webm;codecs="vp8"');
      it.push(init(...tracks));
      source().open();
      digest();
    },
    push(...parts) {
      it.push(bytes(...parts));
      digest();
    },
    /** A stream as it comes: a frame with its sound every 40 ms, while the video plays if it may. */
    stream(fromMs, forMs, { hasVideo = true, hasAudio = true } = {}) {
      for (let ms = fromMs; ms < fromMs + forMs; ms += FRAME_MS) {
        const blocks = [...(hasVideo ? frame(0) : []), ...(hasAudio ? sound(0) : [])];
        this.push(cluster(ms), blocks);
        clock.pass(FRAME_MS, () => {
          digest();
          const end = video.ranges.at(-1)?.[1] ?? 0;
          if (heard.includes('ready') && !video.paused) video.currentTime = Math.min(end, video.currentTime + 0.01 * video.playbackRate);
        });
      }
    },
    /** A newcomer's backlog of a second, and what follows until it plays. */
    join(...tracks) {
      this.begin(...tracks);
      const hasAudio = tracks.includes(AUDIO);
      this.push(cluster(1000), keyframe(0), ...(hasAudio ? [sound(0)] : []));
      for (let ms = FRAME_MS; ms < 1000; ms += FRAME_MS) this.push(cluster(1000 + ms), frame(0), ...(hasAudio ? [sound(0)] : []));
      clock.pass(30, digest);
    },
  };
}

test('playable types come from the browser, and without MediaSource there are none', (t) => {
  assert.deepEqual([mediaSourceClass(), canPlay(MIME)], [null, false]);
  withGlobals(t, { ManagedMediaSource: FakeMediaSource });
  assert.deepEqual([mediaSourceClass(), canPlay(MIME)], [FakeMediaSource, true]);
});

test('picture and sound get a buffer each once the source is open, and the stream has no end', (t) => {
  const { it, source, video } = player(t);
  it.announce(MIME);
  it.push(init(VIDEO, AUDIO));
  assert.deepEqual(source().buffers, []);
  source().open();
  assert.deepEqual(
    source().buffers.map(({ type }) => type),
    ['video/webm;codecs="vp8"', 'audio/webm;codecs="opus"'],
  );
  assert.deepEqual([source().duration, video.src], [Infinity, 'blob:1']);
  assert.ok(source().buffers.every(({ log }) => log.length === 1));
});

test('a newcomer lands near the end of its backlog, and is ready once', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  assert.ok(lab.video.currentTime > 1.7 && lab.video.currentTime < 2, String(lab.video.currentTime));
  assert.deepEqual(lab.heard, ['ready']);
  lab.stream(2000, 2000);
  assert.deepEqual(lab.heard, ['ready']);
  const { player: kind, mime, latency_ms, underflows, seeks } = lab.it.stats();
  assert.deepEqual([kind, mime, underflows, seeks], ['mse', MIME, 0, 0]);
  assert.ok(latency_ms > 100 && latency_ms < 500, `${latency_ms} ms`);
});

test('a backlog of a known length is in with its last message, however long that takes', (t) => {
  const lab = player(t);
  lab.it.announce(MIME, 0, 3);
  lab.it.push(init(VIDEO, AUDIO));
  lab.source().open();
  lab.digest();
  lab.push(cluster(1000), keyframe(0), sound(0));
  lab.push(cluster(1400), frame(0), sound(0));
  // A pause is no end of it.
  lab.clock.pass(200, lab.digest);
  assert.equal(lab.video.currentTime, 0);
  lab.push(cluster(1800), frame(0), sound(0));
  assert.notEqual(lab.video.currentTime, 0);
});

test('a backlog that is still coming is waited for, but not for ever', (t) => {
  const lab = player(t);
  lab.begin(VIDEO, AUDIO);
  lab.push(cluster(1000), keyframe(0), sound(0));
  for (let ms = 1010; ms < 1480; ms += 10) {
    lab.push(cluster(ms), frame(0), sound(0));
    lab.clock.pass(10, lab.digest);
  }
  assert.equal(lab.video.currentTime, 0);
  for (let ms = 1480; ms < 1600; ms += 10) {
    lab.push(cluster(ms), frame(0), sound(0));
    lab.clock.pass(10, lab.digest);
  }
  assert.ok(lab.video.currentTime > 1);
});

test('an error of the browser is reported', (t) => {
  const lab = player(t);
  lab.source().refuses = 'no decoder';
  lab.begin(VIDEO, AUDIO);
  lab.video.error = { message: '', code: 3 };
  lab.video.say('error');
  assert.deepEqual(lab.heard, ['failed: no decoder', 'failed: media error 3']);
});

test('excluded tracks are not played', (t) => {
  const told = [];
  const lab = player(t, {
    declares(tracks) {
      told.push(tracks.map(({ kind }) => kind));
      return false;
    },
  });
  lab.begin(VIDEO, AUDIO);
  lab.push(cluster(1000), keyframe(0));
  assert.deepEqual([told, lab.source().buffers], [[['video', 'audio']], []]);
});

test('a new recording with the same tracks goes on in the same buffers', (t) => {
  const lab = player(t);
  lab.begin(VIDEO, AUDIO);
  lab.it.announce('video/webm;codecs="vp9,opus"');
  lab.it.push(init(VIDEO, AUDIO));
  const [picture] = lab.source().buffers;
  assert.equal(FakeMediaSource.made.length, 1);
  assert.equal(picture.log.at(1), 'video/webm;codecs="vp9"');
});

test('tracks that are added get a new source', (t) => {
  const lab = player(t);
  lab.begin(VIDEO);
  assert.equal(lab.source().buffers.length, 1);
  lab.begin(VIDEO, AUDIO);
  assert.deepEqual([FakeMediaSource.made.length, lab.video.src, lab.source().buffers.length], [2, 'blob:2', 2]);
});

test('ended audio is reported after two seconds', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.stream(2000, 1900, { hasAudio: false });
  assert.deepEqual(lab.heard, ['ready']);
  lab.stream(3920, 120, { hasAudio: false });
  assert.deepEqual(lab.heard, ['ready', 'starved: audio']);
});

test('over a skip of seconds no kind has ended, though one comes first', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.it.skipped();
  lab.push(cluster(9000), keyframe(0));
  lab.stream(9040, 800, { hasAudio: false });
  lab.stream(9840, 1000);
  assert.deepEqual(lab.heard, ['ready']);
  // One that does not come back has.
  lab.it.skipped();
  lab.push(cluster(20_000), keyframe(0));
  lab.stream(20_040, 2500, { hasAudio: false });
  assert.deepEqual(lab.heard, ['ready', 'starved: audio']);
});

test('ended video is no fault: its last frame is repeated', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.stream(2000, 5000, { hasVideo: false });
  assert.deepEqual(lab.heard, ['ready']);
  const [picture, loud] = lab.source().buffers.map(({ ranges: [[, end]] }) => end);
  assert.ok(loud - picture < 0.3, `${picture} ${loud}`);
  assert.ok(lab.video.currentTime > 6, String(lab.video.currentTime));
});

test('a declared track without blocks is reported', (t) => {
  const lab = player(t);
  lab.begin(VIDEO, AUDIO);
  lab.push(cluster(1000), keyframe(0));
  lab.stream(1040, 1900, { hasAudio: false });
  assert.deepEqual(lab.heard, []);
  lab.stream(2940, 500, { hasAudio: false });
  assert.deepEqual(lab.heard, ['starved: audio']);
});

test('an excluded kind has no buffer, and its return is reported', (t) => {
  const lab = player(t, { ignore: 'audio' });
  lab.begin(VIDEO, AUDIO);
  assert.deepEqual(
    lab.source().buffers.map(({ type }) => type),
    ['video/webm;codecs="vp8"'],
  );
  lab.push(cluster(1000), keyframe(0));
  lab.stream(1040, 1000, { hasAudio: false });
  assert.deepEqual(lab.heard, ['ready']);
  lab.stream(2040, 40);
  assert.deepEqual(lab.heard, ['ready', 'starved: null']);
});

test('a picture without sound goes on by the clock when frames are rare', (t) => {
  const lab = player(t);
  lab.join(VIDEO);
  const endOf = () => lab.source().buffers[0].ranges[0][1];
  const before = endOf();
  lab.clock.pass(1000, lab.digest);
  assert.ok(endOf() - before > 0.5, `${before} ${endOf()}`);
  // A publisher that sends nothing at all is not repeated for ever.
  lab.clock.pass(3000, lab.digest);
  const later = endOf();
  lab.clock.pass(3000, lab.digest);
  assert.equal(endOf(), later);
});

test('late data is an underflow, and the player keeps more in hand from then on', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.stream(2000, 2000);
  const before = lab.it.stats().target_ms;
  lab.video.say('waiting');
  lab.clock.pass(400, lab.digest);
  lab.push(cluster(4000), frame(0), sound(0));
  assert.equal(lab.it.stats().underflows, 1);
  assert.ok(lab.it.stats().target_ms > before);
});

test('data that is rare, but as old as ever, is no underflow', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.stream(2000, 2000);
  lab.video.say('waiting');
  lab.clock.pass(400, lab.digest);
  lab.push(cluster(4400), frame(0), sound(0));
  assert.equal(lab.it.stats().underflows, 0);
});

test('a publisher that stops for long is no underflow, nor is a player that is paused or seeks', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.stream(2000, 2000);
  lab.video.say('waiting');
  lab.clock.pass(2000, lab.digest);
  lab.push(cluster(4000), frame(0), sound(0));
  lab.video.paused = true;
  lab.video.say('waiting');
  lab.clock.pass(400, lab.digest);
  lab.push(cluster(4040), frame(0), sound(0));
  lab.video.paused = false;
  lab.it.catchUp();
  lab.video.say('waiting');
  lab.clock.pass(400, lab.digest);
  lab.push(cluster(4080), frame(0), sound(0));
  assert.equal(lab.it.stats().underflows, 0);
});

test('after a pause the player goes to the live edge', (t) => {
  const lab = player(t);
  lab.it.catchUp();
  lab.join(VIDEO, AUDIO);
  lab.video.paused = true;
  const before = lab.video.currentTime;
  lab.stream(2000, 4000);
  assert.equal(lab.video.currentTime, before);
  lab.it.catchUp();
  assert.ok(lab.video.currentTime > 5.5, String(lab.video.currentTime));
});

test('a player that fell behind plays faster', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  lab.video.currentTime -= 0.4;
  lab.stream(2000, 800);
  assert.ok(lab.video.playbackRate > 1, String(lab.video.playbackRate));
});

test('chunks that the server skipped are counted', (t) => {
  const lab = player(t);
  lab.it.skipped();
  lab.it.skipped();
  assert.equal(lab.it.stats().skips, 2);
});

test('figures are dashes before anything plays', (t) => {
  const { latency_ms, buffer_ms, target_ms, ranges } = player(t).it.stats();
  assert.deepEqual([latency_ms, buffer_ms, target_ms, ranges], [null, 0, null, []]);
});

test('a closed player appends nothing, and reports nothing', (t) => {
  const lab = player(t);
  lab.join(VIDEO, AUDIO);
  const appended = lab.source().buffers.map(({ log }) => log.length);
  lab.it.destroy();
  lab.video.error = { message: 'gone', code: 4 };
  lab.video.say('error');
  lab.clock.pass(1000);
  lab.it.push(bytes(cluster(9000), keyframe(0), sound(0)));
  assert.deepEqual([lab.heard, lab.video.src, lab.video.loads], [['ready'], '', 1]);
  assert.deepEqual(
    lab.source().buffers.map(({ log }) => log.length),
    appended,
  );
});

test('a recording of Firefox is entered at keyframes in Firefox', async (t) => {
  withGlobals(t, { navigator: { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' } });
  // The module looks at the browser when it is loaded.
  const { MsePlayer: Player } = await import('../../web/player/mse-player.js?in-firefox');
  for (const isFrail of [false, true]) {
    await t.test(isFrail ? 'from Firefox' : 'from Chromium', (part) => {
      const lab = player(part, { Player });
      // Firefox writes the size of a block in four bytes.
      const written = (block) => (isFrail ? [block[0], 0x10, 0, 0, block[1] & 0x7f, ...block.slice(2)] : block);
      lab.begin(VIDEO, AUDIO);
      lab.push(cluster(1000), written(keyframe(0)), sound(0));
      for (let ms = 1040; ms < 3000; ms += FRAME_MS) lab.push(cluster(ms), written(frame(0)), sound(0));
      lab.clock.pass(30, lab.digest);
      assert.equal(lab.video.currentTime === 1, isFrail, String(lab.video.currentTime));
      assert.equal(lab.it.stats().target_ms, isFrail ? 300 : 220);
    });
  }
});
