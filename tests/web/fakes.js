// What browsers have and Node has not, as far as the players and the broadcast use it.

/** Time that passes when a test says so, for `performance.now` and all timers. */
export class Clock {
  nowMs = 100_000;
  #timers;

  /** `t` is the test's context: with the test, the clock ends. */
  constructor(t) {
    this.#timers = t.mock.timers;
    this.#timers.enable({ apis: ['setTimeout', 'setInterval'] });
    t.mock.method(performance, 'now', () => this.nowMs);
  }

  /** `each()` runs before every step. */
  pass(ms, each = () => {}) {
    for (let passedMs = 0; passedMs < ms; passedMs += 10) {
      each();
      this.nowMs += 10;
      this.#timers.tick(10);
    }
  }
}

/** Puts globals in place until the test ends. */
export function withGlobals(t, globals) {
  for (const [name, value] of Object.entries(globals)) {
    const former = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => {
      if (former) Object.defineProperty(globalThis, name, former);
      else delete globalThis[name];
    });
  }
}

/** What was called resolves before a test goes on. */
export const settled = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function timeRanges(ranges) {
  return { length: ranges.length, start: (i) => ranges[i][0], end: (i) => ranges[i][1] };
}

/** A SourceBuffer that finishes each operation when told to. */
export class FakeBuffer extends EventTarget {
  updating = false;
  /** Bytes of each append, and words for the rest. */
  log = [];
  ranges = [];

  constructor(type = '') {
    super();
    this.type = type;
  }

  get buffered() {
    return timeRanges(this.ranges);
  }

  appendBuffer(data) {
    this.updating = true;
    this.log.push(data);
  }

  remove(from, to) {
    this.updating = true;
    this.log.push(`remove ${from} ${to}`);
  }

  changeType(mime) {
    this.log.push(mime);
  }

  done() {
    this.updating = false;
    this.dispatchEvent(new Event('updateend'));
  }
}

/** A MediaSource that is open once told to. */
export class FakeMediaSource extends EventTarget {
  /** Oldest first. */
  static made = [];
  static isTypeSupported = () => true;
  readyState = 'closed';
  duration = NaN;
  buffers = [];

  constructor() {
    super();
    FakeMediaSource.made.push(this);
  }

  addSourceBuffer(type) {
    if (this.refuses) throw new Error(this.refuses);
    this.buffers.push(new FakeBuffer(type));
    return this.buffers.at(-1);
  }

  open() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('sourceopen'));
  }
}

export class FakeVideo extends EventTarget {
  src = '';
  currentTime = 0;
  playbackRate = 1;
  paused = false;
  seeking = false;
  readyState = 0;
  error = null;
  ranges = [];
  loads = 0;

  get buffered() {
    return timeRanges(this.ranges);
  }

  removeAttribute() {
    this.src = '';
  }

  load() {
    this.loads += 1;
  }

  say(type) {
    this.dispatchEvent(new Event(type));
  }
}

/** A WebSocket whose other end is the test. */
export class FakeSocket {
  static OPEN = 1;
  /** Oldest first. */
  static made = [];
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  closedWith = null;

  constructor(url) {
    this.url = url;
    FakeSocket.made.push(this);
  }

  send(data) {
    this.sent.push(data);
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  /** It is open, and the server says something. */
  open() {
    this.readyState = 1;
    this.onopen({ type: 'open' });
  }

  say(message) {
    this.onmessage({ type: 'message', data: JSON.stringify(message) });
  }

  /** The other end closes, or the way there breaks. */
  end(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ type: 'close', code, reason });
  }
}

/** A MediaRecorder whose data comes when told to. */
export class FakeRecorder {
  /** Oldest first. */
  static made = [];
  state = 'inactive';

  constructor(media, options) {
    Object.assign(this, { media, options, mimeType: options.mimeType });
    FakeRecorder.made.push(this);
    if (FakeRecorder.refuses) throw new Error(FakeRecorder.refuses);
  }

  start() {
    this.state = 'recording';
  }

  stop() {
    this.state = 'inactive';
  }

  give(size) {
    this.ondataavailable?.({ data: { size } });
  }

  /** The last data, after `stop()`. */
  end(size = 0) {
    this.state = 'inactive';
    this.give(size);
    this.onstop?.();
  }
}
