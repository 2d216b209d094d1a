//! The path prefix below which a proxy, or the server itself, has all addresses: `/video`.
//!
//! An address is the same with it and without it, for some proxies take it away and some do not.
//! Whole links that the server writes have it.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// A path that begins with a slash and ends without one; or empty, which is no prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BasePath(String);

/// Why a text is no [`BasePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path prefix begins with a slash and ends without one, such as /video")]
pub struct BadBasePath;

impl BasePath {
    /// Bytes of one prefix: more than any proxy has.
    const BYTES_MAX: usize = 256;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What `X-Forwarded-Prefix` says: the prefixes that one proxy after another took away, joined.
    /// `None` where it is no path, or none at all.
    pub fn forwarded(field: &str) -> Option<Self> {
        let mut whole = String::new();
        for part in field.split(',') {
            // Some proxies leave the slash at the end.
            let part = part.trim().trim_end_matches('/');
            if !part.is_empty() {
                whole += part.parse::<Self>().ok()?.as_str();
            }
        }
        (!whole.is_empty() && whole.len() <= Self::BYTES_MAX).then_some(Self(whole))
    }

    /// The path below this prefix: empty for the prefix alone, `None` for what is not below it.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let below = path.strip_prefix(&self.0)?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }
}

impl FromStr for BasePath {
    type Err = BadBasePath;

    fn from_str(text: &str) -> Result<Self, BadBasePath> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/@:+,;=!$&'()*".contains(&byte);
        let has_name = |part: &str| !["", ".", ".."].contains(&part);
        let below = text.strip_prefix('/').ok_or(BadBasePath)?;
        let is_path = text.len() <= Self::BYTES_MAX
            && text.bytes().all(is_plain)
            && below.split('/').all(has_name);
        if is_path {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadBasePath)
        }
    }
}

impl TryFrom<String> for BasePath {
    type Error = BadBasePath;

    fn try_from(text: String) -> Result<Self, BadBasePath> {
        text.parse()
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_begins_with_a_slash_and_ends_without_one() {
        for good in ["/video", "/a/b", "/live", "/~user/v1.0"] {
            assert_eq!(
                good.parse::<BasePath>().map(|path| path.0),
                Ok(good.to_owned())
            );
        }
        let long = format!("/{}", "a".repeat(256));
        for bad in [
            "",
            "/",
            "video",
            "video/",
            "/video/",
            "//",
            "/a//b",
            "/a/..",
            "/.",
            "/a?b",
            "/a#b",
            "/a b",
            "/a%20b",
            "/\u{e9}",
            "/a\r\nX: y",
            "http://a/b",
            &long,
        ] {
            assert_eq!(bad.parse::<BasePath>(), Err(BadBasePath), "{bad:?}");
        }
    }

    #[test]
    fn path_is_below_the_prefix_at_a_slash_alone() {
        let prefix: BasePath = "/video".parse().expect("a prefix");
        for (path, below) in [
            ("/video", Some("")),
            ("/video/", Some("/")),
            ("/video/live/a", Some("/live/a")),
            ("/videos/live/a", None),
            ("/live/video", None),
            ("*", None),
        ] {
            assert_eq!(prefix.strip(path), below, "{path}");
        }
        assert_eq!(BasePath::default().strip("/live/a"), None);
    }

    #[test]
    fn forwarded_prefixes_are_joined_and_invalid_paths_are_none() {
        let forwarded = |field| BasePath::forwarded(field).map(|path| path.0);
        assert_eq!(forwarded("/video").as_deref(), Some("/video"));
        assert_eq!(forwarded("/video/").as_deref(), Some("/video"));
        assert_eq!(forwarded("/a, /b/c").as_deref(), Some("/a/b/c"));
        for none in ["", "/", " , ", "video", "//evil.example", "/a, b", "/a\"b"] {
            assert_eq!(forwarded(none), None, "{none:?}");
        }
    }
}
