//! Requests to a web address of the operator: each is a POST with JSON, and only the status of the
//! answer counts.

use crate::secret::Secret;
use percent_encoding::percent_decode_str;
use std::io::{self, Read as _};
use std::time::Instant;

/// Bytes of each of a connection's two buffers, and of an answer's head.
const BUFFER_BYTES: usize = 16 << 10;

/// Bytes of an answer's body that are read, for the connection's sake: it can be used again then.
const BODY_BYTES_MAX: u64 = 16 << 10;

/// A web address, and the connections to it that are kept. Clones share them.
#[derive(Debug, Clone)]
pub struct WebHook {
    agent: ureq::Agent,
    url: Secret,
    authorization: Option<Secret>,
}

impl WebHook {
    /// `connections` are kept for later requests.
    pub fn new(url: &Secret, connections: usize) -> WebHook {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // An address that has moved must be configured anew. A redirect would turn the request
            // into a GET without a body.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // What is sent is for this address alone, not for a proxy.
            .proxy(None)
            .user_agent(concat!("videostream/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections_per_host(connections)
            // Requests and answers are small, and the crate's own buffers are not.
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_response_header_size(BUFFER_BYTES)
            .build();
        let (url, authorization) = split_user_info(url.expose());
        WebHook {
            agent: config.into(),
            url: url.into(),
            authorization: authorization.map(Secret::new),
        }
    }

    /// The status of the answer, or why there is none before `deadline`. The request may come twice.
    pub fn post(
        &self,
        body: &[u8],
        deadline: Instant,
        fields: &[(&str, &str)],
    ) -> Result<u16, String> {
        // A connection that was kept may be closed in the moment it is used again.
        match self.post_once(body, deadline, fields) {
            Err(ureq::Error::Io(error)) if is_hang_up(error.kind()) => {
                self.post_once(body, deadline, fields)
            }
            result => result,
        }
        .map_err(|error| words(&error))
    }

    fn post_once(
        &self,
        body: &[u8],
        deadline: Instant,
        fields: &[(&str, &str)],
    ) -> Result<u16, ureq::Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // It waited behind too many others.
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        let mut request = self
            .agent
            .post(self.url.expose())
            .config()
            .timeout_global(Some(left))
            .build()
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.expose());
        }
        for &(name, value) in fields {
            request = request.header(name, value);
        }
        let mut answer = request.send(body)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().as_reader();
        // The body of the answer, readable or not, has no meaning.
        let _ = io::copy(&mut body.take(BODY_BYTES_MAX), &mut io::sink());
        Ok(status)
    }
}

fn is_hang_up(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        kind,
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// The crate's own messages may have the address in them.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::ConnectionFailed => "it refuses connections".to_owned(),
        ureq::Error::Protocol(_) => "it does not speak HTTP".to_owned(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            "it has no TLS connection that can be trusted".to_owned()
        }
        _ => "it cannot be asked".to_owned(),
    }
}

/// Splits `http://user:password@host/` into the address without credentials, and the header field
/// with them.
fn split_user_info(url: &str) -> (String, Option<String>) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((user_info, host)) = rest[..end].rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let pair: Vec<u8> = percent_decode_str(user_info).collect();
    let field = format!("Basic {}", STANDARD.encode(pair));
    (format!("{scheme}://{host}{}", &rest[end..]), Some(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_move_from_the_url_to_authorization() {
        let split = |url: &str| split_user_info(url);
        assert_eq!(split("http://h/a?b@c"), ("http://h/a?b@c".into(), None));
        assert_eq!(
            split("https://source:a%40b@h:1/x@y?z"),
            (
                "https://h:1/x@y?z".into(),
                Some("Basic c291cmNlOmFAYg==".into())
            )
        );
        assert_eq!(
            split("http://user@h"),
            ("http://h".into(), Some("Basic dXNlcg==".into()))
        );
    }
}
