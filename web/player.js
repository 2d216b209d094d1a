// The viewer as one module, for pages of other sites: see client/ and docs/player.md.

// @ts-ignore
export * from './assets/client/player.js';
