//! Which recordings go: the oldest, until age, size and free space are as the options ask.
//!
//! Pure: what is there comes in, what goes comes out.

use super::file_name::FileName;
use std::path::PathBuf;
use std::time::Duration;

/// What recordings may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Since the end of a recording.
    pub max_age: Option<Duration>,
    /// All recordings together.
    pub max_bytes: Option<u64>,
    /// Of the file system.
    pub min_free: Option<u64>,
}

impl Retention {
    pub fn is_any(&self) -> bool {
        *self != Retention::default()
    }
}

/// One recording on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub stream: String,
    pub name: FileName,
    pub path: PathBuf,
    pub bytes: u64,
    /// Seconds since 1970: when it was last written to.
    pub changed_s: u64,
    /// Whether it is being written.
    pub is_open: bool,
}

/// Which of `entries` go now, the oldest first. Never one that is being written; and for size and
/// space never the newest, so that a recording that alone is too large stays until the next.
pub fn to_delete<'a>(
    limits: &Retention,
    entries: &'a [Entry],
    free_bytes: u64,
    now_s: u64,
) -> Vec<&'a Entry> {
    let mut oldest_first: Vec<&Entry> = entries.iter().collect();
    oldest_first.sort_by_key(|entry| (entry.name, &entry.stream));
    let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut free = free_bytes;
    let newest = oldest_first.iter().rposition(|entry| !entry.is_open);
    let mut gone = Vec::new();
    for (index, entry) in oldest_first.iter().enumerate() {
        if entry.is_open {
            continue;
        }
        let age_s = now_s.saturating_sub(entry.changed_s);
        let is_old = limits
            .max_age
            .is_some_and(|max_age| age_s > max_age.as_secs());
        let is_over = limits.max_bytes.is_some_and(|max| total > max)
            || limits.min_free.is_some_and(|min| free < min);
        if is_old || (is_over && newest != Some(index)) {
            total -= entry.bytes;
            free = free.saturating_add(entry.bytes);
            gone.push(*entry);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u64; 0] = [];

    fn entry(began_s: u64, bytes: u64, is_open: bool) -> Entry {
        let name = FileName {
            began_s,
            number: 1,
            is_matroska: false,
        };
        Entry {
            stream: "demo".into(),
            path: name.to_string().into(),
            name,
            bytes,
            changed_s: began_s + 10,
            is_open,
        }
    }

    fn deleted(limits: Retention, entries: &[Entry], free_bytes: u64) -> Vec<u64> {
        let gone = to_delete(&limits, entries, free_bytes, 1000);
        gone.iter().map(|entry| entry.name.began_s).collect()
    }

    #[test]
    fn oldest_go_until_the_size_is_right_but_never_an_open_one() {
        let entries = [
            entry(300, 40, false),
            entry(100, 40, true),
            entry(200, 40, false),
            entry(400, 40, false),
        ];
        let limits = |max_bytes| Retention {
            max_bytes: Some(max_bytes),
            ..Retention::default()
        };
        assert_eq!(deleted(limits(160), &entries, 0), NONE);
        assert_eq!(deleted(limits(159), &entries, 0), [200]);
        assert_eq!(deleted(limits(100), &entries, 0), [200, 300]);
        // The newest finished one stays although it is too much.
        assert_eq!(deleted(limits(1), &entries, 0), [200, 300]);
    }

    #[test]
    fn free_space_counts_what_goes() {
        let entries = [entry(1, 40, false), entry(2, 40, false), entry(3, 1, false)];
        let limits = Retention {
            min_free: Some(100),
            ..Retention::default()
        };
        assert_eq!(deleted(limits, &entries, 100), NONE);
        assert_eq!(deleted(limits, &entries, 61), [1]);
        assert_eq!(deleted(limits, &entries, 59), [1, 2]);
    }

    #[test]
    fn age_counts_from_the_end_and_spares_no_finished_one() {
        let limits = Retention {
            max_age: Some(Duration::from_secs(100)),
            ..Retention::default()
        };
        let entries = [
            entry(889, 1, false),
            entry(890, 1, false),
            entry(100, 1, true),
        ];
        assert_eq!(deleted(limits, &entries, 0), [889]);
        assert_eq!(deleted(Retention::default(), &entries, 0), NONE);
    }
}
