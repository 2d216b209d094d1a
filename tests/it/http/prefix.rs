//! The promise: every address works below a path prefix, behind a proxy that strips the prefix and
//! behind one that keeps it; and links from the server have the prefix.

use crate::common::http::{Http, prepare};
use crate::common::media::Sample;
use crate::common::proxy::{Kind, Proxy};
use crate::common::server::{Server, program};
use crate::common::websocket::WebSocketClient;
use std::net::TcpStream;
use videostream::websocket::SUBPROTOCOL;

const PAGES: [&str; 4] = ["/", "/publish/demo", "/live/demo", "/live/demo?embed"];

/// A relative reference on a page at `path`, as a browser resolves it (RFC 3986, 5.2.4).
fn resolve(path: &str, reference: &str) -> String {
    // RFC 3986, section 5.2.2: an empty reference is the page itself.
    if reference.is_empty() {
        return path.to_owned();
    }
    let path = path.split('?').next().unwrap();
    if reference.starts_with(['?', '#']) {
        return format!("{path}{reference}");
    }
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    let (place, query) = reference.split_once('?').unwrap_or((reference, ""));
    assert!(
        !place.starts_with('/') && !place.contains("//"),
        "{reference}"
    );
    let mut last = "";
    for (index, part) in place.split('/').enumerate() {
        if index > 0 && !last.is_empty() {
            folders.push(last);
        }
        last = part;
        match part {
            "." => last = "",
            ".." => {
                assert!(folders.len() > 1, "{reference} leads out of {path}");
                folders.pop();
                last = "";
            }
            _ => {}
        }
    }
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}/{last}{mark}{query}", folders.join("/"))
}

/// What a page loads and links to.
fn references(html: &str) -> Vec<String> {
    let values = html.split([' ', '\n']).filter_map(|attribute| {
        let names = ["href=\"", "src=\"", "data-codecs=\"", "data-mse=\""];
        let value = names.iter().find_map(|name| attribute.strip_prefix(name))?;
        value.split('"').next()
    });
    let values: Vec<String> = values
        // Programs that read a whole link get one: see `error_pages`. The icon is in the page.
        .filter(|it| {
            !["#", "http", "data:"]
                .iter()
                .any(|begin| it.starts_with(begin))
        })
        .filter(|it| !it.ends_with(".webm"))
        .map(str::to_owned)
        .collect();
    assert!(values.len() > 3, "{values:?}");
    values
}

/// Where a browser asks for the server's pages.
struct Site<'a> {
    server: &'a Server,
    proxy: Option<Proxy>,
}

impl Site<'_> {
    fn connect(&self) -> TcpStream {
        let address = self
            .proxy
            .as_ref()
            .map_or(self.server.address, |proxy| proxy.address);
        let stream = TcpStream::connect(address).unwrap();
        prepare(&stream);
        stream
    }

    fn http(&self) -> Http {
        Http::from_stream(self.connect(), self.server)
    }

    fn assert_works_below(&self, prefix: &str) {
        for page in PAGES {
            let path = format!("{prefix}{page}");
            let answer = self.http().get(&path);
            assert_eq!(answer.status, 200, "{path}");
            for reference in references(&answer.text()) {
                let target = resolve(&path, &reference);
                assert!(
                    target.starts_with(&format!("{prefix}/")),
                    "{target} of {path}"
                );
                assert_eq!(self.http().get(&target).status, 200, "{target} of {path}");
            }
        }
        for target in ["/api/streams", "/metrics", "/healthz"] {
            assert_eq!(
                self.http().get(&format!("{prefix}{target}")).status,
                200,
                "{target}"
            );
        }
        // A slash too many leads to a page below the prefix as well.
        let slash = format!("{prefix}/live/demo/?embed");
        let answer = self.http().get(&slash);
        assert_eq!(answer.status, 308);
        let place = resolve(&slash, answer.field("Location").unwrap());
        assert_eq!(place, format!("{prefix}/live/demo?embed"));

        let open = |target: String| {
            WebSocketClient::open_on(self.connect(), self.server, &target, &[SUBPROTOCOL])
        };
        let mut viewer = open(format!("{prefix}/live/demo"));
        viewer.text("hello");
        let mut publisher = open(format!("{prefix}/publish/demo"));
        publisher.text("ready");
        let sample = Sample::read("chromium-restart-1");
        for chunk in &sample.chunks {
            publisher.send(chunk.clone());
        }
        viewer.text("init");
        let mut stream = self.http();
        stream.ask("GET", &format!("{prefix}/live/demo.webm"), &[]);
        assert_eq!(stream.head().status, 200);
        assert_eq!(
            self.http().get(&format!("{prefix}/live/demo.webp")).status,
            200
        );
        publisher.close();
    }
}

#[test]
fn every_address_works_behind_a_proxy_that_strips_the_prefix() {
    let server = Server::with(&["--publish-open"]);
    let proxy = Some(Proxy::before(server.address, Kind::NginxStripping));
    Site {
        server: &server,
        proxy,
    }
    .assert_works_below("/video");
}

#[test]
fn links_have_the_prefix_stripped_by_a_trusted_proxy() {
    let options = ["--publish-open", "--trusted-proxy", "127.0.0.1"];
    for (options, link) in [
        (&options[..], "/video/live/demo"),
        (&options[..1], "/live/demo"),
    ] {
        let server = Server::with(options);
        let site = Site {
            server: &server,
            proxy: Some(Proxy::before(server.address, Kind::NginxStripping)),
        };
        site.assert_works_below("/video");
        let target = "/video/publish/demo";
        let mut publisher =
            WebSocketClient::open_on(site.connect(), &server, target, &[SUBPROTOCOL]);
        assert_eq!(publisher.text("ready")["watch"], link);
    }
}

#[test]
fn every_address_works_behind_a_proxy_that_keeps_the_prefix() {
    let server = Server::with(&["--publish-open", "--base-path", "/video"]);
    let proxy = Some(Proxy::before(server.address, Kind::NginxBelow));
    Site {
        server: &server,
        proxy,
    }
    .assert_works_below("/video");
}

#[test]
fn server_with_a_base_path_answers_below_it_and_without_it() {
    for base in ["/video", "/a/b", "/live"] {
        let server = Server::with(&["--base-path", base]);
        let site = Site {
            server: &server,
            proxy: None,
        };
        site.assert_works_below(base);
        site.assert_works_below("");
        let answer = site.http().get(&format!("{base}?x=y"));
        assert_eq!(answer.status, 308, "{base}");
        let place = resolve(base, answer.field("Location").unwrap());
        assert_eq!(place, format!("{base}/?x=y"));
        assert_eq!(site.http().get(&format!("{base}s/healthz")).status, 404);
    }
}

/// The link to share that a publisher gets.
fn told_link(server: &Server, lines: &[&str]) -> String {
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
        "Sec-WebSocket-Protocol: videostream.v1",
    ];
    let mut http = Http::open(server);
    http.ask("GET", "/publish/demo?key=k", &[&upgrade, lines].concat());
    assert_eq!(http.head().status, 101);
    let frame = http.some();
    let text: serde_json::Value = serde_json::from_slice(&frame[2..]).unwrap();
    assert_eq!(text["type"], "ready");
    text["watch"].as_str().unwrap().to_owned()
}

#[test]
fn links_have_the_prefix_of_the_server_or_of_a_trusted_proxy() {
    let forwarded = ["X-Forwarded-Prefix: /video/"];
    let trusting = Server::with(&["--trusted-proxy", "127.0.0.1", "--publish-key", "k"]);
    assert_eq!(told_link(&trusting, &[]), "/live/demo");
    assert_eq!(told_link(&trusting, &forwarded), "/video/live/demo");
    assert_eq!(
        told_link(&trusting, &["X-Forwarded-Prefix: //evil.example"]),
        "/live/demo"
    );
    let site = Site {
        server: &trusting,
        proxy: None,
    };
    let answer = site.http().request("GET", "/video/live/demo", &forwarded);
    assert_eq!(answer.status, 200);
    // The field counts only from a trusted proxy.
    let server = Server::with(&["--publish-key", "k"]);
    assert_eq!(told_link(&server, &forwarded), "/live/demo");
    let answer = Http::open(&server).request("GET", "/video/live/demo", &forwarded);
    assert_eq!(answer.status, 404);

    let mut server = Server::with(&["--base-path", "/video", "--publish-key", "k"]);
    assert_eq!(told_link(&server, &[]), "/video/live/demo");
    let address = server.address;
    assert_eq!(
        server.line(),
        format!("  go live: http://{address}/video/publish/live")
    );
    assert_eq!(
        server.line(),
        format!("  watch:   http://{address}/video/live/live")
    );
}

#[test]
fn token_prints_links_with_the_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("videostream.toml");
    std::fs::write(&file, "base_path = '/video'\n").unwrap();
    let config = ["--config", file.to_str().unwrap()];
    for (options, url, link) in [
        (
            &["--base-path", "/video"][..],
            "https://a",
            "https://a/video/live/demo?token=",
        ),
        (&config, "https://a", "https://a/video/live/demo?token="),
        (
            &config,
            "https://a/video/",
            "https://a/video/live/demo?token=",
        ),
        (&[], "https://a/b", "https://a/b/live/demo?token="),
    ] {
        let mut token = program();
        token.args(["token", "demo", "--url", url]).args(options);
        token.env(
            "VIDEOSTREAM_TOKEN_SECRET",
            "0123456789abcdef0123456789abcdef",
        );
        let output = token.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.starts_with(link), "{options:?} {url}: {printed}");
    }
}

#[test]
fn invalid_base_path_is_refused_at_start() {
    for bad in [
        "video",
        "/video/",
        "/",
        "//a",
        "/a/..",
        "/a b",
        "http://a/b",
    ] {
        let output = program().args(["--base-path", bad]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains("--base-path") && said.contains("such as /video"),
            "{said}"
        );
    }
}
