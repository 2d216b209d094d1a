// The viewer as one module, for pages of other sites: see client/ and docs/player.md.

export * from './assets/client/player.js';
