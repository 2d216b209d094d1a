//! A viewer that reads segments: the list, the init segment, and then one segment after another on one
//! connection, each asked for as soon as the one before has ended.

use std::mem;

use bytes::Bytes;
use serde::Deserialize;

use super::unframe::Piece;
use crate::http::chunked::{Decoded, Decoder};

/// Bytes of a response's head, and of a list.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const LIST_BYTES_MAX: usize = 1024 * 1024;

const LIST: &str = "live.json";

#[derive(Debug)]
pub(super) struct SegmentReader {
    /// The request for the list, without the file's name.
    before_name: String,
    after_name: String,
    asked: Asked,
    /// What has come of a response's head.
    head: Vec<u8>,
    /// How the body is framed that comes; `None` before the head is whole.
    body: Option<Body>,
    list: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    /// There is no stream yet: the list is asked for again later.
    Nothing,
    List,
    /// The init segment, before the segment of this number.
    Init(u64),
    Media(u64),
}

#[derive(Debug)]
enum Body {
    Chunked(Decoder),
    Length(u64),
}

/// What of `live.json` matters here.
#[derive(Deserialize)]
struct List {
    init: Option<String>,
    gops: Vec<Gop>,
    open: Option<u64>,
}

#[derive(Deserialize)]
struct Gop {
    n: u64,
}

impl SegmentReader {
    /// `request` asks for the list, and has been sent.
    pub fn new(request: &[u8]) -> Result<SegmentReader, String> {
        let request = String::from_utf8_lossy(request);
        let (before_name, after_name) = request
            .split_once(LIST)
            .ok_or("segments are read of addresses such as /live/NAME")?;
        Ok(SegmentReader {
            before_name: before_name.to_owned(),
            after_name: after_name.to_owned(),
            asked: Asked::List,
            head: Vec::new(),
            body: None,
            list: Vec::new(),
        })
    }

    /// The next piece at the front of `input`, or `None` when more bytes are needed.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, String> {
        loop {
            let Some(body) = &mut self.body else {
                if input.is_empty() || !self.take_head(input)? {
                    return Ok(None);
                }
                continue;
            };
            let data = match body {
                Body::Chunked(decoder) => match decoder.decode(input) {
                    Ok(Decoded::Data(data)) => data,
                    Ok(Decoded::Partial) => return Ok(None),
                    Ok(Decoded::End) => return self.end(),
                    Err(error) => return Err(error.to_string()),
                },
                Body::Length(0) => return self.end(),
                Body::Length(_) if input.is_empty() => return Ok(None),
                Body::Length(left) => {
                    let data = input.split_to((*left).min(input.len() as u64) as usize);
                    *left -= data.len() as u64;
                    data
                }
            };
            match self.asked {
                Asked::Nothing => {}
                Asked::List => self.list.extend_from_slice(&data),
                Asked::Init(_) | Asked::Media(_) => return Ok(Some(Piece::Media(data))),
            }
            if self.list.len() > LIST_BYTES_MAX {
                return Err("the list of segments is too long".into());
            }
        }
    }

    /// Takes more of a response's head; whether it is whole.
    fn take_head(&mut self, input: &mut Bytes) -> Result<bool, String> {
        let before = self.head.len();
        self.head.extend_from_slice(input);
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(&self.head) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.head.len() > HEAD_BYTES_MAX => {
                return Err("the answer's head is too long".into());
            }
            Ok(httparse::Status::Partial) => {
                input.clear();
                return Ok(false);
            }
            Err(error) => return Err(format!("the answer is not HTTP: {error}")),
        };
        let status = response.code.unwrap_or_default();
        let is_early = status == 404 && matches!(self.asked, Asked::List);
        if status != 200 && !is_early {
            return Err(format!("the server answered {status} to {:?}", self.asked));
        }
        let field = |name: &str| {
            let mut fields = response.headers.iter();
            let field = fields.find(|field| field.name.eq_ignore_ascii_case(name));
            field.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        self.body = Some(match field("Content-Length") {
            Some(length) => Body::Length(length.parse().map_err(|_| "a length that is none")?),
            None => Body::Chunked(Decoder::default()),
        });
        if is_early {
            self.asked = Asked::Nothing;
        }
        *input = input.split_off(length - before);
        self.head.clear();
        Ok(true)
    }

    /// An answer is whole: what is asked for next.
    fn end(&mut self) -> Result<Option<Piece>, String> {
        self.body = None;
        let (asked, name) = match self.asked {
            Asked::Nothing => return Ok(None),
            Asked::List => {
                let list: List = serde_json::from_slice(&mem::take(&mut self.list))
                    .map_err(|error| format!("a list of segments that is none: {error}"))?;
                let next = list.gops.last().map(|newest| newest.n + 1);
                match (list.init, list.open.or(next)) {
                    (Some(init), Some(number)) => (Asked::Init(number), init),
                    _ => return Err("the list has no segments".into()),
                }
            }
            Asked::Init(number) => (Asked::Media(number), format!("{number}.webm")),
            Asked::Media(number) => {
                let number = number + 1;
                (Asked::Media(number), format!("{number}.webm"))
            }
        };
        self.asked = asked;
        Ok(Some(Piece::Ask(self.request(&name))))
    }

    fn request(&self, name: &str) -> Bytes {
        format!("{}{name}{}", self.before_name, self.after_name).into()
    }

    /// The list is asked for again, if there was no stream before.
    pub fn ask_again(&mut self) -> Option<Bytes> {
        if !matches!(self.asked, Asked::Nothing) || self.body.is_some() {
            return None;
        }
        self.asked = Asked::List;
        Some(self.request(LIST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /live/demo/live.json?key=k HTTP/1.1\r\nHost: h\r\n\r\n";

    fn with_length(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// The media, and the lines of the requests that were made.
    fn read(answers: &str, step: usize) -> Result<(String, Vec<String>), String> {
        let mut reader = SegmentReader::new(REQUEST)?;
        let (mut media, mut requests) = (String::new(), Vec::new());
        for piece in answers.as_bytes().chunks(step) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(piece) = reader.next(&mut input)? {
                match piece {
                    Piece::Media(bytes) => media += &String::from_utf8_lossy(&bytes),
                    Piece::Ask(request) => {
                        let request = String::from_utf8_lossy(&request).into_owned();
                        assert!(request.ends_with(" HTTP/1.1\r\nHost: h\r\n\r\n"));
                        requests.push(request.split(' ').nth(1).unwrap_or_default().to_owned());
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        Ok((media, requests))
    }

    #[test]
    fn segments_follow_one_another_on_one_connection() {
        let list = with_length(r#"{"init":"init-5.webm","gops":[{"n":6}],"open":7}"#);
        let growing =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let answers = [&list, &with_length("init "), growing, &with_length("fgh")].concat();
        let requests = [
            "/live/demo/init-5.webm?key=k",
            "/live/demo/7.webm?key=k",
            "/live/demo/8.webm?key=k",
            "/live/demo/9.webm?key=k",
        ];
        for step in [1, 2, 7, 1000] {
            let (media, asked) = read(&answers, step).unwrap();
            assert_eq!(
                (&*media, &asked[..]),
                ("init abcdefgh", &requests.map(String::from)[..])
            );
        }
    }

    #[test]
    fn an_answer_that_is_no_segment_is_a_fault() {
        let list = with_length(r#"{"init":"init-5.webm","gops":[],"open":7}"#);
        let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
        let fault = read(&[&*list, missing].concat(), 99).unwrap_err();
        assert!(fault.contains("404"), "{fault}");
        // A stream that is not there yet is waited for.
        assert_eq!(read(missing, 7), Ok(Default::default()));
        let mut reader = SegmentReader::new(REQUEST).unwrap();
        assert_eq!(reader.ask_again(), None);
        reader.next(&mut missing.into()).unwrap();
        assert_eq!(reader.ask_again().as_deref(), Some(REQUEST));
        assert_eq!(reader.ask_again(), None);
        let empty = with_length(r#"{"init":null,"gops":[],"open":null}"#);
        assert!(read(&empty, 99).unwrap_err().contains("no segments"));
        assert!(SegmentReader::new(b"GET /live/demo HTTP/1.1\r\n\r\n").is_err());
    }
}
