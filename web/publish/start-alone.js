// Whether a page with `&auto` in its address may go live without a click.
//
// Pure: what the browser tells about how the page was reached comes in.
//
// A page elsewhere could lead a person here, and in a browser that remembers the permission their
// camera would be on air. What cannot be seen from here: a page elsewhere that hides itself
// (`referrerpolicy="no-referrer"` with `rel="noopener"`) looks like an address that was typed.
// Only the server can tell the two apart, by `Sec-Fetch-Site`; where it says so in a
// `Server-Timing` entry named `led-by`, that counts.

/**
 * `referrer`, `origin`: of the page. `isFramed`, `openerOrigin` (null: none). `ledBy`: see above.
 *
 * @param {{ referrer: string, origin: string, isFramed: boolean, openerOrigin: string | null, ledBy?: string }} options
 */
export function mayStartAlone({ referrer, origin, isFramed, openerOrigin, ledBy = '' }) {
  if (isFramed || /^(cross|same)-site$/.test(ledBy)) return false;
  if (openerOrigin !== null && openerOrigin !== origin) return false;
  return referrer === '' || originOf(referrer) === origin;
}

/** The same for the page that asks. */
export function pageMayStartAlone(page = window) {
  const { performance, document, location } = page;
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
  const timing = navigation?.serverTiming ?? [];
  return mayStartAlone({
    referrer: document.referrer,
    origin: location.origin,
    isFramed: page.top !== page,
    openerOrigin: page.opener ? originOfOpener(page.opener) : null,
    ledBy: timing.find(({ name }) => name === 'led-by')?.description ?? '',
  });
}

/** @param {Window} opener */
function originOfOpener(opener) {
  try {
    return opener.location.origin;
  } catch {
    return 'elsewhere';
  }
}

/** @param {string} url */
function originOf(url) {
  try {
    return new URL(url).origin;
  } catch {
    return '';
  }
}
