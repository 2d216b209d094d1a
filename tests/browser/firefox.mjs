// Firefox with a fake camera and microphone, through puppeteer-core and WebDriver BiDi.

import puppeteer from 'puppeteer-core';
import { Tab } from './tab.mjs';

const BINARY = process.env.VIDEOSTREAM_FIREFOX ?? '/usr/bin/firefox-esr';
const PREFERENCES = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
};

/** Of `media.autoplay.default`. */
const [PLAYS_BY_ITSELF, PLAYS_NOTHING] = [0, 5];

/** Without `autoplay` nothing plays before a tap. `env` is added to its environment, `preferences` to its settings. */
export async function startFirefox({ width = 960, height = 640, autoplay = true, env = {}, preferences = {} } = {}) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    protocol: 'webDriverBiDi',
    executablePath: BINARY,
    headless: true,
    defaultViewport: { width, height },
    extraPrefsFirefox: { ...PREFERENCES, ...preferences, 'media.autoplay.default': autoplay ? PLAYS_BY_ITSELF : PLAYS_NOTHING },
    env: { ...process.env, ...env },
  });
  const tab = new Tab('firefox', browser, await browser.newPage());
  await tab.install();
  return tab;
}
