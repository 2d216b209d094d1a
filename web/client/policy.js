// What a page's Content-Security-Policy blocks of a stream, and what to add to it. Pure.

/** @typedef {import('./refusal.js').Problem} Problem */

/**
 * For a `securitypolicyviolation` of the page; null where that is not about this stream.
 *
 * @param {{ effectiveDirective: string, blockedURI: string }} violation
 * @param {URL} url
 * @returns {Problem | null}
 */
export function policyProblem({ effectiveDirective, blockedURI }, url) {
  const isBlob = blockedURI === 'blob' || blockedURI.startsWith('blob:');
  const wanted = isBlob ? 'blob:' : sourcesOf(url).find((source) => blockedURI.startsWith(source));
  const isOurs = effectiveDirective === 'media-src' || (effectiveDirective === 'connect-src' && !isBlob);
  if (!wanted || !isOurs) return null;
  return {
    title: 'The Content-Security-Policy of this page blocks the stream.',
    text: `Add ${effectiveDirective === 'media-src' ? wanted : sourcesOf(url).join(' ')} to its ${effectiveDirective}.`,
    code: 'policy',
  };
}

/** @param {URL} url */
function sourcesOf({ origin }) {
  return [origin, origin.replace(/^http/, 'ws')];
}
