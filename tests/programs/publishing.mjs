// Programs that publish: the first table of docs/programs.md.
//
// `command` is what the table shows and the test runs, with the server's own values for HOST, 8080,
// KEY and NAME; with `browser`, that browser opens the address in it. `files` are written first, and
// `says` is what the program prints where it fails. Of a row with `isRefused` the log tells why.

const FILM = 'ffmpeg -re -i film.mp4';
const VP8 = '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M -g 50';
const PUT = '-method PUT -chunked_post 1 http://HOST:8080/publish/NAME';
const TEST_PICTURE =
  'videotestsrc is-live=true ! vp8enc deadline=1 keyframe-max-dist=30 ! queue ! webmmux streamable=true name=mux audiotestsrc is-live=true ! opusenc ! queue ! mux. mux.';

const ICES = `<ices>
  <background>0</background><logpath>.</logpath><logfile>ices.log</logfile><loglevel>2</loglevel><consolelog>1</consolelog>
  <stream>
    <input>
      <module>playlist</module><param name="type">basic</param><param name="file">songs.txt</param><param name="once">1</param>
    </input>
    <instance>
      <hostname>HOST</hostname><port>8080</port><password>KEY</password><mount>/live/NAME.webm</mount>
      <reconnectattempts>0</reconnectattempts>
    </instance>
  </stream>
</ices>
`;

export const PUBLISHING = [
  {
    name: 'put',
    program: 'ffmpeg, `PUT`',
    command: `${FILM} ${VP8} -c:a libopus -f webm ${PUT}`,
    note: '`-g 50` makes a keyframe every 2 s of 25 frames: late viewers start at one.',
  },
  {
    name: 'post',
    program: 'ffmpeg, `POST`',
    command: `${FILM} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 2M -g 50 -c:a libopus -f webm http://HOST:8080/publish/NAME`,
    note: 'Without `-method` ffmpeg sends a `POST`.',
  },
  {
    name: 'icecast',
    program: 'ffmpeg, `icecast://`',
    command: `${FILM} ${VP8} -c:a libvorbis -f webm -content_type video/webm icecast://source:KEY@HOST:8080/live/NAME.webm`,
    note: 'A server without a key takes any.',
  },
  {
    name: 'ffmpeg-av1',
    program: 'ffmpeg, AV1',
    command: `${FILM} -c:v libsvtav1 -preset 10 -b:v 2M -g 50 -c:a libopus -f webm ${PUT}`,
    note: 'ffmpeg in Debian 12 cannot stream the AV1 of `libaom-av1`. Both need much more CPU than VP8.',
  },
  {
    name: 'ffmpeg-h264',
    program: 'ffmpeg, H.264',
    command: `${FILM} -c:v libx264 -preset veryfast -tune zerolatency -g 50 -c:a libopus -f matroska ${PUT}`,
    note: 'WebM has no H.264, so the format is Matroska. With `-c:v copy` ffmpeg sends the H.264 of a file as it is.',
  },
  {
    name: 'silent',
    program: 'ffmpeg, no sound',
    command: `${FILM} ${VP8} -an -f webm ${PUT}`,
    note: '',
  },
  {
    name: 'radio',
    program: 'ffmpeg, sound alone',
    command: `${FILM} -vn -c:a libopus -f webm ${PUT}`,
    note: '',
  },
  {
    name: 'ogg',
    program: 'ffmpeg, from Ogg',
    command: 'ffmpeg -re -i song.ogg -c:a copy -f webm -content_type audio/webm icecast://source:KEY@HOST:8080/live/NAME.webm',
    note: 'Puts the Vorbis or Opus of an Ogg file into WebM as it is.',
  },
  {
    name: 'shout',
    program: 'GStreamer, `shout2send`',
    command: `gst-launch-1.0 ${TEST_PICTURE} ! shout2send ip=HOST port=8080 mount=/live/NAME.webm password=KEY`,
    note: '`shout2send` uses libshout. `keyframe-max-dist` is in frames.',
  },
  {
    name: 'pipe',
    program: 'GStreamer and `curl`',
    command: `gst-launch-1.0 -q ${TEST_PICTURE} ! fdsink | curl -T - http://HOST:8080/publish/NAME`,
    note: '`-q` keeps messages out of the stream.',
  },
  {
    name: 'pushed',
    program: 'GStreamer and `videostream push`',
    command: `gst-launch-1.0 -q ${TEST_PICTURE} ! fdsink | videostream push - http://HOST:8080/publish/NAME`,
    note: 'Shows the warnings of the server, such as keyframes that are too far apart.',
  },
  {
    name: 'soup',
    isRefused: true,
    program: 'GStreamer, `souphttpclientsink`',
    command: `gst-launch-1.0 ${TEST_PICTURE} ! souphttpclientsink location=http://HOST:8080/publish/NAME`,
    note: 'It sends each buffer in a request of its own and ignores the answers. Use one of the three ways above.',
  },
  {
    name: 'ices',
    isRefused: true,
    program: 'ices2',
    command: 'ices2 ices.xml',
    files: { 'ices.xml': ICES, 'songs.txt': 'song.ogg\n' },
    says: 'Login failed',
    note: 'It sends nothing but Ogg, and only says `Login failed`. Use ffmpeg from Ogg.',
  },
  {
    name: 'libshout',
    program: "libshout's `shout`",
    command: 'shout --format webm --host HOST --port 8080 --mount /live/NAME.webm --pass KEY < film.webm',
    says: 'Error setting format',
    note: "Debian 12's `shout` says `Error setting format` and does not connect. Use `shout2send` or ffmpeg.",
  },
  {
    name: 'curl',
    program: '`curl`, from a live program',
    command: `${FILM} ${VP8} -c:a libopus -f webm - | curl -T - http://HOST:8080/publish/NAME`,
    note: '',
  },
  {
    name: 'file',
    program: '`curl`, a file',
    command: 'curl -T film.webm http://HOST:8080/publish/NAME',
    note: 'The whole film is over at once. `videostream push` sends it in real time.',
  },
  {
    name: 'push',
    program: '`videostream push`',
    command: 'videostream push film.webm ws://HOST:8080/publish/NAME',
    note: '`--loop` repeats the file.',
  },
  {
    name: 'chromium',
    program: 'Chromium',
    command: "chromium 'http://HOST:8080/publish/NAME?source=camera&auto'",
    browser: 'chromium',
    note: 'Cameras need `localhost` or `https://`.',
  },
  {
    name: 'firefox',
    program: 'Firefox',
    command: "firefox 'http://HOST:8080/publish/NAME?source=camera&auto'",
    browser: 'firefox',
    note: 'Cameras need `localhost` or `https://`.',
  },
];
