/**
 * A style sheet for the page that comes with the script that needs it. The page's Content-Security-Policy allows
 * one that is constructed. Browsers that cannot (Safari before 16.4) show the same without it.
 *
 * @param {string} text
 */
export function adoptSheet(text) {
  if (!('adoptedStyleSheets' in document)) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets.push(sheet);
}
