// The rules that scripts of the pages and of their tests keep.

import js from '@eslint/js';
import globals from 'globals';

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
  { files: ['web/**/*.js'], languageOptions: { globals: globals.browser } },
  { files: ['web/**/*-worker.js'], languageOptions: { globals: globals.worker } },
  { files: ['web/**/*-worklet.js'], languageOptions: { globals: globals.audioWorklet } },
  { files: ['tests/web/**/*.js'], languageOptions: { globals: globals.node } },
  // These also have functions that run in a page.
  { files: ['tests/{browser,programs}/**/*.mjs'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
];
