// The style sheet of the time bar, which deferred.js shows.

export const SHEET = `
.timeline { flex-basis: 100%; padding: 0 8px; }
.timeline input { display: block; width: 100%; height: 28px; margin: 0; background: none; appearance: none; cursor: pointer; forced-color-adjust: none; }
.timeline input::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: linear-gradient(to right, var(--accent) var(--played, 100%), rgb(255 255 255 / 42%) 0); }
.timeline input::-moz-range-track { height: 4px; border-radius: 2px; background: linear-gradient(to right, var(--accent) var(--played, 100%), rgb(255 255 255 / 42%) 0); }
.timeline input::-webkit-slider-thumb { width: 16px; height: 16px; margin-top: -6px; border: 0; border-radius: 50%; background: var(--accent); appearance: none; }
.timeline input::-moz-range-thumb { width: 16px; height: 16px; border: 0; border-radius: 50%; background: var(--accent); }
@media (pointer: coarse) { .timeline input { height: var(--touch); } }
.to-live { display: inline-flex; align-items: center; gap: 7px; min-height: var(--touch); padding: 0 10px; border: 0; border-radius: var(--round); color: inherit; background: none; font: inherit; font-size: 14px; font-weight: 600; cursor: pointer; }
.to-live i { width: 8px; height: 8px; border-radius: 50%; background: #a8a29a; }
.to-live[aria-pressed="true"] { cursor: default; }
.to-live[aria-pressed="true"] i { background: #ff4438; }
.to-live[aria-pressed="false"]:hover { background: rgb(255 255 255 / 14%); }
.to-live[hidden], .behind[hidden] { display: none; }
.behind { font-size: 14px; font-variant-numeric: tabular-nums; white-space: nowrap; }
@container stage (max-width: 379px) { .behind { display: none; } }
@media (forced-colors: active) { .to-live i { border: 4px solid; } }
`;
