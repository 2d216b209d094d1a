// One page of one browser, the same to a test whichever browser it is.
//
// playwright-core and puppeteer-core agree on most of what is used here; `page` is theirs.

import { probe } from './probe.mjs';
import { until } from './lab.mjs';

export class Tab {
  browserName;
  page;
  /** Console warnings and errors, and exceptions, as text. */
  complaints = [];
  #browser;

  constructor(browserName, browser, page) {
    this.browserName = browserName;
    this.#browser = browser;
    this.page = page;
    page.on('console', (message) => {
      if (/^(error|warn|warning)$/.test(message.type())) this.complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.complaints.push(`exception: ${error.message}`));
    // "Leave the page?" Yes.
    page.on('dialog', (dialog) => dialog.accept().catch(() => {}));
  }

  /** Such as `firefox 153.7.0`. */
  async version() {
    return `${this.browserName} ${(await this.#browser.version()).replace(/^[a-z]+\//i, '')}`;
  }

  /** Before any page opens: what `window.probe` needs to know from the start. */
  async install() {
    if (this.browserName === 'chromium') await this.page.addInitScript(probe);
    else await this.page.evaluateOnNewDocument(probe);
  }

  /** Runs in each page that is opened from now on, before the page's own scripts. */
  beforePages(fn) {
    return this.browserName === 'chromium' ? this.page.addInitScript(fn) : this.page.evaluateOnNewDocument(fn);
  }

  async open(url) {
    // The media of a live page never ends, and need not have begun.
    await this.page.goto(url, { waitUntil: 'domcontentloaded' });
  }

  async reload() {
    await this.page.reload({ waitUntil: 'domcontentloaded' });
  }

  evaluate(fn, arg) {
    return this.page.evaluate(fn, arg);
  }

  press(key) {
    return this.page.keyboard.press(key);
  }

  click(selector) {
    return this.page.click(selector);
  }

  /** Ends the stream of a publisher page, which asks first. */
  async stop() {
    await this.click('#go');
    await this.click('#end');
  }

  state() {
    return this.evaluate(() => document.documentElement.dataset.state);
  }

  /** What the page says, in one string. */
  words() {
    return this.evaluate(() => document.getElementById('sentence').textContent);
  }

  /** Waits until what the page says matches: most words come a moment after their state. */
  async says(pattern, options) {
    let said;
    await until(`${this.browserName} says ${pattern}`, async () => pattern.test((said = await this.words())), options).catch((error) => {
      throw new Error(`${error.message}; it says: ${said}`);
    });
  }

  async reaches(state, options) {
    let seen;
    await until(
      `${this.browserName} page in state ${state}`,
      async () => {
        seen = await this.state().catch(() => 'between pages');
        return seen === state;
      },
      options,
    ).catch(async (error) => {
      throw new Error(`${error.message}; it is ${seen}: ${await this.words().catch(() => '')} ${this.complaints.join('; ')}`);
    });
  }

  /** Watches the frames that `window.probe` sees for a while. */
  frames(ms = 1500) {
    return this.evaluate((forMs) => window.probe.frames(forMs), ms);
  }

  /** `{ frameMs, playingMs }` since the page was opened, each null until it happened. */
  first() {
    return this.evaluate(() => window.probe.first);
  }

  violations() {
    return this.evaluate(() => window.probe.violations);
  }

  /** The `videostream.v1` messages that the page's sockets received, as objects. */
  messages(type) {
    return this.evaluate((wanted) => window.probe.messages.filter((each) => each.type === wanted), type);
  }

  async close() {
    await this.#browser.close().catch(() => {});
  }
}
