// Puts a repeat behind every frame of a recording, and has ffmpeg compare what is shown.

import { execFileSync } from 'node:child_process';
import { Repeater } from '../../web/player/repeat-frame.js';

const HEADER = 32;
const FRAME_HEADER = 12;

/** `{ frames, wrong }`: how many pictures are not what they would be without repeats, twice each. */
export function checkRepeats(file, codecId) {
  const ivf = ffmpeg(['-i', file, '-map', '0:v', '-c', 'copy', '-f', 'ivf', '-']);
  const parts = [ivf.subarray(0, HEADER)];
  const repeater = new Repeater(codecId);
  let count = 0n;
  const put = (frame) => {
    const head = Buffer.alloc(FRAME_HEADER);
    head.writeUInt32LE(frame.length, 0);
    head.writeBigUInt64LE(count, 4);
    count += 1n;
    parts.push(head, frame);
  };
  for (let at = HEADER; at < ivf.length;) {
    const end = at + FRAME_HEADER + ivf.readUInt32LE(at);
    const frame = ivf.subarray(at + FRAME_HEADER, end);
    repeater.see(frame, codecId === 'V_VP8' && (frame[0] & 1) === 0);
    put(frame);
    put(repeater.frame().bytes);
    at = end;
  }
  const once = shown(ivf);
  const twice = shown(Buffer.concat(parts));
  const wrong = once.filter((sum, i) => twice[2 * i] !== sum || twice[2 * i + 1] !== sum).length;
  return { frames: once.length, wrong: wrong + Math.abs(twice.length - 2 * once.length) };
}

/** A checksum of each picture. */
function shown(ivf) {
  const lines = ffmpeg(['-f', 'ivf', '-i', '-', '-fps_mode', 'passthrough', '-f', 'framemd5', '-'], ivf).toString().split('\n');
  return lines.filter((line) => /^\d/.test(line)).map((line) => line.split(',').pop().trim());
}

function ffmpeg(args, input) {
  return execFileSync('ffmpeg', ['-v', 'error', ...args], { input, maxBuffer: 1 << 28 });
}
