//! Names of recordings: `2026-11-22T19-32-05Z.webm`, and `-2`, `-3` behind the time where that is taken.

use crate::webm::DocType;
use std::time::{Duration, SystemTime};

/// Recordings of one stream in the same second.
const NUMBER_MAX: u32 = 9999;

/// What a file's name says. Ordered by time, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// Seconds since 1970.
    pub began_s: u64,
    /// 1 for the first in its second.
    pub number: u32,
    pub is_matroska: bool,
}

impl FileName {
    pub fn new(began: SystemTime, doc_type: DocType) -> FileName {
        let since = began.duration_since(SystemTime::UNIX_EPOCH);
        FileName {
            began_s: since.map_or(0, |since| since.as_secs()),
            number: 1,
            is_matroska: doc_type == DocType::Matroska,
        }
    }

    /// The name to try when this one is taken.
    pub fn next(self) -> Option<FileName> {
        let number = self.number + 1;
        (number <= NUMBER_MAX).then_some(FileName { number, ..self })
    }

    /// `None` for a name that is none of ours.
    pub fn parse(name: &str) -> Option<FileName> {
        let (stem, is_matroska) = match name.strip_suffix(".webm") {
            Some(stem) => (stem, false),
            None => (name.strip_suffix(".mkv")?, true),
        };
        let (time, number) = match stem.split_once("Z-") {
            Some((time, number)) => (time, number.parse().ok()?),
            None => (stem.strip_suffix('Z')?, 1),
        };
        let (date, clock) = time.split_once('T')?;
        let text = format!("{date}T{}Z", clock.replace('-', ":"));
        let began = humantime::parse_rfc3339(&text).ok()?;
        let began_s = began.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let found = FileName {
            began_s,
            number,
            is_matroska,
        };
        // There is one way to write it.
        (found.to_string() == name && (1..=NUMBER_MAX).contains(&number)).then_some(found)
    }
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// The end of the year 9999, the last that the format has.
        const LAST_S: u64 = 253_402_300_799;
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(self.began_s.min(LAST_S));
        let time = humantime::format_rfc3339_seconds(began).to_string();
        f.write_str(&time.replace(':', "-"))?;
        if self.number != 1 {
            write!(f, "-{}", self.number)?;
        }
        f.write_str(if self.is_matroska { ".mkv" } else { ".webm" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_says_the_time_in_utc() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_375_925_900);
        let name = FileName::new(began, DocType::Webm);
        assert_eq!(name.to_string(), "2026-11-22T19-32-05Z.webm");
        assert_eq!(
            name.next().unwrap().to_string(),
            "2026-11-22T19-32-05Z-2.webm"
        );
        let name = FileName::new(began, DocType::Matroska);
        assert_eq!(name.to_string(), "2026-11-22T19-32-05Z.mkv");
        for name in [Some(name), name.next()].into_iter().flatten() {
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn foreign_name_is_none_of_ours() {
        for name in [
            "",
            "holiday.webm",
            "2026-11-22T19-32-05Z",
            "2026-11-22T19-32-05Z.mp4",
            "2026-11-22T19:32:05Z.webm",
            "2026-11-22T19-32-05.5Z.webm",
            "2026-11-22T19-32-05Z-1.webm",
            "2026-11-22T19-32-05Z-02.webm",
            "2026-11-22T19-32-05Z-0.webm",
            "2026-11-31T19-32-05Z.webm",
            "2026-11-22T19-32-05Z.webm.part",
            "../2026-11-22T19-32-05Z.webm",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
