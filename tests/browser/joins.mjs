// Measures a person's first visits. Not a test: by hand,
//
//   node joins.mjs [--joins 15] [--json]
//
// The time from the navigation to the first picture, each time with a new profile, on this machine, with a
// slower processor, and on slower lines; and the bytes and requests of each page, on a first and on a
// second visit. The stream is a VP8 picture of 640x360 with sound, one keyframe a second.

import { parseArgs } from 'node:util';
import { cpus, loadavg } from 'node:os';
import { Lab, sleep } from './lab.mjs';
import { Media } from './media.mjs';
import { CONDITIONS, newPerson, visit } from './visit.mjs';

const { values: options } = parseArgs({
  options: {
    joins: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});

/** How long a new window loads its own parts, such as the menus of its address bar. A person follows a link later. */
const WINDOW_RESTS_MS = 2500;
const STEPS = ['parsedMs', 'socketMs', 'openMs', 'mediaMs', 'appendMs', 'frameMs'];
const PAGES = {
  home: '/',
  viewer: '/live/demo',
  embed: '/live/demo?embed',
  publisher: '/publish/other',
  dashboard: '/dashboard',
  recordings: '/recordings',
};

const lab = new Lab();
const media = new Media();
try {
  const server = await lab.server();
  await lab.push(
    server,
    'demo',
    media.make('demo.webm', { rate: 30, keyframeEvery: 30, video: ['libvpx', '-deadline', 'realtime', '-s', '640x360'] }),
  );
  const tab = await lab.chromium();
  const browser = tab.page.context().browser();
  const result = { machine: `${cpus().length} × ${cpus()[0].model}`, load: loadavg()[0], joins: {}, pages: {} };
  for (const [name, conditions] of Object.entries(CONDITIONS)) {
    if (!name.includes(options.only)) continue;
    const visits = [];
    for (let i = 0; i < Number(options.joins); i += 1) {
      const person = await newPerson(browser, conditions);
      // Anywhere in a GOP.
      await sleep(WINDOW_RESTS_MS + 137 * (i % 7));
      visits.push(await visit(person, server.url('/live/demo'), { forPicture: true }));
      await person.close();
    }
    result.joins[name] = Object.fromEntries(STEPS.map((step) => [step, spread(visits.map((each) => each[step]))]));
  }
  for (const [name, path] of Object.entries(PAGES)) {
    const person = await newPerson(browser);
    const how = { settleMs: 1500, ...(path.startsWith('/live/') ? { forPicture: true } : {}) };
    const first = await visit(person, server.url(path), how);
    const second = await visit(person, server.url(path), how);
    await person.close();
    result.pages[name] = { first, second };
  }
  if (options.json) console.log(JSON.stringify(result, null, 2));
  else print(result);
} finally {
  await lab.close();
  media.close();
}

function spread(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return { median: Math.round(sorted[sorted.length >> 1]), worst: Math.round(sorted.at(-1)) };
}

function print({ machine, load, joins, pages }) {
  console.log(`${machine}, load ${load.toFixed(1)}; milliseconds from the navigation, median (worst of ${options.joins})\n`);
  console.log('| line | page read | socket begins | socket open | media | first append | first picture |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const [name, steps] of Object.entries(joins)) {
    console.log(`| ${[name, ...STEPS.map((step) => `${steps[step].median} (${steps[step].worst})`)].join(' | ')} |`);
  }
  console.log('\n| page | first visit | second visit | layout shift |\n| --- | --- | --- | --- |');
  const told = ({ bytes, requests }) => `${(bytes / 1000).toFixed(1)} KB, ${requests.length} requests`;
  for (const [name, { first, second }] of Object.entries(pages)) {
    console.log(`| ${name} | ${told(first)} | ${told(second)} | ${first.shift.toFixed(3)} |`);
  }
}
