//! The one rule for names of streams.

use std::{fmt, sync::Arc};

/// A stream's name: 1 to 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot, and not ending as the
/// addresses of its files do.
///
/// So it can stand in a path, a file name, a metric's label and a log line as it is. Cloning bumps a
/// count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// Why a text is no [`StreamName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error(
        "a stream name has 1 to 64 letters (a to z), digits, dots, underscores and hyphens, and does not \
         begin with a dot"
    )]
    Letters,
    #[error(
        "a stream's name must not end in .webm, .mkv, .jpg or .webp: those are the addresses \
         of its files"
    )]
    Ending,
}

impl StreamName {
    pub const BYTES_MAX: usize = 64;

    /// `/live/NAME.jpg` is a poster: it could be no stream's page.
    const FILE_ENDINGS: [&str; 4] = [".webm", ".mkv", ".jpg", ".webp"];

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for StreamName {
    type Error = BadName;

    fn try_from(name: &str) -> Result<Self, BadName> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = (1..=Self::BYTES_MAX).contains(&name.len())
            && !name.starts_with('.')
            && name.bytes().all(is_name_byte);
        if !is_name {
            Err(BadName::Letters)
        } else if Self::FILE_ENDINGS.iter().any(|end| name.ends_with(end)) {
            Err(BadName::Ending)
        } else {
            Ok(Self(name.into()))
        }
    }
}

/// The order of names is that of their letters.
impl std::borrow::Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for StreamName {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        Self::try_from(name)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_64_plain_characters() {
        let longest = "a".repeat(64);
        for good in ["a", "A-b_c.9", "-", "_", "a..", &longest] {
            assert_eq!(
                StreamName::try_from(good).map(|name| name.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            ".",
            ".a",
            "a b",
            "a/b",
            "é",
            "a\0",
            "a\n",
            &"a".repeat(65),
        ] {
            assert_eq!(StreamName::try_from(bad), Err(BadName::Letters), "{bad:?}");
        }
        for bad in ["a.webm", "a.mkv", "a.jpg", "a.webp", "a.jpg.webm", "-.webp"] {
            assert_eq!(StreamName::try_from(bad), Err(BadName::Ending), "{bad:?}");
        }
        for good in ["webm", "a.webm.b", "a.jpeg", "a-jpg", "jpg."] {
            assert!(StreamName::try_from(good).is_ok(), "{good}");
        }
    }
}
