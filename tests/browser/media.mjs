// Media made on the spot by ffmpeg, for what differs in a number only.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Media {
  #dir = mkdtempSync(join(tmpdir(), 'videostream-media-'));

  /**
   * A test picture, one colour, or no picture, with so many frames a second, a keyframe each so many of
   * them, and perhaps a tone.
   */
  make(
    name,
    {
      rate = 10,
      seconds = 12,
      hasAudio = true,
      keyframeEvery = 9999,
      video = ['libvpx', '-deadline', 'realtime'],
      audio = 'libopus',
      color = null,
      size = '160x90',
      hasVideo = true,
    } = {},
  ) {
    const path = join(this.#dir, name);
    const sound = hasAudio ? ['-f', 'lavfi', '-i', 'sine=440:sample_rate=48000', '-c:a', audio, '-b:a', '16k'] : [];
    const format = name.endsWith('.mkv') ? 'matroska' : 'webm';
    const source = ['-f', 'lavfi', '-i', `${color ? `color=${color}:` : 'testsrc2='}size=${size}:rate=${rate}`];
    const coded = ['-c:v', ...video, '-b:v', '80k', '-g', String(keyframeEvery)];
    execFileSync('ffmpeg', [
      '-v',
      'error',
      ...(hasVideo ? source : []),
      ...sound,
      '-t',
      String(seconds),
      ...(hasVideo ? coded : []),
      '-f',
      format,
      '-live',
      '1',
      path,
    ]);
    return path;
  }

  /**
   * A test picture with one keyframe: few frames at first, then runs of 30 a second with pauses
   * between them. It has no colours, since browsers read those differently.
   */
  uneven(name) {
    const path = join(this.#dir, name);
    const source = `testsrc2=size=320x240:rate=30,hue=s=0,boxblur=12:2,select='if(lt(n,60),not(mod(n,8)),lt(mod(n,24),6))'`;
    const codec = ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '500k', '-g', '9999'];
    const output = ['-fps_mode', 'passthrough', '-f', 'webm', '-live', '1', path];
    execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, '-t', '20', ...codec, ...output]);
    return path;
  }

  /** The pictures of a file, `size` by `size`, as arrays of red, green and blue. */
  pictures(file, size) {
    const output = ['-fps_mode', 'passthrough', '-vf', `scale=${size}:${size}:flags=neighbor`, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
    const bytes = execFileSync('ffmpeg', ['-v', 'error', '-i', file, ...output], { maxBuffer: 1 << 28 });
    const each = size * size * 3;
    return Array.from({ length: bytes.length / each }, (_, i) => bytes.subarray(i * each, (i + 1) * each));
  }

  close() {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
