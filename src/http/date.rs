//! When an answer was made, as HTTP writes it (RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`).
//!
//! The time comes from outside. Answers of the same second share one text: [`DateCache`].

use std::fmt;
use std::time::{Duration, SystemTime};

/// A second, as its 29 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HttpDate([u8; Self::BYTES]);

impl HttpDate {
    const BYTES: usize = 29;

    /// `since_1970` is the time in seconds. Before 1970 it was not, and after 9999 it is the end of
    /// that year.
    pub fn at(since_1970: u64) -> Self {
        const END_OF_9999: u64 = 253_402_300_799;
        let since = Duration::from_secs(since_1970.min(END_OF_9999));
        let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let mut bytes = [b' '; Self::BYTES];
        for (place, byte) in bytes.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        Self(bytes)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The date that was written last: it is made anew once a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct DateCache(Option<(u64, HttpDate)>);

impl DateCache {
    /// The date of this second since 1970.
    pub fn at(&mut self, since_1970: u64) -> HttpDate {
        match self.0 {
            Some((second, date)) if second == since_1970 => date,
            _ => {
                let date = HttpDate::at(since_1970);
                self.0 = Some((since_1970, date));
                date
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_an_imf_fixdate() {
        for (second, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_210_096, "Thu, 29 Feb 2024 12:34:56 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(HttpDate::at(second).as_str(), text);
        }
    }

    #[test]
    fn cache_follows_the_clock_both_ways() {
        let mut cache = DateCache::default();
        for second in [5, 5, 6, 4, u64::MAX, 4] {
            assert_eq!(cache.at(second), HttpDate::at(second), "{second}");
        }
    }
}
