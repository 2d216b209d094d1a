//! The promise: at a wrong address a person gets a page with a link to go on, a program a line of text,
//! and a link to a stream brings along what other sites show of it.

use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::websocket::Publisher;
use serde_json::Value;

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn get(server: &Server, target: &str, fields: &[&str]) -> Response {
    Http::open(server).request("GET", target, fields)
}

#[test]
fn people_get_a_page_where_programs_get_a_line() {
    let server = Server::with(&["--watch-key", "look"]);
    for (target, status, parts) in [
        (
            "/live/my%20show",
            400,
            &[
                "A stream name has 1 to 64 letters (a to z), digits, dots, underscores and hyphens, and does not \
                 begin with a dot.",
                "Try <a href=\"../live/my-show\">my-show</a>.",
            ][..],
        ),
        ("/publish/my%20show", 400, &["href=\"../publish/my-show\""]),
        ("/live/", 404, &["There is nothing here", "href=\".././\""]),
        ("/nowhere", 404, &["href=\"./\">All streams"]),
        (
            "/no/where/at/all",
            404,
            &["href=\"../../.././\">All streams"],
        ),
        // A slash that is part of a name is none of the address.
        (
            "/live/a%2Fb",
            404,
            &["href=\".././\">All streams", "href=\"../live/a-b\""],
        ),
        ("/live/demo.webm", 401, &["A key is needed"]),
        ("/live/demo?t=5", 400, &["This address is not right"]),
    ] {
        let program = get(&server, target, &["Accept: */*"]);
        assert_eq!(program.status, status, "{target}");
        assert_eq!(
            program.field("Content-Type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(program.text().lines().count(), 1, "{target}");

        let person = get(&server, target, &[BROWSER]);
        assert_eq!(person.status, status, "{target}");
        assert_eq!(
            person.field("Content-Type"),
            Some("text/html; charset=utf-8")
        );
        let policy = person.field("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"));
        let challenges = |answer: &Response| {
            let fields = answer.fields.iter();
            let challenges =
                fields.filter(|(name, _)| name.eq_ignore_ascii_case("WWW-Authenticate"));
            challenges.cloned().collect::<Vec<_>>()
        };
        assert_eq!(challenges(&person), challenges(&program), "{target}");
        let html = person.text();
        for part in parts {
            assert!(html.contains(part), "{target}: {part} in {html}");
        }
        for inline in ["<script", "<style", " style=", "\"/"] {
            assert!(!html.contains(inline), "{target}: {inline}");
        }
        let mut http = Http::open(&server);
        let head = http.request("HEAD", target, &[BROWSER]);
        assert_eq!(
            (head.status, &head.fields),
            (status, &person.fields),
            "{target}"
        );
    }
    let upload = Http::open(&server).request("DELETE", "/dashboard", &[BROWSER]);
    assert_eq!(
        (upload.status, upload.field("Content-Type")),
        (405, Some("text/plain; charset=utf-8"))
    );
}

#[test]
fn error_page_leads_on_below_a_prefix() {
    let server = Server::with(&["--base-path", "/video"]);
    for (target, home) in [
        ("/video/nowhere", "href=\"./\""),
        ("/video/live/a%20b", "href=\".././\""),
        ("/live/a%20b", "href=\".././\""),
    ] {
        let html = get(&server, target, &[BROWSER]).text();
        assert!(html.contains(home), "{target}: {html}");
        let style = html.split("rel=\"stylesheet\" href=\"").nth(1).unwrap();
        let style = style.split('"').next().unwrap().trim_start_matches("../");
        assert_eq!(get(&server, &format!("/video/{style}"), &[]).status, 200);
    }
}

#[test]
fn link_to_a_stream_can_be_embedded() {
    let server = Server::start();
    let host = "Host: h:1";
    let ask = |query: &str| {
        let answer = get(&server, &format!("/oembed?{query}"), &[]);
        (answer.status, answer)
    };
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&Sample::read("chromium-restart-1"));
    server.report_when("demo", |report| report["live"] == true);

    let page = get(&server, "/live/demo", &[]).text();
    let plain = page.split("<noscript>").nth(1).unwrap();
    let plain = plain.split("</noscript>").next().unwrap();
    assert!(plain.contains("<a href=\"demo.webm\">"), "{plain}");
    let link = page.split("application/json+oembed").nth(1).unwrap();
    let address = link.split("href=\"").nth(1).unwrap();
    let address = address.split('"').next().unwrap().replace("&amp;", "&");
    let target = &address[address.find("/oembed").unwrap()..];
    let answer = get(&server, &format!("{target}&maxwidth=300"), &[]);
    assert_eq!(
        (answer.status, answer.field("Content-Type")),
        (200, Some("application/json"))
    );
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&told["version"], &told["type"], &told["title"]),
        (&"1.0".into(), &"video".into(), &"demo".into())
    );
    assert_eq!(told["width"], 300);
    let html = told["html"].as_str().unwrap();
    assert!(
        html.starts_with("<iframe src=\"http://")
            && html.contains("/live/demo?embed\" width=\"300\"")
    );
    let picture = told["thumbnail_url"].as_str().unwrap();
    let picture = &picture[picture.find("/live/").unwrap()..];
    assert_eq!(get(&server, picture, &[]).status, 200);

    let site = address.split("/oembed").next().unwrap();
    for (query, status) in [
        (format!("url={site}/publish/demo"), 404),
        (format!("url={site}/live/a%20b"), 404),
        ("url=http://elsewhere/live/demo".to_owned(), 404),
        (format!("url={site}/live/demo&format=xml"), 501),
        (format!("url={site}/live/demo&maxwidth=wide"), 400),
        (format!("url={site}/live/demo&maxheight=0"), 400),
        (String::new(), 400),
    ] {
        assert_eq!(ask(&query).0, status, "{query}");
    }
    // Another name of the server is another site.
    let other = Http::open(&server).request("GET", "/live/demo", &[]);
    assert!(other.text().contains("og:video\" content=\"http://") && !other.text().contains(host));
}
