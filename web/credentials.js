// What of a page's address lets a person in: a key, or a token that somebody signed for them.
//
// The page hands it on to its socket and to what it fetches from the same server, and to nothing
// else: a link to share never has it.

const NAMES = ['key', 'token'];

/** `path` on the same server, with the page's key and token behind whatever `query` has. */
export function withCredentials(path, pageSearch, query = {}) {
  const asked = new URLSearchParams(pageSearch);
  const carried = new URLSearchParams(query);
  for (const name of NAMES) {
    if (asked.has(name)) carried.set(name, asked.get(name));
  }
  const text = carried.toString();
  return text ? `${path}?${text}` : path;
}
