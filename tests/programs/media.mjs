// The films that are sent, and what ffprobe finds in what arrives.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './program.mjs';

const PICTURE = 'testsrc2=size=160x90:rate=25';
const SECONDS = 5;
const VP8 = '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 200k -g 25';

/** Each file, and the options that make it. */
const FILMS = {
  'film.mp4': '-c:v libx264 -preset ultrafast -g 25 -c:a aac',
  'film.webm': `${VP8} -c:a libopus`,
  'song.ogg': '-vn -c:a libvorbis',
  'vp8.webm': `${VP8} -c:a libopus`,
  'vp9.webm': '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 200k -g 25 -c:a libvorbis',
  'av1.webm': '-c:v libaom-av1 -usage realtime -cpu-used 8 -b:v 200k -g 25 -c:a libopus',
  'h264.mkv': '-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a libopus',
  'sound.webm': '-vn -c:a libopus',
};

/** The files that go on air for programs that watch, and the codecs in them. */
export const STREAMS = {
  vp8: { file: 'vp8.webm', video: 'VP8', audio: 'Opus' },
  vp9: { file: 'vp9.webm', video: 'VP9', audio: 'Vorbis' },
  av1: { file: 'av1.webm', video: 'AV1', audio: 'Opus' },
  h264: { file: 'h264.mkv', video: 'H.264', audio: 'Opus' },
  sound: { file: 'sound.webm', video: null, audio: 'Opus' },
};

/** In the order in which the tables name them. */
const CODECS = { vp8: 'VP8', vp9: 'VP9', av1: 'AV1', h264: 'H.264', opus: 'Opus', vorbis: 'Vorbis' };

/** A folder with all films, which a program of another user can read. */
export async function makeFilms() {
  const folder = await mkdtemp(join(tmpdir(), 'videostream-programs-'));
  await chmod(folder, 0o755);
  const make = async ([name, options]) => {
    const args = ['-v', 'error', '-f', 'lavfi', '-i', PICTURE, '-f', 'lavfi', '-i', 'sine=440:sample_rate=48000'];
    const { code, errors } = await run('ffmpeg', [...args, '-t', String(SECONDS), ...options.split(' '), join(folder, name)]);
    assert.equal(code, 0, `${name}: ${errors}`);
  };
  await Promise.all(Object.entries(FILMS).map(make));
  return { folder, close: () => rm(folder, { recursive: true, force: true }) };
}

/** Counts decoded frames and keyframes of a file. Throws where ffprobe finds a fault in it. */
export async function probe(file) {
  const entries = 'stream=codec_name,codec_type,nb_read_frames:packet=codec_type,flags';
  const { output, errors } = await run('ffprobe', ['-v', 'error', '-count_frames', '-show_entries', entries, '-of', 'json', file]);
  // A viewer that leaves does so in the middle of something.
  const faults = errors.split('\n').filter((line) => line && !/File ended prematurely/.test(line));
  assert.deepEqual(faults, [], file);
  const { streams = [], packets = [] } = JSON.parse(output);
  const frames = (type) =>
    streams.filter((each) => each.codec_type === type).reduce((sum, each) => sum + Number(each.nb_read_frames ?? 0), 0);
  return {
    codecs: streams.map((each) => CODECS[each.codec_name] ?? each.codec_name),
    pictures: frames('video'),
    sounds: frames('audio'),
    keyframes: packets.filter((each) => each.codec_type === 'video' && each.flags.startsWith('K')).length,
  };
}

/** Names of codecs for a cell of the table. */
export function inOrder(codecs) {
  const order = Object.values(CODECS);
  const known = new Set(codecs);
  return order.filter((each) => known.has(each)).join(', ') || 'nothing';
}
