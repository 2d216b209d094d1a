//! A request, its client address and its permission, its answer, and the body that it brings.

use super::admission::{assert_only_guests_get_in, assert_the_client_was_named};
use super::body::same_however_cut;
use super::split_lengths;
use crate::access::origin::Origins;
use crate::http::date::HttpDate;
use crate::http::proxy_header;
use crate::http::redirect::to_https;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, Stamp, refuse};
use crate::http::{Body, HttpError, Method, RequestHead, parse_request};
use crate::routes::{Route, Via, route};
use crate::websocket::handshake::accept_key;
use crate::websocket::switching_protocols;
use crate::websocket::{HandshakeError, check_response, refusal_so_far};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

/// Small, so that a fuzzer comes to it.
const HEAD_BYTES_MAX: usize = 1024;

/// What a client of ours made up at random.
const CLIENT_KEY: [u8; 16] = [7; 16];

/// However the bytes of a request are cut, its head says the same, and says it for good; our answer
/// is one whole response, for any request; a request without key and token does not get in; and its
/// body has the same data and the same end. So it is with the PROXY header that may come first.
/// What begins as a response is one to a client that asked for a WebSocket.
///
/// The request comes first in `input`, then piece lengths, one byte each, and how many of them.
pub fn request(input: &[u8]) {
    let (mut bytes, lengths) = split_lengths(input);
    if bytes.starts_with(b"HTTP/") {
        return response(&bytes);
    }
    skip_proxy_header(&mut bytes);
    match same_head_however_cut(&bytes) {
        Ok(Some((body, rest))) => same_however_cut(body, &rest, &lengths),
        Ok(None) => {}
        Err(error) => assert_is_whole(&refuse(
            &Refusal::from(error),
            Method::Other,
            Connection::Close,
            &Stamp::default(),
        )),
    }
}

/// The proof that a server has understood this client.
pub fn handshake_proof() -> String {
    accept_key(&BASE64_STANDARD.encode(CLIENT_KEY))
}

/// However an answer is cut, a client comes to the same end, and accepts no server that does not
/// know what it asked.
fn response(bytes: &Bytes) {
    let whole = check_response(bytes, &CLIENT_KEY);
    for length in 0..bytes.len().min(HEAD_BYTES_MAX) {
        match (check_response(&bytes[..length], &CLIENT_KEY), &whole) {
            (Ok(None), _) => {}
            (Ok(part), whole) => assert_eq!(&Ok(part), whole),
            // The reason may come behind the head.
            (Err(HandshakeError::Refused { status, .. }), whole) => {
                let is_same = matches!(whole, Err(HandshakeError::Refused { status: of, .. }) if *of == status);
                assert!(is_same, "{status}, {whole:?}");
            }
            (Err(part), whole) => assert_eq!(whole, &Err(part)),
        }
    }
    match whole {
        Ok(None) => {}
        Ok(Some((_, length))) => {
            let proof = handshake_proof();
            let mut windows = bytes[..length].windows(proof.len());
            assert!(windows.any(|window| window == proof.as_bytes()));
            assert_eq!(refusal_so_far(bytes), None);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

fn skip_proxy_header(bytes: &mut Bytes) {
    let whole = proxy_header::parse(bytes);
    for length in 0..bytes.len().min(HEAD_BYTES_MAX) {
        let part = proxy_header::parse(&bytes[..length]);
        assert!(part == Ok(None) || part == whole, "{part:?}, {whole:?}");
    }
    if let Ok(Some(header)) = whole {
        let _ = bytes.split_to(header.length);
    }
}

/// What body the request has, and the bytes behind its head.
fn same_head_however_cut(bytes: &Bytes) -> Result<Option<(Body, Bytes)>, HttpError> {
    let whole = parse_request(bytes, HEAD_BYTES_MAX);
    for length in 0..bytes.len().min(HEAD_BYTES_MAX + 1) {
        let part = parse_request(&bytes[..length], HEAD_BYTES_MAX);
        assert!(part == Ok(None) || part == whole, "{part:?}, {whole:?}");
    }
    let Some((head, length)) = whole? else {
        return Ok(None);
    };
    assert!(length <= HEAD_BYTES_MAX.min(bytes.len()));
    assert!(head.path == "*" || head.path.starts_with('/'), "{head:?}");
    assert!(!head.path.contains(char::is_control), "{head:?}");
    assert_the_client_was_named(head.forwarded_for.as_deref());
    let elsewhere = to_https(&head, bytes, 8443);
    if let (308, [(_, url), ..]) = (elsewhere.status, &elsewhere.headers[..]) {
        let host = head.host.as_deref().unwrap_or_default();
        let rest = url
            .strip_prefix("https://")
            .and_then(|url| url.split_once(":8443"));
        let (name, rest) = rest.expect("an address of ours");
        assert!(host.starts_with(name) && !name.is_empty(), "{url}");
        assert!(rest.is_empty() || rest.starts_with(['/', '?']), "{url}");
    }
    assert_is_whole(&refuse(
        &elsewhere,
        head.method,
        Connection::Close,
        &stamp(&head),
    ));
    let route = route(&head);
    if let Ok(route) = &route {
        assert_only_guests_get_in(route, &head);
    }
    match route {
        Err(refusal) => assert_is_whole(&refuse(
            &refusal,
            head.method,
            Connection::Close,
            &stamp(&head),
        )),
        Ok(
            Route::Publish {
                via: Via::WebSocket(handshake),
                ..
            }
            | Route::Watch {
                via: Via::WebSocket(handshake),
                ..
            },
        ) => assert_is_whole(&switching_protocols(&handshake)),
        Ok(_) => {}
    }
    Ok(Some((head.body, bytes.slice(length..))))
}

/// With what the request itself puts into the answer.
fn stamp(head: &RequestHead) -> Stamp {
    let origins = Origins::parse(&["*".to_owned()]).expect("any origin");
    Stamp {
        date: Some(HttpDate::at(784_111_777)),
        readers: origins.readers(head.origin.as_deref()),
    }
}

/// Nothing that a peer says can end a field of ours and begin another, or a second response.
fn assert_is_whole(response: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Response::new(&mut fields);
    let head = parsed
        .parse(response)
        .expect("a response that others can read");
    let httparse::Status::Complete(head_length) = head else {
        panic!("a response whose head has no end");
    };
    let body = &response[head_length..];
    let declared = parsed
        .headers
        .iter()
        .find(|field| field.name == "Content-Length")
        .and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
    // The answer to HEAD tells the length of a body that it does not have.
    assert!(body.is_empty() || Some(body.len()) == declared);
}
