//! The user and the key in `Authorization` (RFC 7617, RFC 6750).

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{HttpError, fields::Fields};
use crate::secret::Secret;

/// User and key. A key that cannot be read counts as none: then publishing says 401, and pages work.
pub(super) fn authorization(
    fields: &Fields<'_>,
) -> Result<(Option<String>, Option<Secret>), HttpError> {
    let value = fields.single("Authorization")?.unwrap_or_default();
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    let credentials = credentials.trim_matches(' ');
    let (user, key) = if scheme.eq_ignore_ascii_case("bearer") {
        (None, Some(credentials.to_owned()))
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(credentials).ok();
        let user_and_password = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = user_and_password
            .as_deref()
            .and_then(|pair| pair.split_once(':'));
        pair.map(|(user, password)| (user.to_owned(), password.to_owned()))
            .unzip()
    } else {
        (None, None)
    };
    let key = key.filter(|key| !key.is_empty());
    Ok((user, key.map(Secret::new)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sample::{head, with};

    #[test]
    fn keys_of_authorization_and_query_are_both_read_and_never_printed() {
        let get = |line: &str| head(&with("GET /?a=b&key=third HTTP/1.1", &[line]));
        let keys = |keys: &[&str]| -> Vec<Secret> { keys.iter().map(|&key| key.into()).collect() };
        for (line, expected) in [
            ("Authorization: bearer  first", &["first", "third"][..]),
            ("Authorization: BASIC Onh4", &["xx", "third"]),
            ("Authorization: Basic !!", &["third"]),
            ("Authorization: Bearer", &["third"]),
            ("A: b", &["third"]),
        ] {
            assert_eq!(get(line).keys, keys(expected), "{line}");
        }
        assert_eq!((get("A: b").token, get("A: b").user), (None, None));
        assert!(!format!("{:?}", get("A: b")).contains("third"));
        let token = head(&with("GET /?token=fourth HTTP/1.1", &[]));
        assert_eq!(token.token, Some(Secret::new("fourth")));
        assert!(!format!("{token:?}").contains("fourth"));
    }

    #[test]
    fn key_may_hold_any_characters_in_each_of_its_forms() {
        for key in [
            "correct horse",
            "a:b: c",
            "Größe №5 🐎",
            "a+b",
            "100%25",
            "=&?#/\\\"",
        ] {
            let basic = BASE64_STANDARD.encode(format!("source:{key}"));
            let escaped = percent_encoding::NON_ALPHANUMERIC;
            let escaped = percent_encoding::utf8_percent_encode(key, escaped);
            let form: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
            for (start, line) in [
                (
                    "GET / HTTP/1.1".to_owned(),
                    format!("Authorization: Bearer {key}"),
                ),
                (
                    "GET / HTTP/1.1".to_owned(),
                    format!("Authorization: Basic {basic}"),
                ),
                (format!("GET /?key={escaped} HTTP/1.1"), "A: b".to_owned()),
                (format!("GET /?key={form}&a HTTP/1.1"), "A: b".to_owned()),
            ] {
                let keys = head(&with(&start, &[&line])).keys;
                assert!(keys.contains(&key.into()), "{key} in {start}, {line}");
            }
        }
        // A plus sign that is not escaped may be one, or a space.
        let keys = head(&with("GET /?key=a+b%2B HTTP/1.1", &[])).keys;
        assert_eq!(keys, ["a b+".into(), "a+b+".into()]);
    }
}
