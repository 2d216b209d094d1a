// The style sheet of what deferred.js shows: the time bar, other streams, sound without a picture; and for forced colours.

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
.others { padding: 8px 24px calc(4 * var(--unit)); }
.others h2 { margin-bottom: 12px; font-size: 18px; }
.others .streams { grid-template-columns: repeat(auto-fill, minmax(min(100%, 220px), 1fr)); gap: calc(2 * var(--unit)); }
.others .streams > :first-child:last-child { grid-column: auto; }
.others .poster { margin-bottom: 8px; border-radius: var(--round); }
@media (max-width: 599px) {
  .others { padding-inline: 16px; }
  .others .streams { grid-template-columns: 1fr 1fr; gap: 12px; }
  .others .card { grid-template-columns: 1fr; }
}
.sound-level { position: absolute; top: 50%; left: 50%; width: min(70%, 560px); height: 36%; translate: -50% -50%; }
[data-sound][data-state="playing"] .still { filter: brightness(60%); }
@media (forced-colors: active) {
  .controls, .plate, .badge { border: 1px solid; background: Canvas; }
  .badge i, .to-live i { border: 4px solid; }
  .spinner { border-color: GrayText; border-top-color: CanvasText; }
}
`;
