// How <video-stream> looks. As a constructed style sheet it needs nothing of the page's
// Content-Security-Policy, which has no say in those.

export const SHEET = `
:host { display: block; position: relative; overflow: hidden; background: var(--videostream-background, #060605); }
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
.stage { position: relative; width: 100%; height: 100%; aspect-ratio: var(--ratio, 16 / 9); container-type: inline-size; }
:host(:fullscreen) .stage { aspect-ratio: auto; }
video, .between, .poster { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: var(--videostream-fit, contain); }
`;

/** @type {Map<string, CSSStyleSheet>} */
const sheets = new Map();

/**
 * One for all elements of a page.
 *
 * @param {string} text
 */
export function sheetOf(text) {
  let sheet = sheets.get(text);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    sheets.set(text, sheet);
  }
  return sheet;
}
