// Chromium with a fake camera and microphone, through playwright-core.

import { chromium } from 'playwright-core';
import { Tab } from './tab.mjs';

const BINARY = process.env.VIDEOSTREAM_CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
];
const PLAYS_BY_ITSELF = '--autoplay-policy=no-user-gesture-required';

/** Without it a shared tab is a moving test picture, and silent. */
const NOT_FOR_SHARING = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];

/**
 * `trusting` takes any certificate, as a person does who goes on behind the browser's warning.
 * `shares` is the title of the tab that is picked when a page wants to share one. `camera` is a file
 * (MJPEG) that the fake camera plays over and over. `touch` has a screen for fingers. Without `autoplay`
 * nothing sounds before a tap. `env` is added to its environment.
 */
export async function startChromium({
  width = 960,
  height = 640,
  trusting = false,
  shares = null,
  camera = null,
  touch = false,
  autoplay = true,
  env = {},
} = {}) {
  const browser = await chromium.launch({
    executablePath: BINARY,
    headless: true,
    env: { ...process.env, ...env },
    args: [
      '--headless=new',
      ...(autoplay ? [PLAYS_BY_ITSELF] : []),
      ...(shares
        ? [...ARGS.filter((each) => !NOT_FOR_SHARING.includes(each)), `--auto-select-tab-capture-source-by-title=${shares}`]
        : ARGS),
      ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : []),
    ],
    ...(shares ? { ignoreDefaultArgs: ['--headless', '--mute-audio'] } : {}),
  });
  const context = await browser.newContext({ viewport: { width, height }, ignoreHTTPSErrors: trusting, hasTouch: touch });
  const tab = new Tab('chromium', browser, await context.newPage());
  await tab.install();
  return tab;
}
