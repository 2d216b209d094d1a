//! What requests for an address get that is nearly right.

use crate::http::refusal::{Cause, Refusal};
use crate::http::{RawQuery, RequestHead};
use crate::stream_name::StreamName;
use std::borrow::Cow;

impl Refusal {
    pub(super) fn not_found() -> Self {
        Self::no_address("there is nothing at this address")
    }

    pub(super) fn no_address(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, reason).because(Cause::Address)
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        Self::new(405, format!("this address accepts {allow}"))
            .with("Allow", allow)
            .because(Cause::Method)
    }

    /// 308 to the same address without the slash at its end. The new one is written relative to the
    /// old one, so that it is right below any path prefix.
    pub(super) fn without_slash(path: &str, query: &RawQuery) -> Self {
        // "/live/a/" is three levels down, of which its own end is one.
        let levels = path.matches('/').count() - 1;
        let location = "../".repeat(levels) + path.trim_matches('/') + &query.behind_mark();
        let reason = format!(
            "the address is {}, without the slash",
            path.trim_end_matches('/')
        );
        Self::new(308, reason).with("Location", location)
    }

    /// 308 from a path prefix to the page that is right below it.
    pub(super) fn with_slash(path: &str, query: &RawQuery) -> Self {
        let last = path.rsplit('/').next().unwrap_or_default();
        let location = format!("{last}/{}", query.behind_mark());
        Self::new(308, format!("the address is {path}/, with the slash")).with("Location", location)
    }
}

/// A file is no WebSocket: a client that waits there for a `101` would wait for ever.
pub(super) fn refuse_socket_to_file(head: &RequestHead, name: &StreamName) -> Result<(), Refusal> {
    if head.upgrade.is_none() {
        return Ok(());
    }
    let reason = format!(
        "this address is no WebSocket: watch the stream at /live/{name}, publish it at /publish/{name}"
    );
    Err(Refusal::new(400, reason).because(Cause::Address))
}
