// The style sheet of the share panel (share-panel.js), for all pages that have it.

export const SHEET = `
.share-panel { width: min(520px, calc(100vw - 2 * var(--unit))); }
.share-panel .code { display: block; width: min(232px, 56vw); margin: calc(2 * var(--unit)) auto 0; border-radius: var(--round); background: #fff; }
.share-panel .code path { fill: #000; stroke: none; shape-rendering: crispedges; }
.share-panel label { display: block; margin: calc(2 * var(--unit)) 0 6px; font-size: 14px; font-weight: 550; }
.copy-field { display: flex; align-items: stretch; gap: var(--unit); }
.copy-field input, .copy-field textarea { flex: 1; min-width: 0; background: var(--paper); }
.copy-field textarea { padding: 10px 14px; border: 1px solid var(--line); border-radius: var(--round); color: inherit; font: 13px/1.45 ui-monospace, monospace; resize: none; }
@media (max-width: 599px) { .copy-field { flex-direction: column; } }
`;
