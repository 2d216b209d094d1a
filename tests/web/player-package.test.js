import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { importsOf } from './player-package.js';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const about = JSON.parse(read('web/package.json'));

test('the package has the version of the program', () => {
  const [, version] = /^version = "(.+)"$/m.exec(read('Cargo.toml'));
  assert.equal(about.version, version);
});

test('what the package leads to is there', () => {
  const { types, default: module } = about.exports['.'];
  for (const path of [types, module, about.types, ...about.sideEffects])
    assert.ok(existsSync(new URL(`../../web/${path}`, import.meta.url)), path);
});

test('the module imports only what is for it: nothing of a page', () => {
  const imports = [...importsOf('client/player.js')];
  const pages = ['watch.js', 'view.js', 'controls.js', 'server.js', 'also-live.js'].map((name) => `watch/${name}`);
  assert.ok(imports.includes('player/codecs/sound-worklet.js') && imports.length > 30, imports.join());
  assert.deepEqual(
    imports.filter((path) => pages.includes(path) || /^(home|publish|dashboard|recordings)\//.test(path)),
    [],
  );
});

test('importing it where there is no document does not fail', async () => {
  const { watch, VideoStreamElement, StreamPlayer } = await import('../../web/client/player.js');
  assert.deepEqual(
    [watch, VideoStreamElement, StreamPlayer].map((each) => typeof each),
    ['function', 'function', 'function'],
  );
});
