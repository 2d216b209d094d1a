// A page names every module that its script imports, so that a browser fetches all of them at once
// rather than one after another.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const WEB = new URL('../../web/', import.meta.url);
const PAGES = [
  'dashboard/dashboard.html',
  'home/home.html',
  'publish/publish.html',
  'recordings/recordings.html',
  'recordings/stream.html',
  'watch/watch.html',
];
const read = (path) => readFileSync(new URL(path, WEB), 'utf8');

/** Paths of the modules that `path` imports, and those import. */
function importsOf(path, found = new Set()) {
  for (const [, place] of read(path).matchAll(/^(?:import|export)\b[^;]*?\bfrom '([^']+)';/gm)) {
    const imported = new URL(place, new URL(path, WEB)).href.slice(WEB.href.length);
    if (found.has(imported)) continue;
    found.add(imported);
    importsOf(imported, found);
  }
  return found;
}

const hrefs = (html, pattern) => [...html.matchAll(pattern)].map(([, href]) => href.replace(/^(\.\.\/)?assets\//, ''));

test('every page names the modules of its script, each once, and no other', () => {
  for (const page of PAGES) {
    const html = read(page);
    const scripts = hrefs(html, /<script type="module" src="([^"]+)"/g);
    assert.deepEqual(scripts, [page.replace('.html', '.js')]);
    const named = hrefs(html, /<link rel="modulepreload" href="([^"]+)">/g);
    assert.deepEqual(named.toSorted(), [...importsOf(scripts[0])].sort(), page);
  }
});

test('these are all the pages that there are', () => {
  const files = readdirSync(WEB, { recursive: true }).filter((name) => name.endsWith('.html'));
  assert.deepEqual(files.sort(), PAGES);
});

/** Loaded by the few viewers that want it: named by no page. */
function importsOnDemand(path) {
  return [...read(path).matchAll(/\bawait import\('([^']+)'\)/g)].map(([, place]) =>
    new URL(place, new URL(path, WEB)).href.slice(WEB.href.length),
  );
}

test('every script is of use to a page', () => {
  const used = new Set(PAGES.flatMap((page) => [page.replace('.html', '.js'), ...importsOf(page.replace('.html', '.js'))]));
  for (const path of [...used]) {
    for (const imported of importsOnDemand(path)) {
      assert.ok(!used.has(imported), `${imported} is loaded by all`);
      used.add(imported);
      importsOf(imported, used);
    }
  }
  for (const path of [...used]) {
    // Workers and worklets.
    for (const [, place] of read(path).matchAll(/new URL\('([^']+)', import\.meta\.url\)/g)) {
      const worker = new URL(place, new URL(path, WEB)).href.slice(WEB.href.length);
      used.add(worker);
      importsOf(worker, used);
    }
  }
  const scripts = readdirSync(WEB, { recursive: true }).filter((name) => name.endsWith('.js'));
  assert.deepEqual(scripts.sort(), [...used].sort());
});
