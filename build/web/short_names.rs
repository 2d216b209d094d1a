//! What variables are called in a bundle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Words of two letters, which JavaScript reserves in some places.
const SHORT_WORDS: [&str; 6] = ["as", "of", "do", "if", "in", "is"];

/// Short names that stand for nothing else: `a`, `b`, …, `aa`, `ab`, ….
pub fn short_names<'s>(taken: &'s BTreeSet<&'s str>) -> impl Iterator<Item = String> + 's {
    const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let one = LETTERS.iter().map(|it| (*it as char).to_string());
    let two = LETTERS.iter().flat_map(|first| {
        LETTERS.iter().map(move |second| {
            let pair = [*first, *second].map(char::from);
            pair.into_iter().collect()
        })
    });
    let is_free =
        |name: &String| !taken.contains(name.as_str()) && !SHORT_WORDS.contains(&name.as_str());
    one.chain(two).filter(is_free)
}

/// The same names, the shortest for the keys with the highest counts.
pub fn short_names_by_use<K: Ord>(
    counts: BTreeMap<K, usize>,
    taken: &BTreeSet<&str>,
) -> BTreeMap<K, String> {
    let mut counts: Vec<(K, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let keys = counts.into_iter().map(|(key, _)| key);
    keys.zip(short_names(taken)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_no_words_and_not_taken() {
        let taken = BTreeSet::from(["a", "ab"]);
        let names: Vec<String> = short_names(&taken).collect();
        assert_eq!((names[0].as_str(), names[50].as_str()), ("b", "Z"));
        assert!(
            !names
                .iter()
                .any(|it| ["a", "ab", "do", "if", "in", "is"].contains(&it.as_str()))
        );
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
