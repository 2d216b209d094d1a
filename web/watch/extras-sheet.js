// The style sheet of the statistics and the help, which extras.js shows.

export const SHEET = `
.stats { position: absolute; top: 56px; left: 16px; display: grid; grid-template-columns: auto 1fr; gap: 3px 16px; max-width: calc(100% - 32px); max-height: calc(100% - 72px); overflow: auto; padding: 14px 18px; border-radius: var(--round); background: rgb(12 11 10 / 84%); font-size: 13px; line-height: 1.45; }
.stats dt { color: var(--on-stage-soft); }
.stats dd { min-width: 21ch; }
.help dl { display: grid; grid-template-columns: auto 1fr; gap: 10px 20px; align-items: center; margin-top: calc(2 * var(--unit)); }
.help dt { white-space: nowrap; }
.help dd { color: var(--soft); }
.help h2 { outline: 0; }
kbd { display: inline-block; min-width: 28px; padding: 2px 8px; border: 1px solid var(--line); border-radius: 6px; background: var(--sunken); font: inherit; font-size: 14px; text-align: center; }
@container stage (max-width: 599px) {
  .stats { top: 0; left: 0; max-width: none; max-height: 100%; width: 100%; padding: 8px 12px; border-radius: 0; font-size: 11.5px; line-height: 1.35; }
  [data-stats] .badges { display: none; }
  .stats dd { min-width: 0; }
}
/* Above the controls, while they are shown. */
:is(.stage.active, [data-paused]) .stats, .stage:has(.controls:focus-within) .stats { max-height: calc(100% - 196px); }
@container stage (max-width: 599px) {
  :is(.stage.active, [data-paused]) .stats, .stage:has(.controls:focus-within) .stats { max-height: calc(100% - 96px); }
}
@media (forced-colors: active) { .stats { border: 1px solid; background: Canvas; } }
`;
