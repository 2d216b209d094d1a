// The npm package of the player: its types are made from the scripts' own comments, and it has all that the
// module imports.
//
//   node tests/web/player-package.js           says what is not as it should be
//   node tests/web/player-package.js --write   writes the types

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const WEB = resolve(HERE, '../../web');
const ENTRY = 'client/player.js';
/** What importers see; nothing else is named in it. Beside the scripts, they would hide these from tsc. */
const TYPES = ['player', 'stream-player', 'video-stream'].map((name) => `client/types/${name}.d.ts`);
/** No comment of a script can say this. */
const GLOBAL = `
declare global {
  interface HTMLElementTagNameMap {
    'video-stream': VideoStreamElement;
  }
}
`;

/** The types as the scripts have them now, by their paths in `web/`. */
function typesNow() {
  const folder = mkdtempSync(join(tmpdir(), 'videostream-types-'));
  try {
    const options = ['--declaration', '--emitDeclarationOnly', '--allowJs', '--checkJs', '--strict', '--skipLibCheck'];
    const target = ['--target', 'ES2023', '--module', 'ES2022', '--moduleResolution', 'bundler', '--lib', 'ES2023,DOM,DOM.Iterable'];
    const files = ['--types', '', '--rootDir', WEB, '--outDir', folder, join(WEB, ENTRY)];
    execFileSync(join(HERE, 'node_modules/.bin/tsc'), [...options, ...target, ...files], { stdio: ['ignore', 'inherit', 'inherit'] });
    return TYPES.map((path) => [path, readFileSync(join(folder, path.replace('types/', '')), 'utf8') + (path === TYPES[0] ? GLOBAL : '')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** All modules that a file imports, itself first; types are no imports. */
export function importsOf(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  const source = readFileSync(join(WEB, path), 'utf8').replace(/\/\*[^]*?\*\//g, '');
  const imports = /(?:^import\s[^'"]*|^export\s[^'"]*from\s*|\bimport\(|\bnew URL\()\s*['"](\.[^'"]+)['"]/gm;
  for (const [, target] of source.matchAll(imports)) importsOf(relative(WEB, resolve(WEB, dirname(path), target)), found);
  return found;
}

function check() {
  for (const [path, text] of typesNow()) {
    const kept = readFileSync(join(WEB, path), 'utf8');
    assert.equal(kept, text, `web/${path} is old: node tests/web/player-package.js --write`);
    for (const [, named] of text.matchAll(/(?:from |import\()'\.\/([^']+)\.js'/g)) {
      assert.ok(TYPES.includes(`client/types/${named}.d.ts`), `${path} names ${named}`);
    }
  }
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--offline'], { cwd: WEB }));
  const names = packed.files.map(({ path }) => path).sort();
  const needed = new Set([...importsOf(ENTRY), ...TYPES, 'README.md', 'package.json']);
  assert.deepEqual([...needed].filter((name) => !names.includes(name)).sort(), [], 'these are missing in web/package.json');
  // A player of the pages alone does no harm.
  assert.deepEqual(
    names.filter((name) => !needed.has(name) && !name.startsWith('player/')),
    [],
    'the package needs none of these',
  );
  console.log(`${packed.filename}: ${names.length} files, ${packed.size} bytes`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) for (const [path, text] of typesNow()) writeFileSync(join(WEB, path), text);
  else check();
}
