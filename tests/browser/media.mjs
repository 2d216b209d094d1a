// Media made on the spot by ffmpeg, for what differs in a number only.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Media {
  #dir = mkdtempSync(join(tmpdir(), 'videostream-media-'));

  /** A test picture with so many frames a second, a keyframe each so many of them, and perhaps a tone. */
  make(
    name,
    { rate = 10, seconds = 12, hasAudio = true, keyframeEvery = 9999, video = ['libvpx', '-deadline', 'realtime'], audio = 'libopus' } = {},
  ) {
    const path = join(this.#dir, name);
    const sound = hasAudio ? ['-f', 'lavfi', '-i', 'sine=440:sample_rate=48000', '-c:a', audio, '-b:a', '16k'] : [];
    const format = name.endsWith('.mkv') ? 'matroska' : 'webm';
    execFileSync('ffmpeg', [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      `testsrc2=size=160x90:rate=${rate}`,
      ...sound,
      '-t',
      String(seconds),
      '-c:v',
      ...video,
      '-b:v',
      '80k',
      '-g',
      String(keyframeEvery),
      '-f',
      format,
      '-live',
      '1',
      path,
    ]);
    return path;
  }

  close() {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
