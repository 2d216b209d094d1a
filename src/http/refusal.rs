//! "No", and why: the answer to a request that is not served.

use super::HttpError;
use crate::stream_name::BadName;
use std::borrow::Cow;

/// The name under which `videostream_refusals_total` and the log count a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No key, or a wrong one.
    Key,
    /// A token that is not good here, or none where only tokens are.
    Token,
    /// The web hook said no, or did not decide.
    Hook,
    /// A page of another origin.
    Origin,
    /// A host name that is not this server's.
    Host,
    /// No such address, or no name of a stream.
    Address,
    Method,
    /// One of the server's limits.
    Limit,
    /// Bytes that are no WebM, or no JPEG.
    Media,
}

impl Cause {
    pub const ALL: [Self; 9] = [
        Self::Key,
        Self::Token,
        Self::Hook,
        Self::Origin,
        Self::Host,
        Self::Address,
        Self::Method,
        Self::Limit,
        Self::Media,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
            Self::Hook => "hook",
            Self::Origin => "origin",
            Self::Host => "host",
            Self::Address => "address",
            Self::Method => "method",
            Self::Limit => "limit",
            Self::Media => "media",
        }
    }
}

/// "No", as an HTTP response says it. [`super::response::refuse`] makes its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// One sentence for a person; it is the response's body.
    pub reason: Cow<'static, str>,
    pub headers: Vec<(&'static str, String)>,
    /// `None` for what is neither logged nor counted: redirects, streams that are off air, and bytes
    /// that are no request.
    pub cause: Option<Cause>,
    /// What caches may do with it; `None`: nothing.
    pub cache_control: Option<&'static str>,
}

impl Refusal {
    /// Seconds after which a client may try a full server again: viewers come and go in minutes,
    /// and a client in a loop must not be a load.
    const RETRY_AFTER_S: u32 = 5;

    /// A 503 says when to try again.
    pub fn new(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let refusal = Self {
            status,
            reason: reason.into(),
            headers: Vec::new(),
            cause: None,
            cache_control: None,
        };
        match status {
            503 => refusal.with("Retry-After", Self::RETRY_AFTER_S.to_string()),
            _ => refusal,
        }
    }

    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// What caches may do with it.
    pub fn cached(mut self, cache_control: &'static str) -> Self {
        self.cache_control = Some(cache_control);
        self
    }

    pub fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// 401. Basic comes first: it is what makes a browser ask for the key.
    pub fn unauthorized() -> Self {
        Self::new(
            401,
            "this needs a key or a token: none that is right was given",
        )
        .with(
            "WWW-Authenticate",
            "Basic realm=\"videostream\", charset=\"UTF-8\"",
        )
        .with("WWW-Authenticate", "Bearer realm=\"videostream\"")
        .because(Cause::Key)
    }

    /// Without what would have a browser open its login box: a page asks for the key itself.
    pub fn without_challenge(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "WWW-Authenticate");
        self
    }

    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, reason)
    }

    /// 503, for any of the server's limits: connections, streams, memory.
    pub fn full() -> Self {
        Self::new(503, "the server is full, try again soon").because(Cause::Limit)
    }

    /// 503, for a client that has too many connections.
    pub fn too_many_connections() -> Self {
        Self {
            reason: "too many connections from your address, try again soon".into(),
            ..Self::full()
        }
    }

    /// 503, when the web hook cannot be asked.
    pub fn undecided() -> Self {
        Self::new(503, "authorization is unavailable, try again later").because(Cause::Hook)
    }

    /// Whether the connection may serve another request after this answer: the request was
    /// understood to its end.
    pub fn keeps_connection(&self) -> bool {
        matches!(self.status, 308 | 401 | 403 | 404 | 405 | 409 | 416)
    }
}

impl From<BadName> for Refusal {
    fn from(error: BadName) -> Self {
        Self::new(400, error.to_string()).because(Cause::Address)
    }
}

impl From<HttpError> for Refusal {
    fn from(error: HttpError) -> Self {
        let refusal = Self::new(error.status(), error.to_string());
        match refusal.status {
            431 => refusal.because(Cause::Limit),
            _ => refusal,
        }
    }
}
