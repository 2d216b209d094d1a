use super::*;
use crate::http::parse_request;
use crate::http::refusal::Cause;
use crate::picture::Words;

const SOCKET: &str = "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn ask(start: &str, lines: &str) -> Result<Route, Refusal> {
    let version = if start.contains(" HTTP/") {
        ""
    } else {
        " HTTP/1.1"
    };
    let text = format!("{start}{version}\r\nHost: a\r\n{lines}\r\n");
    let parsed = parse_request(text.as_bytes(), 4096).expect("a valid head");
    route(&parsed.expect("a whole head").0)
}

fn name(name: &str) -> StreamName {
    StreamName::try_from(name).expect("a valid name")
}

fn status(start: &str, lines: &str) -> u16 {
    ask(start, lines).expect_err(start).status
}

fn allow(start: &str) -> String {
    let refusal = ask(start, "").expect_err(start);
    assert_eq!(
        (refusal.status, refusal.headers[0].0),
        (405, "Allow"),
        "{start}"
    );
    refusal.headers[0].1.clone()
}

#[test]
fn every_address_of_the_contract_has_its_route() {
    let http = || Via::Http;
    for (start, route) in [
        ("GET /", Route::Home),
        ("HEAD /?x", Route::Home),
        (
            "GET /publish/a?source=test&auto",
            Route::PublishPage(name("a")),
        ),
        (
            "PUT /publish/a",
            Route::Publish {
                name: name("a"),
                via: http(),
            },
        ),
        (
            "POST /publish/a.webm",
            Route::Publish {
                name: name("a"),
                via: http(),
            },
        ),
        (
            "GET /live/a",
            Route::WatchPage {
                name: name("a"),
                embed: false,
            },
        ),
        (
            "HEAD /live/a.b?embed",
            Route::WatchPage {
                name: name("a.b"),
                embed: true,
            },
        ),
        (
            "GET /live/a.webm",
            Route::Watch {
                name: name("a"),
                via: http(),
                back: Duration::ZERO,
            },
        ),
        (
            "SOURCE /live/a.webm",
            Route::Publish {
                name: name("a"),
                via: http(),
            },
        ),
        ("GET /live/a.jpg", Route::Poster(name("a"))),
        ("GET /live/a.webp", Route::Keyframe(name("a"))),
        (
            "GET /live/a/poster",
            Route::Picture {
                name: name("a"),
                words: Words::Name,
            },
        ),
        (
            "GET /live/a/poster?bare",
            Route::Picture {
                name: name("a"),
                words: Words::None,
            },
        ),
        (
            "GET /recordings/a/f.webm/poster",
            Route::RecordingPicture {
                name: name("a"),
                file: "f.webm".to_owned(),
            },
        ),
        ("PUT /live/a.jpg", Route::PutPoster(name("a"))),
        ("POST /live/a.jpg", Route::PutPoster(name("a"))),
        ("GET /dashboard", Route::Dashboard),
        ("GET /player.js", Route::Asset("player.js".to_owned())),
        ("GET /api/events", Route::Events),
        ("GET /api/streams", Route::Streams),
        ("GET /api/streams/a.b", Route::Stream(name("a.b"))),
        ("DELETE /api/streams/%61", Route::EndPublisher(name("a"))),
        ("GET /metrics", Route::Metrics),
        ("HEAD /healthz", Route::Health),
        ("GET /assets/watch.js", Route::Asset("watch.js".to_owned())),
        ("GET /favicon.ico", Route::Asset("favicon.svg".to_owned())),
    ] {
        assert_eq!(ask(start, ""), Ok(route), "{start}");
    }
}

#[test]
fn page_address_opened_as_a_websocket_is_the_stream() {
    let handshake = Handshake {
        accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
        subprotocol: Some("videostream.v1"),
    };
    let offer = format!("{SOCKET}Sec-WebSocket-Protocol: x, videostream.v1\r\n");
    let via = Via::WebSocket(handshake.clone());
    let watch = Route::Watch {
        name: name("a"),
        via,
        back: Duration::ZERO,
    };
    assert_eq!(ask("GET /live/a", &offer), Ok(watch));
    let via = Via::WebSocket(Handshake {
        subprotocol: None,
        ..handshake
    });
    assert_eq!(
        ask("GET /publish/a", SOCKET),
        Ok(Route::Publish {
            name: name("a"),
            via
        })
    );
}

#[test]
fn time_to_go_back_is_minus_and_seconds() {
    for (value, back_ms) in [
        ("-30", Some(30_000)),
        ("-0.5", Some(500)),
        ("0", Some(0)),
        ("-0", Some(0)),
        ("0.0", Some(0)),
        ("-99999999999999999999", Some(1_000_000_000_000)),
        ("30", None),
        ("", None),
        ("-", None),
        ("--3", None),
        ("-1e3", None),
        ("-1s", None),
        ("+5", None),
        ("%2d5", Some(5000)),
        ("-inf", None),
        ("-.", None),
    ] {
        let back = back_ms.map(Duration::from_millis);
        let found = ask(&format!("GET /live/a.webm?t={value}"), "");
        let found = found.map(|route| match route {
            Route::Watch { back, .. } => back,
            other => panic!("{other:?}"),
        });
        let refused = found.as_ref().err().map(|refusal| refusal.status);
        assert_eq!(
            (found.as_ref().ok(), refused),
            (back.as_ref(), back.is_none().then_some(400)),
            "{value}"
        );
        for (address, fields) in [
            ("GET /live/a", ""),
            ("GET /live/a", SOCKET),
            ("HEAD /live/a.webm", ""),
        ] {
            let found = ask(&format!("{address}?t={value}"), fields);
            assert_eq!(found.is_ok(), back.is_some(), "{address} {value}");
        }
    }
}

#[test]
fn upgrade_elsewhere_is_a_plain_get() {
    assert_eq!(ask("GET /", SOCKET), Ok(Route::Home));
}

#[test]
fn wrong_upgrade_of_a_stream_is_refused() {
    for start in ["PUT /live/a", "PUT /publish/a", "GET /live/a HTTP/1.0"] {
        assert_eq!(status(start, SOCKET), 400, "{start}");
    }
}

#[test]
fn websocket_to_a_file_gets_the_right_address() {
    for file in [
        "/live/a.webm",
        "/live/a.jpg",
        "/live/a.webp",
        "/live/a/poster",
    ] {
        let refusal = ask(&format!("GET {file}"), SOCKET).expect_err(file);
        assert_eq!((refusal.status, refusal.cause), (400, Some(Cause::Address)));
        assert!(refusal.reason.contains(" /live/a,"), "{}", refusal.reason);
    }
}

#[test]
fn closing_slash_is_taken_off_by_a_redirect() {
    for (start, location) in [
        ("GET /live/a/", "../../live/a"),
        (
            "GET /live/a.webm/?key=k%20&embed",
            "../../live/a.webm?key=k%20&embed",
        ),
        ("PUT /publish/a/", "../../publish/a"),
        ("GET /dashboard/", "../dashboard"),
        ("GET /api/streams/", "../../api/streams"),
        ("GET /api/streams/a/", "../../../api/streams/a"),
    ] {
        let refusal = ask(start, "").expect_err(start);
        let header = ("Location", location.to_owned());
        assert_eq!((refusal.status, &refusal.headers[..]), (308, &[header][..]));
        assert!(!refusal.reason.contains("key"), "{}", refusal.reason);
    }
    let socket = ask("GET /live/a/", SOCKET).expect_err("308");
    assert_eq!(socket.status, 308);
}

#[test]
fn files_of_other_servers_are_refused_by_the_name_of_ours() {
    for file in ["mkv", "mp4", "m3u8", "mpd", "ts", "flv", "ogg", "MP4"] {
        for method in ["GET", "PUT"] {
            let start = format!("{method} /live/a.{file}");
            let refusal = ask(&start, "").expect_err(&start);
            assert_eq!(refusal.status, 404, "{start}");
            assert!(
                refusal.reason.contains("/live/a.webm"),
                "{}",
                refusal.reason
            );
        }
    }
    assert_eq!(status("GET /live/.mp4", ""), 404);
    assert!(ask("GET /live/mp4", "").is_ok() && ask("GET /live/a.mp4s", "").is_ok());
}

#[test]
fn publisher_at_an_icecast_address_gets_the_right_address() {
    for (start, status, address) in [
        ("PUT /live/e", 405, "/live/e.webm"),
        ("SOURCE /e", 404, "/live/e.webm"),
        ("SOURCE /e.webm", 404, "/live/e.webm"),
        ("PUT /e.ogg", 404, "/live/e.webm"),
        ("POST /radio/e", 404, "/live/e.webm"),
        ("SOURCE /", 405, "/live/NAME.webm"),
        ("PUT /live/", 404, "/live/NAME.webm"),
        ("PUT /\u{e9}", 404, "/live/NAME.webm"),
    ] {
        let refusal = ask(start, "").expect_err(start);
        assert_eq!(refusal.status, status, "{start}");
        assert!(
            refusal.reason.ends_with(address),
            "{start}: {}",
            refusal.reason
        );
    }
}

#[test]
fn upload_in_parts_or_in_ogg_is_refused_with_what_works_instead() {
    let parts = "Content-Range: bytes 4801-6655/*\r\n";
    let ogg = "Content-Type: Application/OGG; x=y\r\n";
    for method in ["PUT", "POST", "SOURCE"] {
        for path in ["/publish/a", "/live/a.webm"] {
            let start = format!("{method} {path}");
            for (lines, status, named) in [(parts, 400, "shout2send"), (ogg, 415, "video/webm")] {
                let refusal = ask(&start, lines).expect_err(&start);
                assert_eq!(refusal.status, status, "{start}");
                assert!(refusal.reason.contains(named), "{}", refusal.reason);
                assert_eq!(refusal.cause, Some(Cause::Media));
            }
            // ffmpeg's `icecast://` says so of every stream, unless its user knows better.
            assert!(ask(&start, "Content-Type: audio/mpeg\r\n").is_ok());
        }
    }
    assert!(ask("GET /publish/a", &format!("{parts}{ogg}")).is_ok());
}

#[test]
fn options_lists_the_methods_of_an_address() {
    let options = |path: &str| match ask(&format!("OPTIONS {path}"), "") {
        Ok(Route::Options { allow }) => Some(allow),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => {
            assert_eq!(refusal.status, 404, "{path}");
            None
        }
    };
    for path in [
        "/",
        "/live/a",
        "/live/a.webp",
        "/live/a/poster",
        "/recordings/a/f.webm/poster",
        "/metrics",
        "/assets/a.js",
    ] {
        assert_eq!(options(path), Some("GET, HEAD"), "{path}");
    }
    for path in [
        "/publish/a",
        "/publish/a.webm",
        "/live/a.webm",
        "/live/a.jpg",
    ] {
        assert_eq!(
            options(path),
            Some("GET, HEAD, PUT, POST, SOURCE"),
            "{path}"
        );
    }
    assert_eq!(options("/api/streams/a"), Some("GET, HEAD, DELETE"));
    assert_eq!(options("*"), Some("GET, HEAD, PUT, POST, SOURCE, DELETE"));
    for path in ["/x", "/live/", "/live/a/b", "/live/a.mp4", "/live/.a"] {
        assert_eq!(options(path), None, "{path}");
    }
    // An address takes exactly the methods that OPTIONS lists.
    let methods = ["GET", "HEAD", "PUT", "POST", "SOURCE", "DELETE"];
    for path in [
        "/",
        "/live/a",
        "/live/a.webm",
        "/live/a.jpg",
        "/publish/a",
        "/api/streams/a",
    ] {
        let allow = options(path).expect("an address");
        for method in methods {
            let is_taken = ask(&format!("{method} {path}"), "").is_ok();
            assert_eq!(
                is_taken,
                allow.split(", ").any(|it| it == method),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn addresses_are_taken_with_a_path_prefix_and_without() {
    let route = |path: &str, prefix: &str| {
        let text = format!("GET {path} HTTP/1.0\r\n\r\n");
        let parsed = parse_request(text.as_bytes(), 4096).expect("a valid head");
        let head = parsed.expect("a whole head").0;
        route_below(&head, &[&prefix.parse().expect("a prefix")])
    };
    let page = |text: &str| {
        Ok(Route::WatchPage {
            name: name(text),
            embed: false,
        })
    };
    for (path, prefix, expected) in [
        ("/video/live/a", "/video", page("a")),
        ("/live/a", "/video", page("a")),
        ("/video/", "/video", Ok(Route::Home)),
        ("/", "/video", Ok(Route::Home)),
        ("/a/b/live/a", "/a/b", page("a")),
        ("/live/live/a", "/live", page("a")),
        ("/live/a", "/live", page("a")),
        ("/assets/live/a", "/assets", page("a")),
        (
            "/assets/x.js",
            "/assets",
            Ok(Route::Asset("x.js".to_owned())),
        ),
    ] {
        assert_eq!(route(path, prefix), expected, "{path} {prefix}");
    }
    let refused = |path: &str| route(path, "/video").expect_err(path);
    assert_eq!(refused("/videos/live/a").status, 404);
    assert_eq!(refused("/video/live/.a").status, 400);
    let location = |path: &str| refused(path).headers[0].1.clone();
    assert_eq!(location("/video"), "video/");
    assert_eq!(location("/video?x"), "video/?x");
    assert_eq!(location("/video/live/a/"), "../../live/a");
}

#[test]
fn pages_need_no_permission_and_every_other_route_of_a_stream_does() {
    for start in [
        "GET /",
        "GET /live/a",
        "GET /live/a?embed",
        "GET /publish/a",
        "GET /dashboard",
    ] {
        assert_eq!(ask(start, "").expect(start).permission(), None, "{start}");
    }
    for start in [
        "GET /live/a.webm",
        "GET /live/a.jpg",
        "GET /live/a.webp",
        "GET /live/a/poster",
        "GET /recordings/a/f.webm/poster",
        "GET /api/streams/a",
    ] {
        let route = ask(start, "").expect(start);
        assert_eq!(
            route.permission(),
            Some(Permission::Watch(&name("a"))),
            "{start}"
        );
    }
}

#[test]
fn wrong_method_gets_the_allowed_methods() {
    assert_eq!(allow("POST /"), "GET, HEAD");
    assert_eq!(allow("PUT /live/a"), "GET, HEAD");
    assert_eq!(allow("get /live/a"), "GET, HEAD");
    assert_eq!(allow("DELETE /publish/a"), "GET, HEAD, PUT, POST, SOURCE");
    assert_eq!(allow("DELETE /live/a.webm"), "GET, HEAD, PUT, POST, SOURCE");
    assert_eq!(allow("DELETE /live/a.jpg"), "GET, HEAD, PUT, POST, SOURCE");
    assert_eq!(allow("PUT /live/a/poster"), "GET, HEAD");
    assert_eq!(allow("DELETE /recordings/a/f.webm/poster"), "GET, HEAD");
    assert_eq!(allow("PUT /api/streams/a"), "GET, HEAD, DELETE");
    assert_eq!(allow("DELETE /assets/a.js"), "GET, HEAD");
}

#[test]
fn unknown_addresses_get_404_and_bad_names_400() {
    for path in [
        "/x",
        "/live",
        "/live/",
        "/live/a//",
        "/live/a/b",
        "/live/a%2Fb",
        "/publish",
        "//",
        "/api",
        "/publish/",
        "/LIVE/a",
        "*",
    ] {
        assert_eq!(status(&format!("GET {path}"), ""), 404, "{path}");
    }
    let long = format!("/live/{}", "a".repeat(65));
    for path in [
        "/live/.a",
        "/live/.webm",
        "/live/a%20b",
        "/live/..",
        "/publish/%C3%A9",
        &long,
        "/api/streams/a!",
        "/publish/a.jpg",
        "/publish/a.jpg.webm",
        "/publish/a.webm.webm",
        "/live/a.jpg.webm",
        "/live/a.webm.webm",
        "/live/a.webm.jpg",
        "/api/streams/a.webm",
        "/live/.jpg",
    ] {
        assert_eq!(status(&format!("GET {path}"), ""), 400, "{path}");
    }
}

#[test]
fn causes_are_numbered_in_their_order() {
    let numbers = Cause::ALL.map(|cause| cause as usize);
    assert!(numbers.into_iter().eq(0..Cause::ALL.len()));
}

#[test]
fn unauthorized_challenges_browsers() {
    let refusal = Refusal::unauthorized();
    assert_eq!(refusal.status, 401);
    assert!(
        refusal.headers[0]
            .1
            .starts_with("Basic realm=\"videostream\"")
    );
    assert_eq!(Refusal::full().headers, [("Retry-After", "5".to_owned())]);
}
