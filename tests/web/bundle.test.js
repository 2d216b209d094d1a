// The scripts that a browser gets do what the modules in `web/` do.

import test, { before } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Comparison, exportsOf, importsOf, isLoader, isLoading, loading, parse, walk } from './same-script.js';
import { PAGES, served } from './served.js';

const WEB = new URL('../../web/', import.meta.url);
const read = (path) => readFileSync(new URL(path, WEB), 'utf8');
const all = (end) =>
  readdirSync(WEB, { recursive: true })
    .filter((name) => name.endsWith(end) && !name.endsWith('.test.js'))
    .sort();
/** The path of what the module `from` calls `place`. */
const resolve = (from, place) => new URL(place, new URL(from, WEB)).href.slice(WEB.href.length);

/** Of each path. */
const modules = new Map();
/** Variables of all modules: what one imports is the other's. */
let variables;
/** Which module a node is in that names another file. */
const owners = new Map();
let pages;
let player;
let scripts;

before(async () => {
  const { pages: documents, files, modules: lists } = await served();
  pages = documents;
  player = files.get('player.js');
  for (const path of all('.js')) {
    const module = parse(read(path));
    modules.set(path, module);
    walk(module.ast, (node) => owners.set(node, path));
  }
  variables = linked();
  scripts = new Map();
  for (const [name, text] of files) if (name.endsWith('.js')) scripts.set(name, takenApart(name, text, lists[name]));
  // A script in a page itself is the one beside it.
  for (const [page, html] of pages) {
    const path = `${page.split('/')[0]}/early.js`;
    for (const [, text] of html.matchAll(/<script>(.*?)<\/script>/gs)) scripts.set(path, takenApart(path, text, [path]));
  }
});

function linked() {
  const imported = new Map();
  for (const [path, module] of modules) {
    for (const one of importsOf(module)) {
      const variable = exportsOf(modules.get(resolve(path, one.path))).get(one.imported);
      assert.ok(variable, `${path} imports ${one.imported}`);
      imported.set(one.variable, variable);
    }
  }
  const origin = (variable) => (imported.has(variable) ? origin(imported.get(variable)) : variable);
  const own = [...modules.values()].flatMap((module) => [...module.variables]);
  return new Map(own.map(([identifier, variable]) => [identifier, origin(variable)]));
}

/** What a module exports: name → variable. */
const exported = (path) => new Map([...exportsOf(modules.get(path))].map(([name, variable]) => [name, variables.get(variable)]));

/**
 * A bundle's statements, and on demand also what it is given and what it returns.
 *
 *   let made;export default(a,b)=>made??=(()=>{ … return{c:d}})();
 */
function takenApart(name, text, paths) {
  const script = parse(text);
  const body = script.ast.body.filter((node) => !isLoader(node));
  const main = body.find(({ type }) => type === 'ExportDefaultDeclaration');
  if (!main) return { name, script, paths, body, given: [], returned: null };
  const inner = main.declaration.body.right.callee.body.body;
  assert.equal(inner.at(-1).type, 'ReturnStatement');
  const returned = inner.at(-1).argument.properties;
  return { name, script, paths, body: inner.slice(0, -1), given: main.declaration.params, returned };
}

test('every page names the script that begins with its own module, or one for each player', () => {
  // The page for errors has no script.
  assert.deepEqual(all('.html'), [...Object.values(PAGES), 'errors/error.html'].sort());
  for (const [page, html] of pages) {
    const named = [...html.matchAll(/="(?:\.\.\/)?assets\/([^"]+\.js)"/g)].map(([, name]) => scripts.get(name).paths.at(-1));
    const isTagged = /<script type="module" src="/.test(html);
    if (page === 'watch/watch.html') assert.deepEqual([named, isTagged], [['watch/watch-codecs.js', 'watch/watch-mse.js'], false]);
    else assert.deepEqual([named, isTagged], [[page.replace('.html', '.js')], true]);
  }
});

test('every module in web is of use to a page, and is once in each script', () => {
  const used = new Set();
  for (const { name, paths } of scripts.values()) {
    assert.equal(new Set(paths).size, paths.length, name);
    for (const path of paths) used.add(path);
  }
  assert.deepEqual(all('.js'), [...used].sort());
});

test('scripts import nothing', () => {
  for (const { name, script } of scripts.values()) {
    for (const { type, source } of script.ast.body) {
      assert.ok(type !== 'ImportDeclaration' && !source, name);
    }
  }
});

test('a script does what its modules do that are written, and hands on what others import', () => {
  // Those on demand wait for one that loads them.
  const waiting = new Set(scripts.values());
  const given = new Map();
  while (waiting.size) {
    const next = [...waiting].find(({ name, returned }) => !returned || given.has(name));
    assert.ok(next, `no script loads ${[...waiting].map(({ name }) => name)}`);
    waiting.delete(next);
    try {
      compare(next, given);
    } catch (error) {
      error.message = `${next.name}: ${error.message}`;
      throw error;
    }
  }
});

/** The name that leads to a script, from `assets/` or from beside it. */
const nameAt = (place) => place.replace(/^\.\/(assets\/)?/, '');

/** Compares a script with its modules. `given`: what scripts are handed, by their names; this adds what it hands over. */
function compare({ name, script, paths, body, given: parameters, returned }, given) {
  const begin = (place) => scripts.get(nameAt(place))?.paths.at(-1) ?? nameAt(place).replace(/-[0-9a-f]{10}(?=\.\w+$)/, '');
  const pairs = (properties, own) => {
    assert.deepEqual(properties.map(({ key }) => key.name).sort(), [...own.keys()].sort(), 'exports');
    for (const { key, value } of properties) comparison.pair(own.get(key.name), script.variables.get(value), key.name);
  };
  const comparison = new Comparison({ variables }, script, {
    onDemand: (written, made) => {
      const wanted = resolve(owners.get(written), written.source.value);
      const loaded = loading(made);
      if (loaded.name) assert.equal(begin(loaded.name), wanted);
      else pairs(loaded.properties, exported(wanted));
    },
    url: (written, made) => assert.equal(begin(made), resolve(owners.get(written), written.arguments[0].value)),
  });
  const handed = given.get(name) ?? [];
  assert.equal(parameters.length, handed.length);
  parameters.forEach((parameter, at) => comparison.pair(handed[at], script.variables.get(parameter), parameter.name));
  comparison.statements(
    paths.flatMap((path) => modules.get(path).ast.body),
    body,
  );
  const own = exported(paths.at(-1));
  if (returned) pairs(returned, own);
  else {
    // What an entry exports keeps its name.
    const made = exportsOf(script);
    assert.deepEqual([...made.keys()].sort(), [...own.keys()].sort(), 'exports');
    for (const [each, variable] of made) comparison.pair(own.get(each), variable, each);
  }
  walk(script.ast, (node) => {
    const loaded = isLoading(node) ? loading(node) : null;
    if (!loaded?.name) return;
    const over = loaded.given.map((each) => comparison.standsFor(script.variables.get(each)));
    assert.ok(!over.includes(undefined), `${loaded.name} is handed what is no variable`);
    // The same, whichever script loads it.
    assert.deepEqual(over, given.get(nameAt(loaded.name)) ?? over, loaded.name);
    given.set(nameAt(loaded.name), over);
  });
}

test('the player for other sites is small', () => {
  const size = gzipSync(player, { level: 9 }).length;
  assert.ok(size < 25 * 1024, `${size} bytes`);
});

test('a bundle that does something else is noticed', () => {
  const same = (written, made) => {
    const [source, bundle] = [parse(written), parse(made)];
    new Comparison(source, bundle, {}).statements(source.ast.body, bundle.ast.body);
  };
  same('let a = 1; export function b(c) { return { a, c }; }', 'let d=1;function e(a){return{a:d,c:a}}');
  same('const a = 1; const b = 2, c = a; f(b, c);', 'const a=1,b=2,c=a;f(b,c);');
  same('class A { #b; c() { return this.#b; } } function d() {}', 'class A{#c;c(){return this.#c}}');
  for (const [written, made] of [
    ['let a = 1; f(a);', 'let b=1;f(a);'],
    ['let a = 1; f(b);', 'let b=1;f(b);'],
    ['let a, b; f(a, b);', 'let a,b;f(b,a);'],
    ['let a, b; f(a, b);', 'let a;f(a,a);'],
    ['f(() => { let a; g(a); });', 'f(()=>{let a});'],
    ['function a() {} a();', 'a();'],
    ['f(a.b);', 'f(a.c);'],
    ['f({ a });', 'f({b:a});'],
    ['f(/a/);', 'f(/b/);'],
    ['f(`a `);', 'f(`a`);'],
    ['f(1); g();', 'f(1);'],
    ['class A { #b; #c; d() { return this.#b; } }', 'class A{#b;#c;d(){return this.#c}}'],
  ]) {
    assert.throws(() => same(written, made), assert.AssertionError, `${written} ${made}`);
  }
});
