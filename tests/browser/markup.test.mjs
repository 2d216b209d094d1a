// What the Nu HTML checker thinks of every page, style sheet and picture in `web/`: nothing.

import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { basename, join } from 'node:path';

const WEB = fileURLToPath(new URL('../../web/', import.meta.url));
const CHECKER = fileURLToPath(new URL('node_modules/vnu-jar/build/dist/vnu.jar', import.meta.url));
const CHECKED = /\.(html|css|svg)$/;

/** Errors and warnings in these files, each in one line. */
function complaints(files) {
  const options = ['--also-check-css', '--also-check-svg', '--stdout', '--format', 'json'];
  const { stdout, stderr, error } = spawnSync('java', ['-jar', CHECKER, ...options, ...files], { encoding: 'utf8' });
  assert.equal(error, undefined, 'this test needs java: install default-jre-headless');
  const report = stdout.trim() ? JSON.parse(stdout) : null;
  assert.ok(report, stderr);
  return report.messages.map(({ url, lastLine, type, message }) => `${basename(url)}:${lastLine ?? ''}: ${type}: ${message}`);
}

/** The checker knows no container queries: what is in them it reads as media queries. */
function withoutContainers(css) {
  return css.replaceAll(/@container stage \(/g, '@media (').replaceAll('; container: stage / size;', ';');
}

test('the checker finds nothing in any page, style sheet or picture', () => {
  const files = readdirSync(WEB, { recursive: true }).filter((name) => CHECKED.test(name));
  assert.ok(files.filter((name) => name.endsWith('.html')).length >= 3, files.join());
  const folder = mkdtempSync(join(tmpdir(), 'markup-'));
  try {
    const checked = files.map((name, i) => {
      if (!name.endsWith('.css')) return join(WEB, name);
      const copy = join(folder, `${i}-${basename(name)}`);
      writeFileSync(copy, withoutContainers(readFileSync(join(WEB, name), 'utf8')));
      return copy;
    });
    assert.deepEqual(complaints(checked), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the checker finds faults', () => {
  const folder = mkdtempSync(join(tmpdir(), 'markup-'));
  try {
    const page = join(folder, 'page.html');
    writeFileSync(page, '<!doctype html><html><head><title>A</title></head><body><img src="a"></p></body></html>');
    const style = join(folder, 'style.css');
    writeFileSync(style, 'a { colour: red; }');
    const found = complaints([page, style]);
    for (const [file, kind] of [
      ['page.html', 'error'],
      ['page.html', 'info'],
      ['style.css', 'error'],
    ]) {
      const isIt = (line) => line.startsWith(`${file}:`) && line.includes(`: ${kind}: `);
      assert.ok(found.some(isIt), found.join('\n'));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
