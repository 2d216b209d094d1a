// Stream names: what one may be, how one is read from an address, and friendly new ones.

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

// Addresses of a stream's files end so.
const FILE_ENDING = /\.(webm|mkv|jpg|webp)$/;

/** 1 to 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot, not ending as a file of a stream does. */
export function isStreamName(text) {
  return NAME.test(text) && !FILE_ENDING.test(text);
}

/** What a person typed, brought as near to a name as it gets; may still be empty. */
export function toStreamName(text) {
  let name = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .trim()
    .replace(/\s+/g, '-')
    .replace(/[^A-Za-z0-9._-]+/g, '')
    .replace(/^\.+/, '')
    .slice(0, 64);
  while (FILE_ENDING.test(name)) name = name.replace(FILE_ENDING, '');
  return name;
}

/** `/live/NAME`, `/publish/NAME` and `/publish/NAME.webm` name their stream; null when the address does not. */
export function nameFromPath(pathname) {
  const last = pathname.split('/').pop() ?? '';
  let name;
  try {
    name = decodeURIComponent(last);
  } catch {
    return null;
  }
  name = name.replace(/\.webm$/, '');
  return isStreamName(name) ? name : null;
}

const FIRST = [
  'amber', 'bright', 'calm', 'clear', 'copper', 'early', 'gentle', 'golden', 'green', 'kind',
  'little', 'lucky', 'mellow', 'misty', 'northern', 'open', 'quick', 'quiet', 'silver', 'sunny',
  'swift', 'warm', 'western', 'wild',
];
const SECOND = [
  'badger', 'bay', 'brook', 'cedar', 'cove', 'crane', 'dune', 'finch', 'fjord', 'harbor',
  'heron', 'island', 'lake', 'lark', 'maple', 'meadow', 'otter', 'pine', 'reef', 'river',
  'sparrow', 'summit', 'tern', 'willow',
];

/** A name one can say over the phone, such as `quiet-harbor-27`. */
export function suggestName(random = Math.random) {
  const pick = (words) => words[Math.floor(random() * words.length)];
  return `${pick(FIRST)}-${pick(SECOND)}-${10 + Math.floor(random() * 90)}`;
}
