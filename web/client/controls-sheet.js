// How the controls of <video-stream> look: see sheet.js.

export const CONTROLS_SHEET = `
:host { color: #f7f3ea; font: 400 14px/1.4 system-ui, sans-serif; }
button { display: inline-grid; place-items: center; flex: none; min-width: 44px; height: 44px; padding: 0; border: 0; border-radius: 10px; background: none; color: inherit; font: inherit; cursor: pointer; }
button:focus-visible, input:focus-visible { outline: 2px solid var(--videostream-accent, #ffc933); outline-offset: -2px; }
svg { width: 24px; height: 24px; fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
.filled { fill: currentcolor; }
.controls { position: absolute; inset: auto 0 0; display: flex; align-items: center; gap: 4px; padding: 48px 8px 4px; background: linear-gradient(transparent, rgb(0 0 0 / 72%)); transition: opacity 200ms ease, visibility 200ms; }
.stage:not(.active, :focus-within, .paused) .controls { opacity: 0; visibility: hidden; }
.stage:not(.active, .paused) { cursor: none; }
.controls button:hover { background: rgb(255 255 255 / 14%); }
.volume { width: 84px; height: 44px; margin: 0; accent-color: var(--videostream-accent, #ffc933); }
@media (pointer: coarse) { .volume { display: none; } }
.gap { flex: 1; }
.live { display: inline-flex; align-items: center; gap: 7px; padding: 0 10px; font-weight: 600; }
.live i { width: 8px; height: 8px; border-radius: 50%; background: #a8a29a; }
.live[aria-pressed="true"] { cursor: default; }
.live[aria-pressed="true"] i { background: #ff4438; }
.big, .unmute { position: absolute; background: var(--videostream-accent, #ffc933); color: #17150f; }
.big { inset: 0; width: 72px; height: 72px; margin: auto; border-radius: 50%; }
.big svg { width: 36px; height: 36px; }
.unmute { top: 12px; right: 12px; display: inline-flex; align-items: center; gap: 8px; padding: 0 14px; font-weight: 600; }
.message { position: absolute; inset: 50% auto auto 50%; width: max-content; max-width: calc(100% - 32px); box-sizing: border-box; margin: 0; padding: 12px 18px; border-radius: 12px; background: rgb(6 6 5 / 86%); font-size: 15px; text-align: center; text-wrap: balance; transform: translate(-50%, -50%); pointer-events: none; }
.spinner { position: absolute; inset: 0; width: 44px; height: 44px; margin: auto; border: 4px solid rgb(6 6 5 / 55%); border-top-color: #fff; border-radius: 50%; box-sizing: border-box; animation: spin 900ms linear infinite; pointer-events: none; }
@keyframes spin { to { transform: rotate(1turn); } }
@container (width < 340px) { .volume { display: none; } }
@container (width < 240px) { .live { display: none; } }
@media (prefers-reduced-motion: reduce) { .spinner { animation-duration: 4s; } .controls { transition: none; } }
@media (forced-colors: active) { .controls, .message { background: Canvas; color: CanvasText; } }
`;
