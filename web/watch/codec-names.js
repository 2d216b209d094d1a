// What people call the formats that streams are in. Pure.

/** @type {[RegExp, string][]} */
const NAMES = [
  [/^(avc|h264|v_mpeg4\/iso\/avc)/i, 'H.264'],
  [/^(hvc|hev|hevc|v_mpegh)/i, 'HEVC (H.265)'],
  [/^(av01|av1|v_av1)/i, 'AV1'],
  [/^(vp0?8|v_vp8)/i, 'VP8'],
  [/^(vp0?9|v_vp9)/i, 'VP9'],
  [/^(mjpeg|v_mjpeg)/i, 'Motion JPEG'],
  [/^(mpeg4\/iso|v_mpeg4\/iso)/i, 'MPEG-4'],
  [/^(mpeg[12]$|v_mpeg[12]$)/i, 'MPEG-2'],
  [/^(theora|v_theora)/i, 'Theora'],
  [/^(prores|v_prores)/i, 'ProRes'],
  [/^(opus|a_opus)/i, 'Opus'],
  [/^(vorbis|a_vorbis)/i, 'Vorbis'],
  [/^(mp4a|aac|a_aac)/i, 'AAC'],
  [/^(mp3|mpeg\/l3|a_mpeg\/l3)/i, 'MP3'],
  [/^(mpeg\/l|a_mpeg\/l)/i, 'MPEG audio'],
  [/^(flac|a_flac)/i, 'FLAC'],
  [/^(e-?ac-?3|a_eac3)/i, 'Dolby Digital Plus'],
  [/^(ac-?3|a_ac3)/i, 'Dolby Digital'],
  [/^(dts|a_dts)/i, 'DTS'],
  [/^(pcm|a_pcm)/i, 'PCM'],
];

/**
 * The name of a codec as a MIME type or a file (`CodecID`) has it.
 *
 * @param {string} codec
 */
export function codecName(codec) {
  return NAMES.find(([pattern]) => pattern.test(codec))?.[1] ?? codec.replace(/^[AV]_/, '').toUpperCase();
}

/**
 * Several names as a sentence has them: `A`, `A and B`, `A, B and C`.
 *
 * @param {string[]} names
 */
export function listed(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
