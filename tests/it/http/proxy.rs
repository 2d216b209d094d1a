//! The promise: everything works behind nginx and Caddy with the files in `contrib/`, and the proxy
//! delays nothing.

use crate::common::http::{Http, connect_narrow};
use crate::common::media::{Sample, assert_frames};
use crate::common::proxy::{Kind, Proxy, free_address};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Publisher, WebSocketClient};
use crate::common::{PATIENCE, eventually, http};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use videostream::websocket::SUBPROTOCOL;

/// As the files ask for.
const OPTIONS: [&str; 2] = ["--publish-key", "sesame"];
const KEY: &str = "Authorization: Bearer sesame";

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
];

/// A server and the proxy before it.
struct Site {
    proxy: Proxy,
    server: Server,
}

impl Site {
    fn new(kind: Kind) -> Site {
        Site::with(kind, &[])
    }

    fn with(kind: Kind, options: &[&str]) -> Site {
        let server = Server::with(&[&OPTIONS[..], options].concat());
        let proxy = Proxy::before(server.address, kind);
        Site { proxy, server }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.proxy.address).unwrap();
        http::prepare(&stream);
        stream
    }

    fn http(&self) -> Http {
        Http::from_stream(self.connect(), &self.server)
    }

    fn websocket_viewer(&self) -> Viewer {
        Viewer::on(self.connect(), &self.server, "demo", &[SUBPROTOCOL])
    }

    fn http_viewer(&self) -> HttpViewer {
        let mut http = self.http();
        http.ask("GET", "/live/demo.webm", &[]);
        HttpViewer::behind_proxy(http)
    }

    fn publisher(&self) -> Publisher {
        let target = "/publish/demo?key=sesame";
        let protocols = [SUBPROTOCOL];
        let mut client = WebSocketClient::open_on(self.connect(), &self.server, target, &protocols);
        client.text("ready");
        Publisher { client }
    }

    /// Publishes, each block before the eyes of all: what waits anywhere is not seen in time.
    fn watch_each(
        &self,
        sample: &Sample,
        mut send: impl FnMut(&[u8]),
    ) -> [crate::common::media::Screen; 2] {
        let mut told = self.websocket_viewer();
        let mut chunked = self.http_viewer();
        self.server
            .report_when("demo", |report| report["viewers"] == 2);
        let mut sent = 0;
        for block in &sample.blocks {
            let end = sample.end_of(block);
            send(&sample.bytes[sent..end]);
            sent = end;
            let seen = sample.shown(end).len();
            told.watch(seen);
            chunked.watch(seen);
        }
        [told.screen, chunked.screen]
    }
}

fn pages_come_with_their_headers(kind: Kind) {
    let site = Site::new(kind);
    let plain = site.http().get("/");
    assert_eq!(plain.body, Http::open(&site.server).get("/").body);
    // As browsers ask. (Caddy itself asks for gzip when its client did not.)
    let gzip = ["Accept-Encoding: gzip"];
    let page = site.http().request("GET", "/", &gzip);
    let direct = Http::open(&site.server).request("GET", "/", &gzip);
    assert_eq!((page.status, &page.body), (200, &direct.body));
    for name in [
        "ETag",
        "Content-Type",
        "Content-Encoding",
        "Content-Security-Policy",
        "Vary",
    ] {
        assert_eq!(page.field(name), direct.field(name), "{name}");
    }
    assert_eq!(site.http().get("/live/.bad").status, 400);
}

fn a_websocket_publisher_is_seen_block_by_block(kind: Kind) {
    let site = Site::new(kind);
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = site.publisher();
    let screens = site.watch_each(&sample, |bytes| publisher.send(&bytes.to_vec().into()));
    for screen in &screens {
        assert_frames(&screen.frames(), &sample.all_frames());
    }
    // The server notices that viewers leave.
    drop(screens);
    publisher.send_all(&sample.chunks);
    site.server
        .report_when("demo", |report| report["viewers"] == 0);
    publisher.finish();
    site.server.wait_until_offline("demo");
}

fn a_body_is_seen_block_by_block_before_it_ends(kind: Kind) {
    let site = Site::new(kind);
    let sample = Sample::read("chromium-restart-1");
    let mut put = site.http();
    put.ask("PUT", "/publish/demo", &[KEY, "Transfer-Encoding: chunked"]);
    let screens = site.watch_each(&sample, |bytes| put.send_chunk(bytes));
    for screen in &screens {
        assert_frames(&screen.frames(), &sample.all_frames());
    }
    put.send("0\r\n\r\n");
    assert_eq!(put.answer("PUT").status, 200);
}

/// The proxy does not buffer a whole stream for a viewer that reads nothing.
fn stalled_viewer_behind_a_proxy_causes_backpressure(kind: Kind) {
    let site = Site::new(kind);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut here = Viewer::v1(&site.server, "demo");
    let mut publisher = site.publisher();
    publisher.open_stream(&sample);
    here.watch(1);
    let stuck = connect_narrow(site.proxy.address);
    let mut stuck = Http::from_stream(stuck, &site.server);
    stuck.ask("GET", "/live/demo.webm", &[]);
    publisher.go_on(&sample);
    let mut frames = sample.all_frames().len();
    eventually("the server cannot send more", || {
        publisher.send_all(&sample.chunks);
        frames += sample.all_frames().len();
        here.watch(frames);
        let behind = "videostream_stream_viewers_behind{stream=\"demo\"}";
        (site.server.metric(behind) == 1).then_some(())
    });
}

fn publishing_through_a_loopback_proxy_needs_the_key(kind: Kind) {
    let site = Site::new(kind);
    let mut http = site.http();
    http.ask("GET", "/publish/demo", &UPGRADE);
    assert_eq!(http.head().status, 401);
    let fields = ["Authorization: Bearer wrong"];
    let answer = site.http().upload("PUT", "/publish/demo", &fields, b"x");
    assert_eq!(answer.status, 401);
    drop(site.publisher());
    site.server.wait_until_offline("demo");
}

fn keys_in_addresses_are_not_logged(kind: Kind) {
    let Site { proxy, server } = Site::new(kind);
    let ask = || {
        let stream = TcpStream::connect(proxy.address).unwrap();
        http::prepare(&stream);
        let mut http = Http::from_stream(stream, &server);
        http.get("/publish/demo?key=sesame").status
    };
    let page = Http::open(&server).get("/publish/demo?key=sesame").status;
    assert_eq!(ask(), page);
    // Nor when something is wrong, and that is logged.
    let nobody = Proxy::before(free_address(), kind);
    let mut http =
        TcpStream::connect(nobody.address).map(|stream| Http::from_stream(stream, &server));
    let status = http
        .as_mut()
        .unwrap()
        .get("/publish/demo?key=sesame")
        .status;
    assert_eq!(status, 502);
    for logs in [proxy.logs(), nobody.logs()] {
        assert!(!logs.contains("sesame"), "{logs}");
    }
}

/// A browser's page at the proxy's own address may open sockets, and no other's.
fn pages_of_the_proxys_own_origin_may_open_websockets(kind: Kind) {
    let site = Site::new(kind);
    for (origin, status) in [
        (format!("http://{}", site.proxy.address), 101),
        ("https://foe.example".to_owned(), 403),
        (format!("http://{}", site.server.address), 403),
    ] {
        let mut http = site.http();
        let head = format!(
            "GET /live/demo HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\n{}\r\n\r\n",
            site.proxy.address,
            UPGRADE.join("\r\n")
        );
        http.send(head);
        assert_eq!(http.head().status, status, "{origin}");
    }
}

fn the_viewers_address_is_forwarded_and_no_other(kind: Kind) {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::before(origin.local_addr().unwrap(), kind);
    let mut client = TcpStream::connect(proxy.address).unwrap();
    http::prepare(&client);
    let request = format!(
        "GET /live/demo HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: 203.0.113.7\r\n{}\r\n\r\n",
        proxy.address,
        UPGRADE.join("\r\n")
    );
    client.write_all(request.as_bytes()).unwrap();
    // The first connection may be how we saw that it listens.
    let head = eventually("a request", || {
        let (stream, _) = origin.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        (!head.is_empty()).then_some(head)
    });
    let field = |name: &str| -> Vec<&str> {
        let fields = head.iter().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    };
    assert_eq!(field("X-Forwarded-For"), ["127.0.0.1"], "{head:?}");
    assert_eq!(field("X-Forwarded-Proto"), ["http"], "{head:?}");
    assert_eq!(field("Host"), [proxy.address.to_string()], "{head:?}");
    assert_eq!(field("Upgrade"), ["websocket"], "{head:?}");
    assert!(field("Connection")[0].eq_ignore_ascii_case("upgrade"));
}

fn viewers_behind_a_proxy_are_counted_by_their_own_address(kind: Kind) {
    let site = Site::with(
        kind,
        &[
            "--trusted-proxy=127.0.0.1",
            "--max-connections-per-address=1",
        ],
    );
    let watch = |address: [u8; 4]| {
        let stream = http::connect_from(address, site.proxy.address);
        let mut http = Http::from_stream(stream, &site.server);
        http.ask("GET", "/live/demo", &UPGRADE);
        (http.head().status, http)
    };
    let (first, one) = watch([127, 0, 0, 5]);
    let (second, _two) = watch([127, 0, 0, 6]);
    assert_eq!((first, second), (101, 101));
    let (again, refused) = watch([127, 0, 0, 5]);
    assert_eq!(again, 503);
    drop((one, refused));
    eventually("there is room again", || {
        let (status, _) = watch([127, 0, 0, 5]);
        (status == 101).then_some(())
    });
}

/// Each of these for each proxy, as tests of their own.
macro_rules! behind {
    ($module:ident, $kind:expr, [$($promise:ident),* $(,)?]) => {
        mod $module {
            use super::*;
            $(
                #[test]
                fn $promise() {
                    super::$promise($kind);
                }
            )*
        }
    };
}

behind!(
    nginx,
    Kind::Nginx,
    [
        pages_come_with_their_headers,
        a_websocket_publisher_is_seen_block_by_block,
        a_body_is_seen_block_by_block_before_it_ends,
        stalled_viewer_behind_a_proxy_causes_backpressure,
        publishing_through_a_loopback_proxy_needs_the_key,
        keys_in_addresses_are_not_logged,
        pages_of_the_proxys_own_origin_may_open_websockets,
        the_viewers_address_is_forwarded_and_no_other,
        viewers_behind_a_proxy_are_counted_by_their_own_address,
    ]
);
behind!(
    caddy,
    Kind::Caddy,
    [
        pages_come_with_their_headers,
        a_websocket_publisher_is_seen_block_by_block,
        a_body_is_seen_block_by_block_before_it_ends,
        stalled_viewer_behind_a_proxy_causes_backpressure,
        publishing_through_a_loopback_proxy_needs_the_key,
        keys_in_addresses_are_not_logged,
        pages_of_the_proxys_own_origin_may_open_websockets,
        the_viewers_address_is_forwarded_and_no_other,
        viewers_behind_a_proxy_are_counted_by_their_own_address,
    ]
);
