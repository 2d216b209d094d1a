// Whether a bundle does what its modules do: the same syntax trees, but for names of variables, and each
// name leads to the same variable.

import assert from 'node:assert/strict';
import * as eslintScope from 'eslint-scope';
import * as espree from 'espree';

const OPTIONS = { ecmaVersion: 'latest', sourceType: 'module' };
/** Where a node is, and how its text is written, tells nothing. */
const NOT_COMPARED = new Set(['type', 'start', 'end', 'range', 'loc', 'parent', 'shorthand']);

/** A script's tree, each constant in a statement of its own, and what its names mean. */
export function parse(text) {
  const ast = espree.parse(text, { ...OPTIONS, range: true });
  walk(ast, (node) => {
    for (const key of ['body', 'consequent']) if (Array.isArray(node[key])) node[key] = node[key].flatMap(apart);
  });
  const manager = eslintScope.analyze(ast, { ...OPTIONS, ecmaVersion: 2024 });
  /**
   * Identifier → the one that declares it (a class has a variable within itself, too). Names of
   * properties, and globals, have none.
   */
  const variables = new Map();
  for (const { variables: declared, references } of manager.scopes) {
    for (const { identifiers } of declared) for (const identifier of identifiers) variables.set(identifier, identifiers[0]);
    for (const { identifier, resolved } of references) {
      if (resolved?.identifiers.length) variables.set(identifier, resolved.identifiers[0]);
    }
  }
  return { ast, variables };
}

/** `const a=1,b=2`, also exported, is the same as two statements. */
function apart(node) {
  const declaration = node.type === 'ExportNamedDeclaration' ? node.declaration : node;
  if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') return [node];
  const each = declaration.declarations.map((one) => ({ ...declaration, declarations: [one] }));
  return declaration === node ? each : each.map((one) => ({ ...node, declaration: one }));
}

/** Calls `look` for a node and all in it. */
export function walk(node, look) {
  if (Array.isArray(node)) node.forEach((one) => walk(one, look));
  else if (node && typeof node === 'object' && !(node instanceof RegExp)) {
    if (node.type) look(node);
    for (const value of Object.values(node)) walk(value, look);
  }
}

/** `export` in front of a declaration changes nothing within its module. */
const bare = (node) => (node.type === 'ExportNamedDeclaration' && node.declaration ? node.declaration : node);
const isGlue = (node) => node.type === 'ImportDeclaration' || (node.type === 'ExportNamedDeclaration' && !node.declaration);

/** What a module imports: `{ path, imported, variable }`. */
export function importsOf({ ast, variables }) {
  return ast.body
    .filter(({ type }) => type === 'ImportDeclaration')
    .flatMap(({ source, specifiers }) =>
      specifiers.map(({ imported, local }) => ({ path: source.value, imported: imported.name, variable: variables.get(local) })),
    );
}

/** Exported name → variable. */
export function exportsOf({ ast, variables }) {
  const found = new Map();
  for (const node of ast.body) {
    if (node.type !== 'ExportNamedDeclaration') continue;
    for (const { local, exported } of node.specifiers) found.set(exported.name, variables.get(local));
    const { declaration } = node;
    const ids = declaration?.declarations?.map(({ id }) => id) ?? (declaration ? [declaration.id] : []);
    for (const id of ids) found.set(id.name, variables.get(id));
  }
  return found;
}

/** Compares the statements of modules with those in a bundle. */
export class Comparison {
  #source;
  #bundle;
  #loads;
  /** Variables of the source, and theirs of the bundle. */
  #paired = new Map();
  #pairedBack = new Map();
  /** Private names of the class that is open, and theirs of the bundle. @type {[Map<string, string>, Map<string, string>] | null} */
  #privates = null;

  /** `loads` compares what stands for `import('./a.js')`, and the string in `new URL('./a.js', import.meta.url)`. */
  constructor(source, bundle, loads) {
    this.#source = source;
    this.#bundle = bundle;
    this.#loads = loads;
  }

  statements(written, made) {
    const left = written.filter((node) => !isGlue(node)).map(bare);
    // What an entry exports by a list is looked at by name.
    const right = made.filter((node) => !isGlue(node)).map(bare);
    // What no other statement needs may be left out: a name that leads to it would lead nowhere.
    while (left.length > right.length || (left.length && shape(left[0]) !== shape(right[0]))) {
      const at = left.findIndex((node, index) => index >= right.length || shape(node) !== shape(right[index]));
      const [dropped] = left.splice(at, 1);
      assert.ok(dropped, 'a statement more than the module has');
      assert.match(dropped.type, /Declaration$/, `left out: ${dropped.type}`);
      if (left.length < right.length) break;
    }
    assert.equal(left.length, right.length, 'a statement is missing');
    left.forEach((node, index) => this.#same(node, right[index]));
  }

  pair(written, made, name = '') {
    assert.ok(written && made, `${name} leads to another variable`);
    assert.ok(!this.#paired.has(written) || this.#paired.get(written) === made, `${name} is two variables`);
    assert.ok(!this.#pairedBack.has(made) || this.#pairedBack.get(made) === written, `${name} is one of two variables`);
    this.#paired.set(written, made);
    this.#pairedBack.set(made, written);
  }

  /** The variable of the source that is one of the bundle. */
  standsFor(made) {
    return this.#pairedBack.get(made);
  }

  #same(written, made) {
    if (written === null || typeof written !== 'object') {
      assert.equal(made, written);
      return;
    }
    if (written instanceof RegExp) {
      assert.equal(String(made), String(written));
      return;
    }
    if (Array.isArray(written)) {
      assert.equal(made.length, written.length);
      written.forEach((node, index) => this.#same(node, made[index]));
      return;
    }
    if (written.type === 'ImportExpression') {
      this.#loads.onDemand(written, made);
      return;
    }
    assert.equal(made?.type, written.type);
    if (written.type === 'Identifier') {
      const one = this.#source.variables.get(written);
      const other = this.#bundle.variables.get(made);
      if (one || other) this.pair(one, other, written.name);
      else assert.equal(made.name, written.name);
      return;
    }
    if (written.type === 'PrivateIdentifier') {
      this.#samePrivate(written.name, made.name);
      return;
    }
    if (isUrl(written)) {
      this.#loads.url(written, made.arguments[0].value);
      this.#same(written.arguments[1], made.arguments[1]);
      return;
    }
    if (written.type === 'ClassBody' && !this.#privates) {
      this.#privates = [new Map(), new Map()];
      this.#same(written.body, made.body);
      this.#privates = null;
      return;
    }
    const keys = Object.keys(written).filter((key) => !NOT_COMPARED.has(key));
    // The name of a property is the same, however its value is called.
    if (written.type === 'Property' && !written.computed) {
      assert.equal(made.key.name ?? made.key.raw, written.key.name ?? written.key.raw);
      keys.splice(keys.indexOf('key'), 1);
    }
    for (const key of keys) this.#same(written[key], made[key]);
  }

  #samePrivate(written, made) {
    const [there, back] = this.#privates;
    assert.equal(there.get(written) ?? made, made, `#${written} is two`);
    assert.equal(back.get(made) ?? written, written, `#${written} is one of two`);
    there.set(written, made);
    back.set(made, written);
  }
}

const isUrl = (node) => node.type === 'NewExpression' && node.callee.name === 'URL' && node.arguments[1]?.object?.type === 'MetaProperty';

/** What a statement is, whatever its names are. */
function shape(node) {
  if (!node) return '';
  const parts = [];
  const look = (value, key) => {
    if (Array.isArray(value)) value.forEach((one) => look(one, key));
    else if (value instanceof RegExp) parts.push(String(value));
    else if (value && typeof value === 'object') {
      if (value.type === 'ImportExpression') {
        parts.push('loaded');
        return;
      }
      if (isLoading(value)) {
        parts.push('loaded');
        return;
      }
      parts.push(value.type);
      if (isUrl(value)) return;
      for (const [name, inner] of Object.entries(value)) {
        const isKey = name === 'key' && value.type === 'Property' && !value.computed;
        if (!NOT_COMPARED.has(name) && name !== 'name' && !isKey) look(inner, name);
      }
    } else parts.push(String(value));
  };
  look(node, '');
  return parts.join(' ');
}

/**
 * What a bundle has in place of `import('./a.js')`: the script that it loads with the variables that it hands over, or
 * the properties of the module that is there.
 */
export function loading(node) {
  if (node.callee.name !== LOAD) return { name: null, given: [], properties: node.arguments[0]?.properties ?? [] };
  const [{ value }, { body }] = node.arguments;
  return { name: value, given: body.elements, properties: [] };
}

/** The function of a bundle that loads others: `$$('./a.js',()=>[a])`. */
const LOAD = '$$';
export const isLoader = ({ declarations }) => declarations?.[0].id.name === LOAD;

export const isLoading = ({ type, callee }) =>
  type === 'CallExpression' &&
  (callee.name === LOAD || (callee.type === 'MemberExpression' && callee.object.name === 'Promise' && callee.property.name === 'resolve'));
