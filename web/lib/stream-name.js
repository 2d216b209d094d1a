// Stream names: what one may be, how one is read from an address, and friendly new ones.

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

// Addresses of a stream's files end so.
const FILE_ENDING = /\.(webm|mkv|jpg|webp)$/;

/**
 * 1 to 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot, not ending as a file of a stream does.
 *
 * @param {string} text
 */
export function isStreamName(text) {
  return NAME.test(text) && !FILE_ENDING.test(text);
}

/**
 * What a person typed, brought as near to a name as it gets; may still be empty. Letters with a
 * usual spelling in Latin get that: `Мой кот` becomes `Moy-kot`, `Straße` becomes `Strasse`.
 *
 * @param {string} text
 */
export function toStreamName(text) {
  let name = inLatin(text)
    .replace(/[^A-Za-z0-9._\s-]+/g, '')
    .trim()
    .replace(/\s+/g, '-')
    .replace(/^\.+/, '')
    .slice(0, 64);
  while (FILE_ENDING.test(name)) name = name.replace(FILE_ENDING, '');
  return name;
}

/** Latin letters that are no letter with an accent. */
const LATIN = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ð: 'd', đ: 'd', þ: 'th', ł: 'l', ħ: 'h', ı: 'i', ŋ: 'ng', ə: 'e' };
/** Russian, Ukrainian, Belarusian, Bulgarian, Serbian and Macedonian letters. */
const CYRILLIC = {
  а: 'a',
  б: 'b',
  в: 'v',
  г: 'g',
  ґ: 'g',
  д: 'd',
  ђ: 'dj',
  ѓ: 'gj',
  е: 'e',
  ё: 'yo',
  є: 'ye',
  ж: 'zh',
  з: 'z',
  ѕ: 'dz',
  и: 'i',
  і: 'i',
  ї: 'yi',
  й: 'y',
  ј: 'j',
  к: 'k',
  ќ: 'kj',
  л: 'l',
  љ: 'lj',
  м: 'm',
  н: 'n',
  њ: 'nj',
  о: 'o',
  п: 'p',
  р: 'r',
  с: 's',
  т: 't',
  ћ: 'c',
  у: 'u',
  ў: 'u',
  ф: 'f',
  х: 'kh',
  ц: 'ts',
  ч: 'ch',
  џ: 'dz',
  ш: 'sh',
  щ: 'shch',
  ъ: '',
  ы: 'y',
  ь: '',
  э: 'e',
  ю: 'yu',
  я: 'ya',
};
const GREEK = {
  α: 'a',
  β: 'v',
  γ: 'g',
  δ: 'd',
  ε: 'e',
  ζ: 'z',
  η: 'i',
  θ: 'th',
  ι: 'i',
  κ: 'k',
  λ: 'l',
  μ: 'm',
  ν: 'n',
  ξ: 'x',
  ο: 'o',
  π: 'p',
  ρ: 'r',
  σ: 's',
  ς: 's',
  τ: 't',
  υ: 'y',
  φ: 'f',
  χ: 'ch',
  ψ: 'ps',
  ω: 'o',
  ου: 'ou',
  αυ: 'av',
  ευ: 'ev',
};
/** @type {Map<string, string> | null} */
let known = null;
/** Made when it is needed: a script that only looks at names has no use for it. */
const spellings = () => (known ??= new Map(Object.entries({ ...LATIN, ...CYRILLIC, ...GREEK })));
const PAIRS = /^(ου|αυ|ευ)$/;

/** @param {string} text */
function inLatin(text) {
  const letters = [...text.normalize('NFC')];
  let latin = '';
  for (let i = 0; i < letters.length; i += 1) {
    const pair = bare(letters[i] + (letters[i + 1] ?? ''));
    if (PAIRS.test(pair)) {
      latin += cased(spellings().get(pair) ?? '', letters[i]);
      i += 1;
    } else {
      latin += spelled(letters[i]);
    }
  }
  return latin;
}

/**
 * One letter: as the tables have it, without its accent, or as it is.
 *
 * @param {string} letter
 */
function spelled(letter) {
  // Some letters of the tables look like a letter with an accent: they come first.
  const spelling = spellings().get(letter.toLowerCase()) ?? spellings().get(bare(letter));
  return spelling === undefined ? letter.normalize('NFKD').replace(/\p{M}+/gu, '') : cased(spelling, letter);
}

/** @param {string} text */
function bare(text) {
  return text
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
}

/**
 * @param {string} spelling
 * @param {string} letter
 */
function cased(spelling, letter) {
  return letter === letter.toLowerCase() ? spelling : spelling.charAt(0).toUpperCase() + spelling.slice(1);
}

/**
 * `/live/NAME`, `/publish/NAME` and `/publish/NAME.webm` name their stream; null when the address does not.
 *
 * @param {string} pathname
 * @returns {string | null}
 */
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
  'amber',
  'bright',
  'calm',
  'clear',
  'copper',
  'early',
  'gentle',
  'golden',
  'green',
  'kind',
  'little',
  'lucky',
  'mellow',
  'misty',
  'northern',
  'open',
  'quick',
  'quiet',
  'silver',
  'sunny',
  'swift',
  'warm',
  'western',
  'wild',
];
const SECOND = [
  'badger',
  'bay',
  'brook',
  'cedar',
  'cove',
  'crane',
  'dune',
  'finch',
  'fjord',
  'harbor',
  'heron',
  'island',
  'lake',
  'lark',
  'maple',
  'meadow',
  'otter',
  'pine',
  'reef',
  'river',
  'sparrow',
  'summit',
  'tern',
  'willow',
];

/** A name one can say over the phone, such as `quiet-harbor-27`. */
export function suggestName(random = Math.random) {
  const pick = (/** @type {string[]} */ words) => words[Math.floor(random() * words.length)];
  return `${pick(FIRST)}-${pick(SECOND)}-${10 + Math.floor(random() * 90)}`;
}

/** A name for who cannot type one of these letters, such as `stream-7f3a`. */
export function plainName(random = Math.random) {
  return `stream-${Math.floor(random() * 0x10000)
    .toString(16)
    .padStart(4, '0')}`;
}
