// The rules that scripts of the pages and of their tests keep.

import js from '@eslint/js';
import globals from 'globals';

// Variables may have these names, which build/web shortens: window.name is another.
const NAMED_BY_WINDOW = [
  'blur',
  'closed',
  'event',
  'external',
  'find',
  'focus',
  'frames',
  'innerHeight',
  'innerWidth',
  'length',
  'menubar',
  'name',
  'open',
  'opener',
  'origin',
  'parent',
  'print',
  'scroll',
  'status',
  'stop',
  'top',
];

export default [
  { ignores: ['**/node_modules/'] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-shadow': 'error',
      'no-implicit-coercion': 'error',
      'no-else-return': 'error',
      'object-shorthand': 'error',
    },
  },
  {
    files: ['web/**/*.js'],
    languageOptions: { globals: globals.browser },
    rules: { 'no-restricted-globals': ['error', ...NAMED_BY_WINDOW] },
  },
  { files: ['web/**/*-worker.js'], languageOptions: { globals: globals.worker } },
  { files: ['web/**/*-worklet.js'], languageOptions: { globals: globals.audioWorklet } },
  { files: ['tests/web/**/*.js'], languageOptions: { globals: globals.node } },
  // These also have functions that run in a page.
  { files: ['tests/{browser,programs}/**/*.mjs'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
];
