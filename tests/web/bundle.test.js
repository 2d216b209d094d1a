// The scripts that a browser gets do what the modules in `web/` do.

import test, { before } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Comparison, exportsOf, importsOf, isLoader, loading, parse } from './same-script.js';
import { PAGES, served } from './served.js';

const WEB = new URL('../../web/', import.meta.url);
const read = (path) => readFileSync(new URL(path, WEB), 'utf8');
const all = (end) =>
  readdirSync(WEB, { recursive: true })
    .filter((name) => name.endsWith(end) && !name.endsWith('.test.js'))
    .sort();
/** The path of what the module `from` calls `place`. */
const resolve = (from, place) => new URL(place, new URL(from, WEB)).href.slice(WEB.href.length);

/** @type {Map<string, { path: string, module: any }>} */
const modules = new Map();
let pages;
let player;
let scripts;

before(async () => {
  const { pages: documents, files, modules: lists } = await served();
  pages = documents;
  player = files.get('player.js');
  for (const path of all('.js')) modules.set(path, parse(read(path)));
  scripts = new Map();
  for (const [name, text] of files) if (name.endsWith('.js')) scripts.set(name, takenApart(name, text, lists[name]));
  // A script in a page itself is the one beside it.
  for (const [page, html] of pages) {
    const path = `${page.split('/')[0]}/early.js`;
    for (const [, text] of html.matchAll(/<script>(.*?)<\/script>/gs)) scripts.set(path, takenApart(path, text, [path]));
  }
});

/**
 * A bundle's modules, each with its statements, its imports and its exports.
 *
 *   const $0=(()=>{const{0:a}=$1; … return[b,c]})();
 */
function takenApart(name, text, inside) {
  const script = parse(text);
  let body = script.ast.body.filter((node) => !isLoader(node));
  let given = [];
  const main = body.find(({ type }) => type === 'ExportDefaultDeclaration');
  if (main) {
    // Loaded on demand: what it gets, and the block that runs once.
    given = main.declaration.params.map(({ name: parameter }) => parameter);
    body = main.declaration.body.right.callee.body.body;
    assert.equal(body.at(-1).type, 'ReturnStatement');
    body = body.slice(0, -1);
  }
  const parts = inside.map((path, index) => {
    const isEntry = !main && index === inside.length - 1;
    return { path, ...(isEntry ? { number: null, body: body.slice(index), returned: null } : unwrapped(body[index])) };
  });
  return { name, script, given, parts, isOnDemand: Boolean(main) };
}

/** `const $0=(()=>{ … return{…}})()` */
function unwrapped(declaration) {
  const [{ id, init }] = declaration.declarations;
  const body = (init.type === 'AwaitExpression' ? init.argument : init).callee.body.body;
  const last = body.at(-1);
  assert.equal(last.type, 'ReturnStatement');
  return { number: id.name, body: body.slice(0, -1), returned: last.argument };
}

/** The statements that take the exports of other modules, and the others. */
function split(part) {
  const isImport = ({ type, declarations }) => type === 'VariableDeclaration' && /^\$\d+$/.test(declarations[0].init?.name ?? '');
  const count = part.body.findIndex((node) => !isImport(node));
  const at = count < 0 ? part.body.length : count;
  return [part.body.slice(0, at), part.body.slice(at)];
}

test('every page names the script that begins with its own module, or one for each player', () => {
  // The page for errors has no script.
  assert.deepEqual(all('.html'), [...Object.values(PAGES), 'errors/error.html'].sort());
  for (const [page, html] of pages) {
    const named = [...html.matchAll(/="(?:\.\.\/)?assets\/([^"]+\.js)"/g)].map(([, name]) => scripts.get(name).parts.at(-1).path);
    const isTagged = /<script type="module" src="/.test(html);
    if (page === 'watch/watch.html') assert.deepEqual([named, isTagged], [['watch/watch-codecs.js', 'watch/watch-mse.js'], false]);
    else assert.deepEqual([named, isTagged], [[page.replace('.html', '.js')], true]);
  }
});

test('every module in web is of use to a page, and is once in each script', () => {
  const used = new Set();
  for (const { name, parts } of scripts.values()) {
    const inside = parts.map(({ path }) => path);
    assert.equal(new Set(inside).size, inside.length, name);
    for (const path of inside) used.add(path);
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

test('every module in a script is the one that is written, and gets what it imports', () => {
  // One on demand gets modules of the page's.
  const ordered = [...scripts.values()].sort((one, other) => one.isOnDemand - other.isOnDemand);
  for (const script of ordered) {
    for (const part of script.parts) {
      try {
        compare(script, part);
      } catch (error) {
        error.message = `${part.path} in ${script.name}: ${error.message}`;
        throw error;
      }
    }
  }
});

/** The name that leads to a script, from `assets/` or from beside it. */
const nameAt = (place) => place.replace(/^\.\/(assets\/)?/, '');

/** Modules, by the numbers that they have in a script: `{ path, part }`. */
function placesOf(script) {
  const found = new Map(script.parts.map((part) => [part.number, { path: part.path, part }]));
  if (script.isOnDemand) {
    const handed = handedTo(script.name);
    script.given.forEach((number, index) => found.set(number, handed[index]));
  }
  return found;
}

/** What the scripts that load one on demand hand over to it: the same, whichever does. */
function handedTo(name) {
  const handed = [];
  for (const other of scripts.values()) {
    walk(other.script.ast, (node) => {
      const loaded = node.type === 'CallExpression' ? loading(node) : null;
      if (loaded?.name && nameAt(loaded.name) === name) handed.push(loaded.given.map((number) => placesOf(other).get(number)));
    });
  }
  assert.ok(handed.length > 0, `no script loads ${name}`);
  const paths = (given) => given.map(({ path }) => path);
  for (const one of handed) assert.deepEqual(paths(one), paths(handed[0]), name);
  return handed[0];
}

function walk(node, look) {
  if (Array.isArray(node)) node.forEach((one) => walk(one, look));
  else if (node && typeof node === 'object') {
    if (node.type) look(node);
    for (const value of Object.values(node)) walk(value, look);
  }
}

function compare(script, part) {
  const written = modules.get(part.path);
  assert.ok(written, 'there is no such module');
  const begin = (name) => scripts.get(nameAt(name))?.parts.at(-1).path ?? nameAt(name).replace(/-[0-9a-f]{10}(?=\.\w+$)/, '');
  const loaded = ({ name, given: [number] }) => (name ? begin(name) : placesOf(script).get(number).path);
  const comparison = new Comparison(written, script.script, {
    onDemand: (place, made) => assert.equal(loaded(loading(made)), resolve(part.path, place)),
    url: (place, made) => assert.equal(begin(made), resolve(part.path, place)),
  });
  const [imports, statements] = split(part);
  const { variables } = script.script;
  const numbers = placesOf(script);
  const got = new Map();
  for (const { declarations } of imports) {
    for (const { id, init } of declarations) {
      const from = numbers.get(init.name);
      for (const { key, value } of id.properties) {
        got.set(`${from.path} ${key.name ?? from.part.exported[key.value]}`, variables.get(value));
      }
    }
  }
  for (const { path, imported, variable } of importsOf(written)) {
    const made = got.get(`${resolve(part.path, path)} ${imported}`);
    // What nothing uses may be left out.
    if (made) comparison.pair(variable, made, imported);
  }
  comparison.statements(written.ast.body, statements);
  if (!part.returned) {
    // An entry: what it exports keeps its name.
    const [own, made] = [exportsOf(written), exportsOf(script.script)];
    assert.deepEqual([...made.keys()].sort(), [...own.keys()].sort(), 'exports');
    for (const [name, variable] of made) comparison.pair(own.get(name), variable, name);
    return;
  }
  // By name, or by number, which leads to the same variable.
  const exported = exportsOf(written);
  for (const { key, value } of part.returned.properties ?? []) {
    comparison.pair(exported.get(key.name), variables.get(value), key.name);
  }
  part.exported = part.returned.elements?.map((element) => {
    const name = [...exported].find(([, variable]) => comparison.leadsTo(variable) === variables.get(element))?.[0];
    assert.ok(name, `${element.name} is no export`);
    return name;
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
