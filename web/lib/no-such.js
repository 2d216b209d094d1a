/**
 * For the end of a `switch` that knows every case: tsc complains where one is left out.
 *
 * @param {string} what
 * @param {never} value
 * @returns {never}
 */
export function noSuch(what, value) {
  throw new Error(`no ${what} ${JSON.stringify(value)}`);
}
