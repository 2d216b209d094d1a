//! What it costs to understand a request: its head parsed and its address routed, when it comes at
//! once and when it comes in pieces of 64 bytes, each of which makes the server look at all of it
//! again.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use videostream::http::{Body, HEAD_BYTES_DEFAULT, RequestHead, parse_request};
use videostream::routes::route;

const PAGE: &str = "GET /live/garden HTTP/1.1\r\n\
    Host: video.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.8,de;q=0.5,de-DE;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://video.example.org/\r\n\
    DNT: 1\r\n\
    Sec-GPC: 1\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=c2Vzc2lvbiBvZiBhbm90aGVyIHNlcnZpY2Ugb24gdGhpcyBob3N0; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-User: ?1\r\n\
    If-None-Match: \"5f0a2b7c9d1e3f40\"\r\n\
    Priority: u=0, i\r\n\r\n";

const SOCKET: &str = "GET /live/garden?key=come+in HTTP/1.1\r\n\
    Host: video.example.org\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://video.example.org\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    Sec-WebSocket-Protocol: videostream.v1\r\n\r\n";

const PUT: &str = "PUT /publish/garden HTTP/1.1\r\n\
    User-Agent: Lavf/61.7.100\r\n\
    Accept: */*\r\n\
    Expect: 100-continue\r\n\
    Connection: close\r\n\
    Host: video.example.org:8080\r\n\
    Content-Type: video/webm\r\n\
    Transfer-Encoding: chunked\r\n\
    Authorization: Basic c291cmNlOmJhdHRlcnkgc3RhcGxl\r\n\r\n";

/// The head, parsed again at each piece until it is whole.
fn parse(request: &[u8], piece: usize) -> RequestHead {
    let mut come = 0;
    loop {
        come = (come + piece).min(request.len());
        let parsed = parse_request(black_box(&request[..come]), HEAD_BYTES_DEFAULT);
        if let Some((head, length)) = parsed.expect("a good request") {
            assert_eq!(length, request.len());
            return head;
        }
    }
}

fn bench_http_head(criterion: &mut Criterion) {
    let page = parse(PAGE.as_bytes(), PAGE.len());
    assert!(page.codings.gzip && page.if_none_match.is_some() && page.upgrade.is_none());
    let socket = parse(SOCKET.as_bytes(), SOCKET.len());
    assert!(socket.upgrade.is_some() && !socket.keys.is_empty());
    let put = parse(PUT.as_bytes(), PUT.len());
    assert!(put.body == Body::Chunked && put.expect_continue && !put.keys.is_empty());

    let mut group = criterion.benchmark_group("request head");
    for (name, request, head) in [
        ("Firefox opens a page", PAGE, page),
        ("Chromium opens a WebSocket", SOCKET, socket),
        ("ffmpeg publishes", PUT, put),
    ] {
        let request = request.as_bytes();
        assert_eq!(parse(request, 64), head, "{name}");
        assert!(route(&head).is_ok(), "{name}");
        group.throughput(Throughput::Bytes(request.len() as u64));
        for (cut, piece) in [("whole", request.len()), ("64 B pieces", 64)] {
            group.bench_function(format!("{name}, {cut}"), |bencher| {
                bencher.iter(|| route(&parse(request, piece)).is_ok());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench_http_head);
criterion_main!(benches);
