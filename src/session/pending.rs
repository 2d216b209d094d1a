//! A request that waits for the web hook. Its session is not read until the verdict: bytes behind
//! the request wait in the kernel.

use crate::http::RequestHead;
use crate::routes::Route;
use bytes::BytesMut;
use std::mem;
use std::time::Instant;

/// A whole request head, what it asks for, and the bytes that came behind it.
#[derive(Debug)]
pub struct Request {
    pub head: RequestHead,
    pub route: Route,
    pub rest: BytesMut,
}

/// A question's SHA-256: its text, which may hold a key or a token, is not kept.
pub type QuestionId = [u8; 32];

/// What the hook decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// Another key may be good.
    Unauthorized,
    Forbidden,
}

#[derive(Debug)]
pub struct PendingAuthorization {
    request: Request,
    question: QuestionId,
    pub deadline: Instant,
    /// The hook's answer, until the request has its turn; `Some(None)` when the hook has not
    /// decided.
    verdict: Option<Option<Verdict>>,
}

impl PendingAuthorization {
    pub fn new(request: Request, question: QuestionId, deadline: Instant) -> Self {
        PendingAuthorization {
            request,
            question,
            deadline,
            verdict: None,
        }
    }

    pub fn question(&self) -> &QuestionId {
        &self.question
    }

    /// Notes the first verdict. `None`: the hook has not decided.
    pub fn decide(&mut self, verdict: Option<Verdict>) {
        self.verdict.get_or_insert(verdict);
    }

    pub fn is_decided(&self) -> bool {
        self.verdict.is_some()
    }

    /// The request, and what the hook decided, if it did.
    pub fn into_parts(self) -> (Request, Option<Verdict>) {
        (self.request, self.verdict.flatten())
    }

    /// Bytes of memory that it takes, about: what a client can make long.
    pub fn held_bytes(&self) -> usize {
        let head = &self.request.head;
        let keys = head.keys.iter().chain(&head.token);
        let texts = [&head.host, &head.origin, &head.user, &head.forwarded_for];
        mem::size_of::<PendingAuthorization>()
            + self.request.rest.capacity()
            + head.path.len()
            + keys.map(|key| key.expose().len()).sum::<usize>()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
}
