//! A refusal as a page for people: what is wrong with the address, and a link to go on.

use crate::http::refusal::Refusal;
use crate::http::{Method, RequestHead};
use crate::pages;
use crate::stream_name::StreamName;

/// The page for a refused request; `None` where a program asked, or the browser goes elsewhere.
///
/// `path` is that of the request within this site, `levels` how many slashes its address has there.
pub(super) fn error_page(
    refusal: &Refusal,
    head: &RequestHead,
    path: &str,
    levels: usize,
) -> Option<String> {
    let is_person = head.accepts_html
        && head.upgrade.is_none()
        && matches!(head.method, Method::Get | Method::Head)
        && refusal.status >= 400;
    if !is_person {
        return None;
    }
    let page = pages::page("errors/error.html")?;
    let html = std::str::from_utf8(&page.plain().bytes).ok()?;
    let up = "../".repeat(levels.saturating_sub(1));
    let title = title(refusal.status);
    let reason = escaped(&sentence(&refusal.reason));
    let suggested = suggestion(path).map_or_else(String::new, |(room, name)| {
        format!(" Try <a href=\"{up}{room}/{name}\">{name}</a>.")
    });
    let html = html
        .replace(
            "<title>videostream</title>",
            &format!("<title>{title} · videostream</title>"),
        )
        .replace("=\"assets/", &format!("=\"{up}assets/"))
        .replace("href=\"./\"", &format!("href=\"{up}./\""))
        .replace(">TITLE<", &format!(">{title}<"))
        .replace(">TEXT<", &format!(">{reason}{suggested}<"));
    Some(html)
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "This address is not right",
        401 => "A key is needed",
        403 => "This is not allowed",
        404 => "There is nothing here",
        405 => "This address is no page",
        429 | 503 => "The server is busy",
        _ => "This did not work",
    }
}

/// With a capital letter and a full stop.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let end = if reason.ends_with('.') { "" } else { "." };
    first.chain(letters).collect::<String>() + end
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// For a name that no stream can have, the room that it is in and the nearest name that one can.
fn suggestion(path: &str) -> Option<(&'static str, StreamName)> {
    let (room, name) = ["live", "publish", "recordings"]
        .into_iter()
        .find_map(|room| {
            let name = path
                .strip_prefix('/')?
                .strip_prefix(room)?
                .strip_prefix('/')?;
            Some((room, name))
        })?;
    if StreamName::try_from(name).is_ok() {
        return None;
    }
    let is_kept = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let words = name.split(|c| !is_kept(c)).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(StreamName::BYTES_MAX);
    let mut name = name.trim_start_matches('.');
    while StreamName::try_from(name).is_err() {
        name = &name[..name.rfind('.')?];
    }
    Some((room, StreamName::try_from(name).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sample::{head, with};

    const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";

    #[test]
    fn unusable_names_get_the_nearest_usable_one() {
        for (path, suggested) in [
            ("/live/my show", Some("live my-show")),
            ("/publish/ a  b!", Some("publish a-b")),
            ("/recordings/.hidden", Some("recordings hidden")),
            ("/live/a.webm.jpg", Some("live a")),
            ("/live/a/b", Some("live a-b")),
            ("/live/demo", None),
            ("/live/", None),
            ("/live/日本", None),
            ("/live/...", None),
            ("/elsewhere/a b", None),
        ] {
            let found = suggestion(path).map(|(room, name)| format!("{room} {name}"));
            assert_eq!(found.as_deref(), suggested, "{path}");
        }
        let long = format!("/live/{} b", "a".repeat(80));
        assert_eq!(suggestion(&long).unwrap().1.as_str(), "a".repeat(64));
    }

    #[test]
    fn page_is_for_people_and_leads_on_from_any_depth() {
        let refusal = Refusal::new(404, "no <b>stream</b> & no \"page\"");
        let browser = head(&with("GET /a/b%20c HTTP/1.1", &[BROWSER]));
        let html = error_page(&refusal, &browser, "/live/b c", 3).unwrap();
        for part in [
            "<title>There is nothing here · videostream</title>",
            "<h1 id=\"title\">There is nothing here</h1>",
            "No &lt;b>stream&lt;/b> &amp; no &quot;page&quot;. Try <a href=\"../../live/b-c\">b-c</a>.</p>",
            "href=\"../../assets/error-",
            "href=\"../.././\">All streams",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        let top = error_page(&refusal, &browser, "/none", 1).unwrap();
        assert!(top.contains("=\"assets/error-") && top.contains("href=\"./\""));
        for (line, field) in [
            ("GET /a HTTP/1.1", "Accept: */*"),
            ("GET /a HTTP/1.1", "Accept: text/html;q=0, */*"),
            ("PUT /a HTTP/1.1", BROWSER),
            ("OPTIONS /a HTTP/1.1", BROWSER),
        ] {
            let program = head(&with(line, &[field]));
            assert_eq!(
                error_page(&refusal, &program, "/a", 1),
                None,
                "{line} {field}"
            );
        }
        let redirect = Refusal::new(308, "elsewhere");
        assert_eq!(error_page(&redirect, &browser, "/a", 1), None);
    }
}
