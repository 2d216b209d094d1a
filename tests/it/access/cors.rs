//! The promise: pages of an origin in `--allow-origin` may do and read here what the server's own
//! pages may, without a browser's credentials; pages of other origins may not.

use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;

const FRIEND: &str = "http://localhost:3000";
const FOE: &str = "http://localhost:3001";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

fn from(origin: &str) -> String {
    format!("Origin: {origin}")
}

fn varies_by_origin(answer: &Response) -> bool {
    let fields = answer.all("Vary");
    let mut names = fields.iter().flat_map(|field| field.split(", "));
    names.any(|name| name == "Origin")
}

/// Whether a page of this origin may read the answer.
fn is_readable(answer: &Response, origin: &str) -> bool {
    assert_eq!(answer.field("Access-Control-Allow-Credentials"), None);
    match answer.field("Access-Control-Allow-Origin") {
        Some(allowed) => {
            assert_eq!(allowed, origin);
            assert!(varies_by_origin(answer));
            true
        }
        None => false,
    }
}

#[test]
fn preflights_of_an_allowed_origin_are_answered_for_every_address() {
    let options = [
        "--allow-origin",
        FRIEND,
        "--publish-key",
        "right",
        "--watch-key",
        "look",
    ];
    let server = Server::with(&options);
    let ask = |target: &str, origin: &str, method: &str| {
        let method = format!("Access-Control-Request-Method: {method}");
        let fields = [
            &*from(origin),
            &method,
            "Access-Control-Request-Headers: authorization",
        ];
        Http::open(&server).request("OPTIONS", target, &fields)
    };
    for (target, method) in [
        ("/api/streams", "GET"),
        ("/api/streams/demo", "DELETE"),
        ("/live/demo.jpg", "PUT"),
        ("/live/demo.webm", "GET"),
        ("/live/demo.webm", "PUT"),
        ("/publish/demo", "POST"),
        ("/metrics", "GET"),
    ] {
        let answer = ask(target, FRIEND, method);
        assert_eq!(answer.status, 204, "{target}");
        assert!(is_readable(&answer, FRIEND), "{target}");
        let methods = answer.field("Access-Control-Allow-Methods").unwrap();
        assert!(
            methods.split(", ").any(|it| it == method),
            "{target}: {methods}"
        );
        let headers = answer.field("Access-Control-Allow-Headers").unwrap();
        for header in ["Authorization", "Content-Type", "Range"] {
            assert!(headers.split(", ").any(|it| it == header), "{headers}");
        }
        let max_age = answer.field("Access-Control-Max-Age").unwrap();
        assert!(max_age.parse::<u32>().unwrap() > 0);
        assert_eq!(answer.field("Connection"), Some("keep-alive"));
        // Not told to others, but that the answer is not for all.
        let answer = ask(target, FOE, method);
        assert_eq!(answer.status, 204, "{target}");
        assert!(
            !is_readable(&answer, FOE) && varies_by_origin(&answer),
            "{target}"
        );
        assert_eq!(answer.field("Access-Control-Allow-Methods"), None);
    }
    assert_eq!(ask("/nowhere", FRIEND, "GET").status, 404);
}

#[test]
fn options_without_an_origin_lists_the_methods() {
    let server = Server::start();
    for (target, allow) in [
        ("*", "GET, HEAD, PUT, POST, SOURCE, DELETE, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/live/demo.webm", "GET, HEAD, PUT, POST, SOURCE, OPTIONS"),
        ("/api/streams/demo", "GET, HEAD, DELETE, OPTIONS"),
    ] {
        let answer = Http::open(&server).request("OPTIONS", target, &[]);
        assert_eq!(
            (answer.status, answer.field("Allow")),
            (204, Some(allow)),
            "{target}"
        );
        assert_eq!(answer.field("Access-Control-Allow-Origin"), None);
        assert_eq!(answer.field("Vary"), None);
    }
}

#[test]
fn allowed_origin_reads_every_answer_and_other_origins_none() {
    let server = Server::with(&["--allow-origin", FRIEND]);
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&sample.chunks);
    Viewer::plain(&server, "demo").watch(1);
    let own = format!("http://{}", server.address);
    for (origin, reads) in [(FRIEND, true), (FOE, false), ("null", false), (&own, false)] {
        let field = from(origin);
        if origin == FRIEND || origin == own {
            let put = Http::open(&server).upload("PUT", "/live/demo.jpg", &[&field], JPEG);
            assert_eq!((put.status, is_readable(&put, origin)), (204, reads));
        }
        for (target, status) in [
            ("/", 200),
            ("/api/streams", 200),
            ("/api/streams/demo", 200),
            ("/api/streams/nobody", 404),
            ("/live/demo.jpg", 200),
            ("/live/demo.webp", 200),
            ("/live/demo/poster", 200),
            ("/metrics", 200),
            ("/healthz", 200),
            ("/nowhere", 404),
            ("/live/.bad", 400),
            ("/live/demo/", 308),
        ] {
            let answer = Http::open(&server).request("GET", target, &[&field]);
            assert_eq!(answer.status, status, "{target} {origin}");
            assert_eq!(is_readable(&answer, origin), reads, "{target} {origin}");
            assert!(varies_by_origin(&answer), "{target} {origin}");
        }
        let mut stream = Http::open(&server);
        stream.ask("GET", "/live/demo.webm", &[&field]);
        let head = stream.head();
        assert_eq!(
            (head.status, is_readable(&head, origin)),
            (200, reads),
            "{origin}"
        );
        let head = Http::open(&server).request("HEAD", "/live/demo.webm", &[&field]);
        assert_eq!(is_readable(&head, origin), reads, "{origin}");
        let refused = Http::open(&server).upload("BREW", "/metrics", &[&field], b"");
        assert_eq!(
            (refused.status, is_readable(&refused, origin)),
            (405, reads)
        );
    }
    // "Nothing has changed" is read as well.
    let field = from(FRIEND);
    let etag = Http::open(&server)
        .get("/live/demo.jpg")
        .field("ETag")
        .unwrap()
        .to_owned();
    let none_match = format!("If-None-Match: {etag}");
    let same = Http::open(&server).request("GET", "/live/demo.jpg", &[&none_match, &field]);
    assert_eq!((same.status, is_readable(&same, FRIEND)), (304, true));
    let compressed = ["Accept-Encoding: gzip", &field];
    let page = Http::open(&server).request("GET", "/", &compressed);
    assert_eq!(page.field("Vary"), Some("Accept-Encoding, Origin"));
}

#[test]
fn every_origin_may_import_the_player_and_no_more() {
    for options in [&[][..], &["--allow-origin", FRIEND]] {
        let server = Server::with(options);
        let field = from(FOE);
        let get = |target: &str, fields: &[&str]| {
            let fields = [&[&*field], fields].concat();
            Http::open(&server).request("GET", target, &fields)
        };
        let module = get("/player.js", &[]);
        assert_eq!(
            (module.status, module.field("Content-Type")),
            (200, Some("text/javascript; charset=utf-8"))
        );
        assert_eq!(module.field("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(module.field("Cache-Control"), Some("no-cache"));
        assert!(!varies_by_origin(&module));
        let none_match = format!("If-None-Match: {}", module.field("ETag").unwrap());
        let same = get("/player.js", &[&none_match]);
        assert_eq!(
            (same.status, same.field("Access-Control-Allow-Origin")),
            (304, Some("*"))
        );
        for target in [
            "/",
            "/api/streams",
            "/api/streams/none",
            "/live/none/poster",
        ] {
            assert!(!is_readable(&get(target, &[]), FOE), "{target}");
        }
    }
}

#[test]
fn allowed_origin_reads_refusals_and_upload_results() {
    let options = [
        "--allow-origin",
        FRIEND,
        "--publish-key",
        "right",
        "--watch-key",
        "look",
    ];
    let server = Server::with(&options);
    let field = from(FRIEND);
    for target in ["/live/demo.webm", "/live/demo.jpg", "/api/streams/demo"] {
        let answer = Http::open(&server).request("GET", target, &[&field]);
        assert_eq!(
            (answer.status, is_readable(&answer, FRIEND)),
            (401, true),
            "{target}"
        );
    }
    let upload = |key: &str, body: &[u8]| {
        let key = format!("Authorization: Bearer {key}");
        Http::open(&server).upload("PUT", "/live/demo.webm", &[&field, &key], body)
    };
    let sample = Sample::read("chromium-restart-1");
    for (key, body, status) in [
        ("wrong", &sample.bytes[..], 401),
        ("right", b"no WebM at all", 415),
        ("right", &sample.bytes, 200),
    ] {
        let answer = upload(key, body);
        assert_eq!(
            (answer.status, is_readable(&answer, FRIEND)),
            (status, true)
        );
        assert!(answer.field("Date").is_some());
    }
    // A page of another origin is refused, and may not read the answer.
    let foe = from(FOE);
    let key = "Authorization: Bearer right";
    let answer = Http::open(&server).upload("PUT", "/live/demo.webm", &[&foe, key], b"x");
    assert_eq!((answer.status, is_readable(&answer, FOE)), (403, false));
}

#[test]
fn allowed_star_lets_every_origin_read() {
    let server = Server::with(&["--allow-origin", "*"]);
    for origin in [FRIEND, FOE, "null", "https://a.example"] {
        let answer = Http::open(&server).request("GET", "/api/streams", &[&from(origin)]);
        assert!(is_readable(&answer, origin), "{origin}");
    }
    assert!(varies_by_origin(&Http::open(&server).get("/api/streams")));
    let server = Server::start();
    let answer = Http::open(&server).request("GET", "/api/streams", &[&from(FRIEND)]);
    assert!(!is_readable(&answer, FRIEND) && !varies_by_origin(&answer));
}
