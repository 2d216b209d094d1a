// Whether a page with `&auto` in its address may go live without a click.
//
// Pure: what the browser tells about how the page was reached comes in.
//
// A page elsewhere could lead a person here, and in a browser that remembers the permission their
// camera would be on air. Such a page can hide itself (`referrerpolicy="no-referrer"` with
// `rel="noopener"`) from this one, but not from the server: browsers tell the server in
// `Sec-Fetch-Site`, and the server repeats it in a `Server-Timing` entry named `led-by`. Browsers
// tell it only to `https:` and to their own machine, which are also the only places with a camera.

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
