//! Requests that are right or wrong, and a strict reader of their answers.

use crate::common::http::connect;
use crate::common::server::Server;
use std::io::{Read, Write};

pub const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

/// What would be smuggled. If it were taken for a request, there would be a second answer.
pub const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\nConnection: close\r\n\r\n";

/// An answer, as strict a reader as httparse sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub closes: bool,
    pub body: Vec<u8>,
}

/// All answers to these bytes, up to the end of the connection. `heads` tells for each whether its
/// request was a HEAD.
pub fn converse(server: &Server, bytes: &[u8], heads: &[bool]) -> Vec<Answer> {
    let mut stream = connect(server);
    // The server may have closed before it has taken all.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    if let Err(error) = stream.read_to_end(&mut received) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    let mut rest = &received[..];
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = head.parse(rest).unwrap() else {
            panic!("half an answer: {:?}", String::from_utf8_lossy(rest));
        };
        rest = &rest[length..];
        let status = head.code.unwrap();
        let value = |name: &str| {
            let mut fields = head.headers.iter();
            let field = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
            Some(std::str::from_utf8(field.value).unwrap())
        };
        let is_head = heads.get(answers.len()) == Some(&true);
        let has_body = status >= 200 && status != 204 && status != 304 && !is_head;
        let length = value("Content-Length").filter(|_| has_body);
        let (body, behind) = rest.split_at(length.map_or(0, |length| length.parse().unwrap()));
        rest = behind;
        answers.push(Answer {
            status,
            closes: value("Connection") == Some("close"),
            body: body.to_vec(),
        });
    }
    answers
}

/// These requests are refused with this status, once, and what comes behind is never looked at.
pub fn refused(server: &Server, section: &str, status: u16, requests: &[String]) {
    for request in requests {
        let bytes = [request.as_bytes(), SMUGGLED.as_bytes()].concat();
        let answers = converse(server, &bytes, &[]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [status], "{section}: {request:?}");
        assert!(answers[0].closes, "{section}: {request:?}");
    }
    server.assert_healthy();
    println!("{section}: {} cases", requests.len());
}

/// These requests are answered with this status, and the one behind them as well.
pub fn taken(server: &Server, section: &str, status: u16, requests: &[String]) {
    for request in requests {
        let bytes = [request.as_bytes(), SMUGGLED.as_bytes()].concat();
        let answers = converse(server, &bytes, &[]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [status, 200], "{section}: {request:?}");
        assert!(!answers[0].closes, "{section}: {request:?}");
    }
    println!("{section}: {} cases", requests.len());
}

/// `GET /healthz` with these lines.
pub fn get(lines: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// `PUT` of a stream with these lines: a body follows.
pub fn put(lines: &str) -> String {
    format!("PUT /live/demo.webm HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// `PUT` with this body, chunked as it claims.
pub fn chunked(body: &str) -> String {
    put("Transfer-Encoding: chunked\r\n") + body
}

pub fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}
