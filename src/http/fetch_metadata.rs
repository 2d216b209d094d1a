//! What browsers report about the page that sends a request (W3C Fetch Metadata Request Headers).

use super::{Query, fields::Fields};

/// The relation of the page that asks to this server, as browsers tell it in `Sec-Fetch-Site` (W3C
/// Fetch Metadata Request Headers, section 2.3). Pages cannot change or hide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedBy {
    /// An address that a person typed, or a bookmark.
    None,
    SameOrigin,
    SameSite,
    CrossSite,
}

impl LedBy {
    const ALL: [LedBy; 4] = [
        LedBy::None,
        LedBy::SameOrigin,
        LedBy::SameSite,
        LedBy::CrossSite,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            LedBy::None => "none",
            LedBy::SameOrigin => "same-origin",
            LedBy::SameSite => "same-site",
            LedBy::CrossSite => "cross-site",
        }
    }

    pub(super) fn read(value: &str) -> Option<LedBy> {
        LedBy::ALL
            .into_iter()
            .find(|led_by| led_by.as_str() == value)
    }
}

/// Browsers report on secure pages, and on pages of their own machine, what makes the request
/// (`Sec-Fetch-Mode`). On others our pages mark their requests: a script by
/// `Accept: application/json`, an element by `?page`. Pictures, uploads and sockets are known
/// without that.
pub(super) fn is_from_page(fields: &Fields<'_>, query: &Query) -> bool {
    let field = |name| fields.joined_as_far_as_readable(name);
    if let Some(mode) = field("Sec-Fetch-Mode") {
        return !mode.trim().eq_ignore_ascii_case("navigate");
    }
    // No program sends an origin.
    if query.has("page") || field("Origin").is_some() {
        return true;
    }
    let accept = field("Accept").unwrap_or_default().to_ascii_lowercase();
    let has = |kind: &str| {
        accept
            .split(',')
            .any(|range| range.trim().starts_with(kind))
    };
    let is_element = has("image/") || has("video/") || has("audio/");
    has("application/json") || (is_element && !has("text/html"))
}

#[cfg(test)]
mod tests {
    use crate::http::sample::{head, with};

    #[test]
    fn requests_from_pages_differ_from_navigation_and_programs() {
        let asks = |lines: &[&str]| head(&with("GET /live/a.webm HTTP/1.1", lines)).is_from_page;
        for page in [
            "Sec-Fetch-Mode: cors",
            "Sec-Fetch-Mode: no-cors",
            "Sec-Fetch-Mode: same-origin",
            "Sec-Fetch-Mode: websocket",
            "Origin: http://192.168.0.7:8080",
            "Accept: application/json",
            "Accept: image/avif,image/webp,image/*,*/*;q=0.8",
            "Accept: video/webm,video/ogg,video/*;q=0.9,*/*;q=0.5",
        ] {
            assert!(asks(&[page]), "{page}");
        }
        for other in [
            "Sec-Fetch-Mode: navigate",
            "Accept: text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8",
            "Accept: */*",
            "Icy-MetaData: 1",
        ] {
            assert!(!asks(&[other]), "{other}");
        }
        // Fields that the browser sets itself count before fields that any client can set.
        assert!(!asks(&[
            "Sec-Fetch-Mode: navigate",
            "Accept: application/json"
        ]));
        assert!(head(&with("GET /live/a.webm?key=k&page HTTP/1.1", &[])).is_from_page);
    }
}
