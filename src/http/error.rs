//! Why bytes are not a request that we can serve.

/// Why bytes are not a request that we can serve. The connection is closed after any of these:
/// there is no way to know where a next request would begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("not an HTTP request: {0}")]
    Malformed(httparse::Error),
    #[error("the HTTP version must be 1.1 or 1.0")]
    Version,
    #[error("request head over {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("more than {limit} header fields")]
    TooManyFields { limit: usize },
    #[error("request target {0}")]
    Target(&'static str),
    #[error("{name} {problem}")]
    Field {
        name: &'static str,
        problem: &'static str,
    },
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndChunked,
    #[error("transfer coding {0:?} is not supported: use chunked")]
    UnknownCoding(String),
    #[error("chunked body: {0}")]
    Chunk(&'static str),
}

impl HttpError {
    pub fn status(&self) -> u16 {
        match self {
            Self::HeadTooLarge { .. } | Self::TooManyFields { .. } => 431,
            Self::UnknownCoding(_) => 501,
            Self::Malformed(_)
            | Self::Version
            | Self::Target(_)
            | Self::Field { .. }
            | Self::LengthAndChunked
            | Self::Chunk(_) => 400,
        }
    }
}
