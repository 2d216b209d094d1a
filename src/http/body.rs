//! Where the body of a request ends (RFC 9112, 6.3).

use super::{HttpError, Method, Version, fields::Fields};

/// How the end of the request body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none, or its length is 0.
    None,
    Length(u64),
    Chunked,
    /// It lasts as long as the connection.
    UntilClose,
}

/// RFC 9112, 6.3. What two readers could understand differently is refused: that is how requests
/// are smuggled past a proxy (RFC 9112, 11.2).
pub(super) fn body(
    fields: &Fields<'_>,
    method: Method,
    version: Version,
) -> Result<Body, HttpError> {
    const LENGTH: &str = "Content-Length";
    const CODING: &str = "Transfer-Encoding";
    // Even the same one twice, which RFC 9112, 6.3 would let pass.
    let length = fields.single(LENGTH)?;
    let codings = fields.list(CODING)?;
    // Present but empty is not the same as absent.
    let has_coding = fields.lines(CODING).next().is_some();
    match (length, has_coding) {
        (Some(_), true) => Err(HttpError::LengthAndChunked),
        (Some(length), false) => {
            // Digits only: `parse` alone would take a sign.
            let digits = length.bytes().all(|byte| byte.is_ascii_digit());
            match digits.then(|| length.parse().ok()).flatten() {
                Some(0) => Ok(Body::None),
                Some(length) => Ok(Body::Length(length)),
                None => Err(HttpError::Field {
                    name: LENGTH,
                    problem: "is not a number of bytes",
                }),
            }
        }
        // RFC 9112, 6.1: 1.0 has no codings, so a proxy may have passed it on unread.
        (None, true) if version == Version::Http10 => Err(HttpError::Field {
            name: CODING,
            problem: "is not for HTTP/1.0",
        }),
        (None, true) => match codings[..] {
            [coding] if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked),
            [] => Err(HttpError::Field {
                name: CODING,
                problem: "is empty",
            }),
            _ => match codings
                .iter()
                .find(|coding| !coding.eq_ignore_ascii_case("chunked"))
            {
                Some(other) => Err(HttpError::UnknownCoding(other.chars().take(40).collect())),
                None => Err(HttpError::Field {
                    name: CODING,
                    problem: "says chunked twice",
                }),
            },
        },
        (None, false) if method.is_upload() => Ok(Body::UntilClose),
        (None, false) => Ok(Body::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sample::{head, parse, status, with};

    #[test]
    fn icecast_put_waits_for_continue() {
        let lines = ["Expect: 100-continue", "Connection: close"];
        let put = head(&with("PUT /live/a.webm HTTP/1.1", &lines));
        assert!(put.expect_continue && !put.keep_alive);
        assert_eq!(put.body, Body::UntilClose);
        assert!(!head(&with("PUT /a HTTP/1.0", &lines)).expect_continue);
        assert!(!head(&with("GET /a HTTP/1.1", &lines)).expect_continue);
    }

    #[test]
    fn ffmpeg_post_is_chunked() {
        let lines = [
            "Transfer-Encoding: Chunked",
            "User-Agent: Lavf/61",
            "Icy-MetaData: 1",
        ];
        let post = head(&with("POST /publish/a HTTP/1.1", &lines));
        assert_eq!((post.method, post.body), (Method::Post, Body::Chunked));
    }

    #[test]
    fn a_length_is_digits_and_comes_once() {
        let body = |line: &str| parse(&with("PUT /a HTTP/1.1", &[line])).map(|h| h.unwrap().0.body);
        assert_eq!(body("Content-Length: 12"), Ok(Body::Length(12)));
        assert_eq!(body("Content-Length: 0"), Ok(Body::None));
        for bad in [
            "+1",
            "-1",
            "0x1",
            "1 2",
            "1, 2",
            "12, 12",
            "12,",
            "",
            "1.0",
            "18446744073709551616",
            "+0",
        ] {
            let error = body(&format!("Content-Length: {bad}")).expect_err(bad);
            assert_eq!(error.status(), 400, "{bad}");
        }
    }

    #[test]
    fn doubtful_framing_is_refused() {
        let put = |lines: &[&str]| status(&with("PUT /a HTTP/1.1", lines));
        assert_eq!(
            put(&["Content-Length: 3", "Transfer-Encoding: chunked"]),
            400
        );
        assert_eq!(put(&["Content-Length: 3", "Content-Length: 4"]), 400);
        assert_eq!(put(&["Content-Length: 3", "Content-Length: 3"]), 400);
        assert_eq!(put(&["Transfer-Encoding: chunked, chunked"]), 400);
        assert_eq!(put(&["Transfer-Encoding:"]), 400);
        assert_eq!(put(&["Transfer-Encoding: gzip, chunked"]), 501);
        assert_eq!(
            put(&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]),
            501
        );
        assert_eq!(
            status(&with("PUT /a HTTP/1.0", &["Transfer-Encoding: chunked"])),
            400
        );
    }
}
