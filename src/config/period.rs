//! Lengths of time, as people write them.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A length of time, written `500ms`, `10s`, `1h30m`, or as a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

const EXPECTED: &str =
    "expected a duration such as 500ms, 10s or 1h30m, or a number of seconds such as 10";

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Period, &'static str> {
        let text = text.trim();
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let period = match text.parse::<u64>() {
            Ok(seconds) if is_plain => Some(Duration::from_secs(seconds)),
            _ if is_plain => text
                .parse()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            _ => humantime::parse_duration(text).ok(),
        };
        period.map(Period).ok_or(EXPECTED)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(formatter)
    }
}

impl Deref for Period {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Period {
        Period(duration)
    }
}

/// Text or a number of seconds.
impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Period;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as \"500ms\", or a number of seconds")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Period, E> {
                Ok(Period(Duration::from_secs(seconds)))
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Period, E> {
                seconds.try_into().map_or_else(
                    |_| Err(E::custom(EXPECTED)),
                    |seconds| self.visit_u64(seconds),
                )
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Period, E> {
                let period = Duration::try_from_secs_f64(seconds);
                period.map(Period).map_err(|_| E::custom(EXPECTED))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Result<u128, &'static str> {
        text.parse::<Period>().map(|period| period.as_millis())
    }

    #[test]
    fn number_without_a_unit_is_seconds() {
        for (text, expected) in [
            ("10", 10_000),
            ("0", 0),
            ("0.5", 500),
            ("1.25", 1250),
            ("500ms", 500),
            ("10s", 10_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            (" 2m ", 120_000),
            ("7days", 604_800_000),
        ] {
            assert_eq!(ms(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_duration_is_refused_with_the_expected_form() {
        for text in [
            "",
            ".",
            "soon",
            "-5",
            "-5s",
            "10 parsecs",
            "1,5",
            "1e3",
            "inf",
            "NaN",
            "+5",
            "10ss",
            "99999999999999999999999",
            "1.2.3",
            "s",
        ] {
            assert_eq!(ms(text), Err(EXPECTED), "{text}");
        }
    }

    #[test]
    fn file_may_have_numbers() {
        #[derive(serde::Deserialize)]
        struct File {
            period: Period,
        }
        let read = |value: &str| {
            let file = toml::from_str::<File>(&format!("period = {value}"));
            file.map(|file| file.period.as_millis())
        };
        for (value, expected) in [
            ("10", 10_000),
            ("0.25", 250),
            ("'1h30m'", 5_400_000),
            ("'3'", 3000),
        ] {
            assert_eq!(read(value).unwrap(), expected, "{value}");
        }
        for value in ["-5", "-0.5", "nan", "true", "'soon'", "['1s']"] {
            let refused = read(value).unwrap_err().to_string();
            assert!(refused.contains("duration such as"), "{refused}");
        }
    }
}
