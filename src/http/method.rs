//! Methods and versions of requests.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    /// Icecast 1 and 2's own method in place of PUT.
    Source,
    Delete,
    Options,
    Other,
}

impl Method {
    pub(super) fn from_token(token: &str) -> Self {
        // Method names are case-sensitive (RFC 9110, 9.1).
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "PUT" => Self::Put,
            "POST" => Self::Post,
            "SOURCE" => Self::Source,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Whether this method brings something to keep: a stream or a poster.
    pub fn is_upload(self) -> bool {
        matches!(self, Self::Put | Self::Post | Self::Source)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    Http11,
}
