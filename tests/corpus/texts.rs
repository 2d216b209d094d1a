//! Inputs of `request`, `body` and `control`.

use videostream::fuzzing;

/// Inputs of `request`.
pub fn request_seeds() -> Vec<(String, Vec<u8>)> {
    const SOCKET: &str = "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: videostream.v1\r\nOrigin: http://a\r\n\r\n";
    let requests = [
        ("page", "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0\r\nIf-None-Match: \"e\"\r\n\r\n".to_owned()),
        ("watch", format!("GET /live/demo?key=k%2B HTTP/1.1\r\n{SOCKET}\u{1}")),
        ("publish", format!("GET /publish/demo HTTP/1.1\r\n{SOCKET}")),
        ("old-version", format!("GET /live/demo HTTP/1.1\r\n{SOCKET}").replace("13", "8")),
        ("put", "PUT /live/demo.webm HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWebM\r\na;x=y\r\n0123456789\r\n0\r\nT: t\r\n\r\nGET".to_owned()),
        ("source", "SOURCE /demo ICE/1.0\r\n\r\n".to_owned()),
        ("icecast", "SOURCE /publish/demo HTTP/1.0\r\nAuthorization: Basic c291cmNlOms=\r\nContent-Type: video/webm\r\n\r\n\u{1a}E".to_owned()),
        ("poster", "POST http://a:1/live/demo.jpg HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nAuthorization: Bearer k\r\n\r\njpg".to_owned()),
        ("smuggler", "POST /publish/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()),
        ("end", "DELETE /api/streams/demo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned()),
        ("nowhere", "HEAD /live/.hidden?embed HTTP/1.0\r\n\r\n".to_owned()),
        ("forwarded", "GET /live/demo.webm HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, [2001:db8::7]:1\r\nX-Forwarded-For: 10.0.0.2\r\n\r\n".to_owned()),
        ("introduced", "PROXY TCP4 203.0.113.9 10.0.0.1 4660 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("introduced-6", "PROXY TCP6 2001:db8::7 ::1 4660 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("elsewhere", format!("GET /publish/demo?key=p HTTP/1.1\r\n{SOCKET}").replace("http://a", "https://b:1")),
        ("rebound", "PUT /publish/demo HTTP/1.1\r\nHost: evil.example:80\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("local", "PUT /publish/demo HTTP/1.1\r\nHost: [::1]:80\r\nOrigin: http://[::1]\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("socket-as-origin", "PUT /publish/demo?key=p HTTP/1.1\r\nHost: a\r\nOrigin: ws://a\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("no-host-at-all", "PUT /publish/demo?key=p HTTP/1.1\r\nHost:\r\nOrigin: http://\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("star", "PUT /publish/demo?key=p HTTP/1.1\r\nHost: *\r\nOrigin: http://*\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("empty-port", "GET /live/demo HTTP/1.1\r\nHost: 127.0.0.1:\r\n\r\n".to_owned()),
        ("link", "GET /live/demo HTTP/1.1\r\nHost: [fe80::1%25eth0]:80\r\n\r\n".to_owned()),
        ("watch-key", "GET /live/demo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer w\r\n\r\n".to_owned()),
        ("anothers-key", "DELETE /api/streams/own?key=p HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("own-key", "DELETE /api/streams/own?key=o HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("watch-own", "GET /live/own?key=w HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("old-socket", format!("GET /live/demo HTTP/1.0\r\n{SOCKET}")),
        ("poster-of-a-poster", "GET /live/demo.jpg.jpg HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("nothing-there", "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("accepted", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: PROOF\r\nSec-WebSocket-Protocol: videostream.v1\r\n\r\n".replace("PROOF", &fuzzing::handshake_proof())),
        ("compressed", "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: PROOF\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n".replace("PROOF", &fuzzing::handshake_proof())),
        ("unproven", "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n".to_owned()),
        ("refused", "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n\r\na key is\n".to_owned()),
        ("refused-without-a-word", "HTTP/1.1 503 \r\n\r\n".to_owned()),
        ("all-streams", "GET /api/streams HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
    ];
    let tokens = fuzzing::tokens()
        .into_iter()
        .enumerate()
        .map(|(index, token)| {
            let text = format!("GET /publish/demo?token={token} HTTP/1.1\r\n{SOCKET}");
            (format!("token-{index}"), text.into_bytes())
        });
    // The PROXY protocol's second version: a client of IPv4, and the proxy itself.
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let introductions = [
        (
            "binary",
            &b"\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x12\x34\0\x50"[..],
        ),
        ("binary-local", b"\x20\0\0\0"),
    ];
    let introductions = introductions.map(|(name, rest)| {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        (name.to_owned(), [&signature[..], rest, request].concat())
    });
    let texts = requests.map(|(name, text)| (name.to_owned(), text.into_bytes()));
    let all = texts.into_iter().chain(tokens).chain(introductions);
    all.map(|(name, bytes)| (name, [&bytes[..], &[3, 0, 40, 3]].concat()))
        .collect()
}

/// Inputs of `body`.
pub fn body_seeds() -> Vec<(String, Vec<u8>)> {
    let chunked = [
        (
            "chunks",
            "5\r\nhello\r\n0005;e=\"f\"\r\nworld\r\n0\r\n\r\nrest",
        ),
        (
            "padded",
            "05 ;a\r\nhello\r\n0;x\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ),
        ("large", "ffffffffffffffff\r\nhello"),
        ("too-large", "10000000000000000\r\nhello"),
        ("longer-than-its-size", "1\r\nhello\r\n0\r\n\r\n"),
        ("lone-line-feeds", "5\nhello\n0\n\n"),
        ("plain", "hello, and what is behind it"),
    ];
    let framings = chunked.iter().flat_map(|&(name, text)| {
        [0, 3, 255].map(|framing| {
            let name = format!("{name}-{framing}");
            (name, [text.as_bytes(), &[3, 0, 40, 3, framing]].concat())
        })
    });
    framings.collect()
}

const EVERY_LIMIT: &str = "max_connections = 100
max_connections_per_address = 5
max_streams = 3
max_memory = '1GiB'
max_publish_rate = '5Mbit/s'
ring_bytes = '16MiB'
ring_duration = '30s'
max_delay = '100ms'
max_lag = '1s'
viewer_buffer = '256KiB'
init_bytes = '1MiB'
block_bytes = '4MiB'
publisher_message_bytes = '8MiB'
viewer_message_bytes = '4KiB'
head_bytes = '16KiB'
poster_bytes = '256KiB'
head_timeout = '10s'
publisher_timeout = '30s'
viewer_timeout = '30s'
ping_interval = '20s'
ping_timeout = '20s'
drain_timeout = '10s'
";

const EVERY_ACCESS: &str = "listen = ['0.0.0.0:0']
publish_key = 'k'
token_secret = '0123456789abcdef0123456789abcdef'
auth_url = 'http://127.0.0.1:3000/auth'
auth_timeout = '2s'
auth_cache = '5s'
allow_origin = ['https://a.example']
allow_host = ['a.example']
trusted_proxy = ['127.0.0.1', '10.0.0.0/8']
proxy_protocol = true
watch_open = true
[streams.door]
watch_key = 'k'
";

/// Inputs of `control`.
pub fn control_seeds() -> Vec<(String, Vec<u8>)> {
    let texts = [
        (0, r#"{"type":"hello","stream":"a","live":true}"#),
        (
            0,
            r#"{"type":"init","mime":"video/webm; codecs=\"vp8\"","generation":2}"#,
        ),
        (
            0,
            r#"{"type":"skip","from_ms":1,"to_ms":18446744073709551615}"#,
        ),
        (0, r#"{"type":"offline","new":[1,{"a":null}]}"#),
        (0, r#"{"type":"viewers","count":3}"#),
        (0, r#"{"type":"ready","watch":"/live/a"}"#),
        (
            0,
            r#"{"type":"warning","code":"keyframe-interval","message":"no\n\u0000 \ud83d\ude00"}"#,
        ),
        (0, r#"{"type":"restart"}"#),
        (
            1,
            "listen = ['0.0.0.0:80', '[::]:80']\npublish_open = true\nring_bytes = '16MiB'\n",
        ),
        (
            1,
            "publish_key = 'hunter'\nwatch_key = \"hunter\"\nlog = 'json'\nlog_level = 'debug'\n",
        ),
        (1, "publish_key = 'hunter\n"),
        (
            1,
            "allow_origin = ['https://a.example', 'http://b:1']\nhead_timeout = '1m 30s'\n",
        ),
        (
            1,
            "[streams.door]\npublish_key = 'hunter'\nwatch_key = 'größer als hunter '\n",
        ),
        (
            1,
            "max_streams = -1\nblock_bytes = 99999999999\nring_bytes = '1KiB'\n",
        ),
        (
            2,
            "--listen\n127.0.0.1:0\n--publish-key\nhunter\n--max-streams=5",
        ),
        (
            2,
            "serve\n--publish-open\n--ring-bytes=16MiB\n--ring-duration\n30s",
        ),
        (2, "push\n--loop\na.webm\nws://127.0.0.1:8080/publish/live"),
        (
            2,
            "load\nhttp://127.0.0.1:8080/live/live\n--viewers\n9\n--json",
        ),
        (1, EVERY_LIMIT),
        (1, EVERY_ACCESS),
        (1, "max_delay = '11s'"),
        (1, "max_delay = '2s'\nmax_lag = '1s'\n"),
        (1, "viewer_buffer = '1KiB'"),
        (1, "max_publish_rate = '1bit/s'"),
        (1, "max_memory = '1KiB'"),
        (1, "block_bytes = '2GiB'"),
        (1, "ping_timeout = '0s'"),
        (1, "publish_key = 1\n"),
        (1, "watch_key = -1\n"),
        (1, "publish_key = 1.5\n"),
        (1, "token_secret = true\n"),
        (1, "token_secret = 'short'\n"),
        (1, "http_redirect = ['127.0.0.1:81']\n"),
        (
            1,
            "tls_self_signed = true\nhttp_redirect = ['127.0.0.1:81', '127.0.0.1:81']\n",
        ),
        (
            1,
            "tls_self_signed = true\nhttp_redirect = ['127.0.0.1:81']\n",
        ),
        (1, "max_publish_rate = '11k'\n"),
        (1, "max_delay = 0.1\nmax_lag = 2\n"),
        (1, "[streams.a]\nrecord = 'a.webm'\n"),
        (1, "[streams.'a b']\nwatch_key = 'hunter'\n"),
        (2, "--max-delay=0.1\n--max-lag\n1"),
        (1, "listen = []"),
        (1, "listen = ['127.0.0.1:80', '127.0.0.1:80']"),
        (1, "proxy_protocol = true"),
        (1, "publish_key = 'k'\npublish_open = true"),
        (1, "watch_key = 'k'\nwatch_open = true"),
        (1, "auth_url = 'ftp://a'"),
        (2, "inspect\n--json"),
        (2, "--no-such-flag"),
        (3, "ws://127.0.0.1:8080/publish/live?key=hunter"),
        (3, "http://[::1]:80/live/live.webm"),
        (3, "ws://u:p@a/publish/b"),
        (3, "front-door.2_a"),
        (3, "::ffff:10.0.0.0/104"),
        (3, "2.5 Mbit/s"),
    ];
    let named = texts.iter().enumerate().map(|(index, (kind, text))| {
        (
            format!("{kind}-{index}"),
            [text.as_bytes(), &[*kind]].concat(),
        )
    });
    named.collect()
}
