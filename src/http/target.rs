//! The request target: path and query, decoded (RFC 9112, 3.2).
//!
//! A key and a token in the query are taken out of it here, so that what is left may be logged.

use super::HttpError;
use crate::secret::Secret;
use std::fmt;

/// The query's names and values, decoded. Without `key` and `token`: those are in
/// [`RequestHead`](super::RequestHead), so that a query may be logged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The first value of this name; empty when it stands alone, as in `?embed`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }
}

/// The query as it was written, for a redirect that keeps it. A key may be in it, so its `Debug` is
/// `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawQuery(String);

impl RawQuery {
    /// With its question mark; empty where there is none.
    pub fn behind_mark(&self) -> String {
        if self.0.is_empty() {
            String::new()
        } else {
            format!("?{}", self.0)
        }
    }
}

impl fmt::Debug for RawQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// The request target (RFC 9112, 3.2): `/path?query`, `http://host/path?query` or `*`.
pub(super) struct Target<'a> {
    pub(super) path: String,
    /// Slashes in it as it was written.
    pub(super) levels: usize,
    pub(super) query: Query,
    pub(super) raw_query: RawQuery,
    /// The first `?key=` that is not empty, as a form writes it: `+` is a space. And where it has
    /// one, as an address is read elsewhere: `+` is itself.
    pub(super) keys: Vec<Secret>,
    /// `?token=`, the same.
    pub(super) token: Option<Secret>,
    pub(super) authority: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn parse(target: &'a str) -> Result<Self, HttpError> {
        if target.contains('#') {
            return Err(HttpError::Target("has a fragment"));
        }
        let (authority, rest) = match target.split_once("://") {
            Some((scheme, rest)) if is_web_scheme(scheme) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            _ => (None, target),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let levels = path.matches('/').count();
        let path = match (path, authority) {
            ("", Some(_)) => "/".to_owned(),
            ("*", None) => "*".to_owned(),
            _ => decode_path(path)?,
        };
        let raw_query = RawQuery(query.to_owned());
        let keys = parse_keys(query);
        let (query, token) = parse_query(query);
        Ok(Self {
            path,
            levels,
            query,
            raw_query,
            keys,
            token,
            authority,
        })
    }
}

fn is_web_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Percent-decodes once, and only what is whole: `%` without two hex digits is refused.
fn decode_path(path: &str) -> Result<String, HttpError> {
    if !path.starts_with('/') {
        return Err(HttpError::Target("does not begin with /"));
    }
    let is_whole = |escape: &str| {
        escape.len() >= 2 && escape.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit)
    };
    if !path.split('%').skip(1).all(is_whole) {
        return Err(HttpError::Target("has a % without two hex digits"));
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    let decoded = decoded.map_err(|_| HttpError::Target("is not UTF-8"))?;
    if decoded.contains(char::is_control) {
        return Err(HttpError::Target("has a control character"));
    }
    Ok(decoded.into_owned())
}

fn parse_query(query: &str) -> (Query, Option<Secret>) {
    let mut pairs = Vec::new();
    let mut token = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "key" => {}
            "token" if token.is_none() && !value.is_empty() => token = Some(Secret::new(value)),
            "token" => {}
            _ => pairs.push((name.into_owned(), value.into_owned())),
        }
    }
    (Query(pairs), token)
}

fn parse_keys(query: &str) -> Vec<Secret> {
    let first = |query: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(name, value)| name == "key" && !value.is_empty());
        found.map(|(_, value)| Secret::new(value))
    };
    let mut keys: Vec<Secret> = first(query).into_iter().collect();
    if !keys.is_empty() && query.contains('+') {
        let other = first(&query.replace('+', "%2B"));
        keys.extend(other.filter(|other| *other != keys[0]));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(target: &str) -> Result<Target<'_>, HttpError> {
        Target::parse(target)
    }

    #[test]
    fn path_is_decoded_once() {
        let path = |target: &str| parse(target).expect("a valid target").path;
        assert_eq!(path("/a%20b%2fc"), "/a b/c");
        assert_eq!(path("/%2541"), "/%41");
        assert_eq!(path("/%C3%A9+é"), "/é+é");
        assert_eq!(path("*"), "*");
        assert_eq!(path("https://host"), "/");
    }

    #[test]
    fn targets_that_mean_nothing_are_refused() {
        for target in [
            "",
            "a",
            "?a",
            "ftp://host/",
            "/%",
            "/%4",
            "/%4é",
            "/%zz",
            "/%00",
            "/%7f",
            "/%ff",
            "/#a",
            "/?a#b",
            "**",
            "host:80",
        ] {
            assert!(parse(target).is_err(), "{target:?}");
        }
    }

    #[test]
    fn query_gives_first_values_and_hides_key_and_token() {
        let target = parse("/?a=1&a=2&b&c=%26+x&key=&key=k%31&key=k2&token=&token=t&token=u&%zz")
            .expect("valid");
        assert_eq!(target.query.value("a"), Some("1"));
        assert_eq!(target.query.value("c"), Some("& x"));
        assert!(target.query.has("b") && !target.query.has("key") && !target.query.has("d"));
        assert_eq!(target.keys, [Secret::new("k1")]);
        assert_eq!(target.token, Some(Secret::new("t")));
        assert!(!target.query.has("token"));
    }
}
