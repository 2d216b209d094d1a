//! What a client wants of what we offer (RFC 9110, 12.5).

pub(super) fn accepts_gzip(codings: &[&str]) -> bool {
    let weight = weight(codings, "gzip").or_else(|| weight(codings, "*"));
    weight.is_some_and(|weight| weight > 0.0)
}

pub(super) fn accepts_openmetrics(types: &[&str]) -> bool {
    let wanted = weight(types, "application/openmetrics-text").unwrap_or(0.0);
    wanted > 0.0 && wanted >= weight(types, "text/plain").unwrap_or(0.0)
}

/// Browsers name it where a person is to read the answer.
pub(super) fn accepts_html(types: &[&str]) -> bool {
    weight(types, "text/html").is_some_and(|weight| weight > 0.0)
}

/// How much a client wants what it offers by this name (RFC 9110, 12.4.2); `None` when it does not
/// name it.
fn weight(offers: &[&str], name: &str) -> Option<f32> {
    offers.iter().find_map(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let is_named = parts
            .next()
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        is_named.then(|| q.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sample::{head, with};

    #[test]
    fn gzip_is_accepted_only_with_a_weight_above_zero() {
        assert!(accepts_gzip(&["br", "gzip;q=0.5"]));
        assert!(accepts_gzip(&["*"]));
        assert!(!accepts_gzip(&[]));
        assert!(!accepts_gzip(&["gzip; q=0", "*"]));
        assert!(!accepts_gzip(&["br"]));
    }

    #[test]
    fn html_is_for_clients_that_name_it() {
        assert!(accepts_html(&["text/html", "*/*;q=0.8"]));
        assert!(!accepts_html(&["*/*"]));
        assert!(!accepts_html(&["text/html;q=0", "*/*"]));
        assert!(!accepts_html(&[]));
    }

    #[test]
    fn openmetrics_is_for_clients_that_name_it() {
        let prometheus = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (line, is_wanted) in [
            ("A: b", false),
            ("Accept: */*", false),
            ("Accept: text/html,application/xml;q=0.9,*/*;q=0.8", false),
            ("Accept: application/openmetrics-text", true),
            (prometheus, true),
            (
                "Accept: text/plain, application/openmetrics-text;q=0.5",
                false,
            ),
            ("Accept: application/openmetrics-text;q=0", false),
        ] {
            let head = head(&with("GET /metrics HTTP/1.1", &[line]));
            assert_eq!(head.accepts_openmetrics, is_wanted, "{line}");
        }
    }
}
