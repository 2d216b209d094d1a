/**
 * A style sheet for the page that comes with the script that needs it. A constructed one is none that the page's
 * Content-Security-Policy has a say in.
 *
 * @param {string} text
 */
export function adoptSheet(text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets.push(sheet);
}
