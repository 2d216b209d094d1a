// Where this site begins, so that pages work below any path prefix of a proxy.
//
//   /live/NAME          begins at /
//   /video/live/NAME    begins at /video/
//
// Scripts never write `/api/…` themselves: they ask `at('api/…')`.

/** A page's own address within its site; the home page's is empty. */
const PAGE = /^(.*?\/)(?:(?:live|publish|recordings)\/[^/]+|recordings|dashboard)?$/;

/**
 * The path at which the site of a page begins, with a slash at its end. Pure.
 *
 * @param {string} pathname
 */
export function siteRoot(pathname) {
  return PAGE.exec(pathname)?.[1] ?? '/';
}

/**
 * The path of something of this site, such as `at('live/demo.jpg')`.
 *
 * @param {string} path
 */
export function at(path, pathname = globalThis.location?.pathname ?? '/') {
  return siteRoot(pathname) + path;
}
