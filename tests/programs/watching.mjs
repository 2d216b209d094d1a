// Programs that watch: the second table of docs/programs.md.
//
// `command` is what the table shows and the test runs, with the server's own values for HOST, 8080
// and NAME. Here are neither screen nor loudspeaker: `unseen` changes a command's outputs, and has
// it print what it shows. `count` reads from that how many pictures and pieces of sound it decoded.
// A command that makes a file is judged by the file. Each runs in a folder of its own.

import { userInfo } from 'node:os';

const ADDRESS = 'http://HOST:8080/live/NAME.webm';
/** VLC does not run as root, and Icecast wants to be another user then. */
const IS_ROOT = userInfo().uid === 0;
const FAKE_PICTURE = 'fakesink silent=false sync=true name=picture';
const FAKE_SOUND = 'fakesink silent=false sync=true name=sound';

const matches = (text, pattern) => text.match(pattern)?.length ?? 0;
const last = (text, pattern) => Number([...text.matchAll(pattern)].at(-1)?.[1] ?? 0);

const countBuffers = (output) => ({
  pictures: matches(output, /chain .*\(picture:sink\)/g),
  sounds: matches(output, /chain .*\(sound:sink\)/g),
});

export const RELAY = `<relay>
  <server>HOST</server>
  <port>8080</port>
  <mount>/live/NAME.webm</mount>
  <local-mount>/NAME.webm</local-mount>
</relay>
`;

/** All else that Icecast needs. RELAY_PORT is where its own listeners come to. */
const ICECAST = `<icecast>
  <limits><sources>4</sources><burst-size>65535</burst-size></limits>
  <authentication>
    <source-password>a</source-password><relay-password>a</relay-password>
    <admin-user>admin</admin-user><admin-password>a</admin-password>
  </authentication>
  <hostname>localhost</hostname>
  <listen-socket><port>RELAY_PORT</port><bind-address>127.0.0.1</bind-address></listen-socket>
${RELAY}  <paths><basedir>.</basedir><logdir>.</logdir><webroot>.</webroot><adminroot>.</adminroot></paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>3</loglevel></logging>
${IS_ROOT ? '  <security><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>\n' : ''}</icecast>
`;

export const WATCHING = [
  {
    program: 'ffmpeg',
    command: `ffmpeg -i ${ADDRESS} -t 2 -c copy film.mkv`,
    makes: 'film.mkv',
    note: 'Saves 2 s. The frames stay as they are.',
  },
  {
    program: 'ffplay',
    command: `ffplay -fflags nobuffer ${ADDRESS}`,
    env: { SDL_VIDEODRIVER: 'dummy', SDL_AUDIODRIVER: 'dummy' },
    unseen: (command) => `${command} -vf showinfo -af ashowinfo`,
    count: (output) => ({
      pictures: matches(output, /Parsed_showinfo\S* @ \S+ n: /g),
      sounds: matches(output, /Parsed_ashowinfo\S* @ \S+ n:/g),
    }),
    note: '`-fflags nobuffer` makes the delay shorter.',
  },
  {
    program: 'mpv',
    command: `mpv --profile=low-latency ${ADDRESS}`,
    unseen: (command) =>
      `${command} --no-config --vo=null --ao=null --msg-level=all=v --term-status-msg='[\${estimated-frame-number}|\${=audio-pts}]'`,
    count: (output) => ({
      pictures: last(output, /\[(\d+)\|/g),
      // Seconds of sound, as Opus has packets.
      sounds: /AO: \[null\]/.test(output) ? soundPackets(output) : 0,
    }),
    note: '`--profile=low-latency` makes the delay shorter.',
  },
  {
    program: 'VLC',
    command: `cvlc ${ADDRESS}`,
    unseen: (command) => `${IS_ROOT ? 'runuser -u nobody -- ' : ''}${command} --vout=dummy --aout=dummy --extraintf=oldrc --rc-fake-tty`,
    ask: 'stats\n',
    count: (output) => ({
      pictures: last(output, /frames displayed : +(\d+)/g),
      sounds: last(output, /audio decoded +: +(\d+)/g),
    }),
    note: 'VLC plays a second late: `--network-caching=300` makes that shorter. It does not run as root.',
  },
  {
    program: 'GStreamer, `souphttpsrc`',
    command: `gst-launch-1.0 souphttpsrc location=${ADDRESS} is-live=true ! matroskademux name=d d. ! queue ! vp8dec ! videoconvert ! autovideosink d. ! queue ! opusdec ! audioconvert ! autoaudiosink`,
    unseen: (command) =>
      command.replace('gst-launch-1.0', '$& -v').replace('autovideosink', FAKE_PICTURE).replace('autoaudiosink', FAKE_SOUND),
    count: countBuffers,
    streams: ['vp8'],
    note: 'Each codec has a decoder of its own, such as `vp9dec` and `vorbisdec`.',
  },
  {
    program: 'GStreamer, `playbin`',
    command: `gst-launch-1.0 playbin uri=${ADDRESS}`,
    unseen: (command) => `${command.replace('gst-launch-1.0', '$& -v')} video-sink='${FAKE_PICTURE}' audio-sink='${FAKE_SOUND}'`,
    count: countBuffers,
    streams: ['vp8', 'vp9', 'h264', 'sound'],
    note: 'Finds the decoders itself. H.264 needs `gstreamer1.0-libav`, AV1 `gstreamer1.0-plugins-bad` (not tested).',
  },
  {
    program: '`curl`',
    command: `curl --max-time 3 -o film.webm ${ADDRESS}`,
    makes: 'film.webm',
    note: 'Saves 3 s. `videostream repair` makes the file seekable.',
  },
  {
    program: 'Icecast, as a relay',
    command: 'icecast2 -c icecast.xml',
    files: { 'icecast.xml': ICECAST },
    relays: true,
    note: 'The configuration has the lines below this table.',
  },
  {
    program: 'Chromium',
    command: 'chromium http://HOST:8080/live/NAME',
    browser: 'chromium',
    note: '',
  },
  {
    program: 'Firefox',
    command: 'firefox http://HOST:8080/live/NAME',
    browser: 'firefox',
    note: '',
  },
];

/** mpv tells the time of the sound; Opus has 50 packets a second. */
function soundPackets(output) {
  const times = [...output.matchAll(/\|([\d.]+)\]/g)].map((match) => Number(match[1]));
  return times.length > 0 ? Math.round((times.at(-1) - times[0]) * 50) : 0;
}
