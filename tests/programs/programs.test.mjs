// The promise: docs/programs.md tells what real programs do with this server.
//
// UPDATE_DOCS=1 writes that page.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, sleep, until } from '../browser/lab.mjs';
import { BINARY } from '../browser/server.mjs';
import { STREAMS, inOrder, makeFilms, probe } from './media.mjs';
import { page } from './page.mjs';
import { Program } from './program.mjs';
import { PUBLISHING } from './publishing.mjs';
import { WATCHING } from './watching.mjs';

const PAGE = fileURLToPath(new URL('../../docs/programs.md', import.meta.url));
const KEY = 'correct-horse';

/** How long a publisher is on air: three keyframes of the table's commands. */
const ON_AIR_S = 4.3;
/** What a program must at least show for its row: a second of pictures, and of Opus or Vorbis. */
const ENOUGH = { pictures: 25, sounds: 40 };
const KEYFRAMES_ENOUGH = 2;
/** Chromium wants seconds of H.264 before it begins. */
const WITHIN_MS = 20_000;
const ASK_EVERY_MS = 300;

const lab = new Lab();
const browsers = {};
let films;
let open;
let locked;
let env;

// Each of what a lab starts listens.
process.setMaxListeners(30);

before(async () => {
  [films, open, locked] = await Promise.all([makeFilms(), lab.server(), lab.server({ args: ['--publish-key', KEY] })]);
  const bin = join(films.folder, 'bin');
  await mkdir(bin);
  await symlink(resolve(BINARY), join(bin, 'videostream'));
  env = { PATH: `${bin}${delimiter}${process.env.PATH}` };
  [browsers.chromium, browsers.firefox] = await Promise.all([lab.chromium(), lab.firefox()]);
});
after(async () => {
  await lab.close();
  await films?.close();
});

/** A row's text with a server's own values in it. */
const filled = (text, { port }, name) =>
  text.replaceAll('HOST', '127.0.0.1').replaceAll('8080', port).replaceAll('KEY', KEY).replaceAll('NAME', name);

async function start(row, server, name, { command = row.command, more = {}, folder = films.folder } = {}) {
  const fill = (text) =>
    filled(
      Object.entries(more).reduce((all, [from, to]) => all.replaceAll(from, to), text),
      server,
      name,
    );
  for (const [file, text] of Object.entries(row.files ?? {})) await writeFile(join(folder, file), fill(text));
  return new Program(fill(command), { folder, env: { ...env, ...row.env } });
}

/** Saves what a viewer gets until it is closed. */
function watch(url, file) {
  const aborter = new AbortController();
  const { signal } = aborter;
  const pieces = [];
  const read = async () => {
    const response = await fetch(url, { signal });
    // Icecast has no stream until its relay is connected.
    if (!response.ok) return;
    for await (const piece of response.body) pieces.push(piece);
  };
  const done = (async () => {
    while (!signal.aborted) {
      await read().catch(() => {});
      await sleep(ASK_EVERY_MS);
    }
  })();
  return {
    pieces,
    async close() {
      aborter.abort();
      await done;
      await writeFile(file, Buffer.concat(pieces));
    },
  };
}

/** Why the server refused these media, in its own words. */
const refusalOf = (server, name) => server.log.match(new RegExp(`refused: (.*?) client=.*address="/\\w+/${name}[."].*reason="media"`))?.[1];

async function publish(t, row) {
  const { name } = row;
  // A server leaves out lines where it refuses much: so here it refuses only this.
  const server = row.isRefused ? await lab.server() : row.command.includes('KEY') ? locked : open;
  const file = join(films.folder, `${name}.seen`);
  const viewer = watch(server.url(`/live/${name}.webm`), file);
  await until('a viewer', async () => (await server.stream(name))?.viewers === 1);
  const program = row.browser ? await openPage(row, server) : await start(row, server, name);
  const isOver = async () => {
    const stream = await server.stream(name);
    // Firefox writes few keyframes.
    const isSeen = stream?.uptime_s >= ON_AIR_S && (!row.browser || stream.keyframe_interval_ms > 0);
    return program.hasEnded || refusalOf(server, name) || isSeen;
  };
  await until(`${name} over`, isOver, { withinMs: WITHIN_MS });
  await program.stop();
  await sleep(ASK_EVERY_MS);
  await viewer.close();
  const seen = viewer.pieces.length > 0 ? await probe(file) : { codecs: [] };
  t.diagnostic(`${name}: ${JSON.stringify(seen)}`);
  const hasPictures = seen.keyframes >= KEYFRAMES_ENOUGH && seen.pictures >= ENOUGH.pictures;
  if (seen.pictures > 0 ? hasPictures : seen.sounds >= ENOUGH.sounds) return { ...row, found: inOrder(seen.codecs) };
  if (row.says) assert.ok(program.output.includes(row.says), program.output);
  else t.diagnostic(program.output.slice(-1000));
  const refusal = row.isRefused && (await until(`a refusal of ${name}`, () => refusalOf(server, name)));
  return { ...row, found: refusal ? `nothing: “${refusal}”` : 'nothing' };
}

/** A publisher page, as if it were a program. */
async function openPage(row, server) {
  const tab = browsers[row.browser];
  const [address] = row.command.match(/http[^']+/);
  await tab.open(filled(address, server, row.name));
  return { hasEnded: false, output: '', stop: () => tab.open('about:blank') };
}

async function countByCommand(t, row, name) {
  const command = row.unseen?.(row.command) ?? row.command;
  const folder = await mkdtemp(join(films.folder, 'watching-'));
  const program = await start(row, open, name, { command, folder });
  if (row.makes) {
    await program.ended;
    return probe(join(folder, row.makes));
  }
  let counted;
  const isEnough = async () => {
    if (row.ask) program.say(row.ask);
    counted = row.count(program.output);
    const { video } = STREAMS[name];
    return program.hasEnded || (counted.sounds >= ENOUGH.sounds && (!video || counted.pictures >= ENOUGH.pictures));
  };
  await until(`enough of ${name}`, isEnough, { withinMs: WITHIN_MS, everyMs: ASK_EVERY_MS }).catch(() => {
    t.diagnostic(program.output.slice(-1000));
  });
  await program.stop();
  return counted;
}

async function countByRelay(t, row, name) {
  const port = await freePort();
  const folder = await mkdtemp(join(films.folder, 'relaying-'));
  const program = await start(row, open, name, { more: { RELAY_PORT: port }, folder });
  const file = join(folder, 'relayed');
  const listener = watch(`http://127.0.0.1:${port}/${name}.webm`, file);
  await until('the relay', () => program.hasEnded || listener.pieces.length > 0).catch(() => {});
  await sleep(2500);
  await listener.close();
  await program.stop();
  if (listener.pieces.length === 0) t.diagnostic(program.output.slice(-1000));
  return listener.pieces.length > 0 ? probe(file) : { pictures: 0, sounds: 0 };
}

async function countByBrowser(t, row, name) {
  const tab = browsers[row.browser];
  const [address] = row.command.match(/http.+/);
  await tab.open(filled(address, open, name));
  await tab.reaches('playing', { withinMs: WITHIN_MS }).catch((error) => t.diagnostic(error.message));
  const seen = { pictures: 0, sounds: 0 };
  const isEnough = async () => {
    const { shown, hasSound, advancedMs } = await tab.frames();
    seen.pictures += shown;
    // A page counts no sound: here it is what Opus has in the time that was played.
    if (hasSound) seen.sounds += Math.round(advancedMs / 20);
    return seen.sounds >= ENOUGH.sounds && (!STREAMS[name].video || seen.pictures >= ENOUGH.pictures);
  };
  await until('enough', isEnough, { withinMs: WITHIN_MS / 2 }).catch(() => {});
  await tab.open('about:blank');
  return seen;
}

async function watchAll(t, row) {
  const count = row.browser ? countByBrowser : row.relays ? countByRelay : countByCommand;
  const codecs = [];
  const look = async (name) => {
    const { video, audio } = STREAMS[name];
    const seen = await count(t, row, name);
    t.diagnostic(`${row.program}, ${name}: ${JSON.stringify(seen)}`);
    if (video && seen.pictures >= ENOUGH.pictures) codecs.push(video);
    if (audio && seen.sounds >= ENOUGH.sounds) codecs.push(audio);
  };
  const names = row.streams ?? Object.keys(STREAMS);
  // What decodes nothing costs next to nothing.
  if (row.makes || row.relays) await Promise.all(names.map(look));
  else for (const name of names) await look(name);
  return { ...row, found: inOrder(codecs) };
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

test('programs publish and watch as the page says', { concurrency: 6 }, async (t) => {
  for (const [name, { file }] of Object.entries(STREAMS)) await lab.push(open, name, join(films.folder, file));
  const found = new Map();
  const judge = async (each, row) => found.set(row, await (WATCHING.includes(row) ? watchAll : publish)(each, row));
  const rows = [...WATCHING, ...PUBLISHING];
  // A browser has one page. What takes longest begins first.
  const ofBrowsers = ['firefox', 'chromium'].map((browser) => rows.filter((row) => row.browser === browser));
  const groups = [...ofBrowsers, ...rows.filter((row) => !row.browser).map((row) => [row])];
  await Promise.all(
    groups.map((group) =>
      t.test(group[0].program, async (each) => {
        for (const row of group) await judge(each, row);
      }),
    ),
  );
  const text = page(
    PUBLISHING.map((row) => found.get(row)),
    WATCHING.map((row) => found.get(row)),
  );
  if (process.env.UPDATE_DOCS) await writeFile(PAGE, text);
  assert.equal(await readFile(PAGE, 'utf8'), text, 'docs/programs.md differs from what was found: see UPDATE_DOCS there');
});
