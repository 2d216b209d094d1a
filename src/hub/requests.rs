//! From a request head to what the session does next.
//!
//! ```text
//! read_request ─► admit_request ─► authorize ─► finish_request ─┬─► serve
//!                 (route, keys)    (web hook)   ▲               └─► refuse_request
//!                                  └─► Pending ─┘ when the verdict is there: see `pending`
//! ```

use super::Hub;
use super::archive::file_name;
use super::authorizer::Asked;
use super::response::{Framing, ResponseTo, WholeResponse};
use crate::pages;
use crate::protocol::access::Shown;
use crate::protocol::base_path::BasePath;
use crate::protocol::http::{Body, Method, RequestHead, parse_request};
use crate::protocol::redirect::to_https;
use crate::protocol::refusal::{Cause, Refusal};
use crate::protocol::response::{Connection, Stamp, refuse};
use crate::protocol::route::{Need, Route, route_below};
use crate::record::Task;
use crate::session::body::BodyReader;
use crate::session::{
    PendingAuthorization, QuestionId, Request, SessionId, Socket, State, Verdict,
};
use bytes::{Bytes, BytesMut};
use std::io;
use std::mem;

/// Up to this size a request head is parsed with every read, so that bytes that are not HTTP are
/// refused at once; beyond it, only at the end of a line.
const EAGER_BYTES_MAX: usize = 256;

/// Bytes of an unwanted body that are read to keep the connection open.
const DRAINED_BYTES_MAX: u64 = 64 << 10;

impl<S: Socket> Hub<S> {
    /// Reads more of a request head, and answers it once it is whole.
    pub(super) fn read_request(&mut self, id: SessionId) -> bool {
        if !self.sessions[id].is_introduced && !self.read_proxy_header(id) {
            return self.sessions[id].can_read;
        }
        let session = &mut self.sessions[id];
        let State::Requesting(head_bytes) = &mut session.state else {
            return false;
        };
        let redirects_to = session.redirects_to;
        // The bytes behind the last request may be a whole one.
        if let Some(outcome) = parse(head_bytes, self.settings.limits.head_bytes, redirects_to) {
            return self.parsed(id, outcome);
        }
        let mut bytes = [0; 4096];
        match session.socket.read(&mut bytes) {
            Ok(0) => {
                self.drop_session(id);
                return false;
            }
            Ok(length) => {
                head_bytes.extend_from_slice(&bytes[..length]);
                session.heard_at = self.clock.now();
                // A head that comes a byte at a time is not parsed again for each byte.
                let is_long = head_bytes.len() > EAGER_BYTES_MAX;
                if is_long
                    && head_bytes.len() < self.settings.limits.head_bytes
                    && !bytes[..length].contains(&b'\n')
                {
                    return true;
                }
                match parse(head_bytes, self.settings.limits.head_bytes, redirects_to) {
                    Some(outcome) => return self.parsed(id, outcome),
                    None => return true,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => session.can_read = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if session.socket.fall_back() => {
                let refusal = Refusal::new(400, "this port speaks TLS: use https:// or wss://");
                self.refuse(id, &refusal, Method::Other);
            }
            Err(error) => {
                if session.socket.is_handshaking() {
                    tracing::debug!(%error, "no TLS connection");
                }
                self.drop_session(id);
            }
        }
        self.sessions[id].can_read
    }

    fn parsed(&mut self, id: SessionId, outcome: Outcome) -> bool {
        self.books.counters.requests += 1;
        let session = &mut self.sessions[id];
        session.requests += 1;
        session.since = self.clock.now();
        match outcome {
            Ok((head, rest)) => match self.admit_request(id, &head) {
                Ok(route) => self.authorize(id, Request { head, route, rest }),
                Err(refusal) => self.refuse_request(id, refusal, &head, rest.freeze()),
            },
            Err((refusal, method)) => self.refuse(id, &refusal, method),
        }
        self.sessions[id].can_read
    }

    /// What a request asks for, if its keys and tokens permit that.
    fn admit_request(&self, id: SessionId, head: &RequestHead) -> Result<Route, Refusal> {
        let route = self.route(id, head)?;
        self.settings
            .access
            .admit(&route, head, &self.shown(head))?;
        Ok(route)
    }

    /// Asks the web hook, if there is one and the request needs a permission.
    fn authorize(&mut self, id: SessionId, request: Request) {
        let permitted = match self.ask_hook(id, &request) {
            None => Ok(()),
            Some(Asked::Decided(verdict)) => self.judge(Some(verdict)),
            Some(Asked::Busy) => self.judge(None),
            Some(Asked::Waits { question, deadline }) => {
                self.books.counters.auth_waits += 1;
                let pending = PendingAuthorization::new(request, question, deadline);
                self.sessions[id].state = State::Pending(Box::new(pending));
                return;
            }
        };
        self.finish_request(id, request, permitted);
    }

    fn ask_hook(&mut self, id: SessionId, request: &Request) -> Option<Asked> {
        let authorizer = self.authorizer.as_mut()?;
        let need = request.route.need()?;
        let peer = self.sessions[id].client;
        let forwarded_for = request.head.forwarded_for.as_deref();
        let client = self.settings.proxies.client(peer, forwarded_for);
        let sessions = &self.sessions;
        let is_waiting = |id, question: &QuestionId| {
            sessions.get(id).is_some_and(|session| {
                matches!(&session.state, State::Pending(pending) if pending.question() == question)
            })
        };
        let now = self.clock.now();
        Some(authorizer.ask(id, need, &request.head, client, now, is_waiting))
    }

    /// What the hook's verdict means for a request. `None`: it has not decided, so nothing is permitted.
    pub(super) fn judge(&mut self, verdict: Option<Verdict>) -> Result<(), Refusal> {
        let refusal = match verdict {
            Some(Verdict::Allowed) => return Ok(()),
            Some(Verdict::Unauthorized) => Refusal::unauthorized().because(Cause::Hook),
            Some(Verdict::Forbidden) => {
                Refusal::forbidden("the auth hook does not allow this").because(Cause::Hook)
            }
            None => Refusal::undecided(),
        };
        match verdict {
            Some(_) => self.books.counters.auth_refused += 1,
            None => self.books.counters.auth_failed += 1,
        }
        Err(refusal)
    }

    /// Serves a request that is permitted, or refuses it.
    pub(super) fn finish_request(
        &mut self,
        id: SessionId,
        request: Request,
        permitted: Result<(), Refusal>,
    ) {
        let Request { head, route, rest } = request;
        // It holds nothing most of the time, and of an upload what one read has brought.
        let behind = Bytes::copy_from_slice(&rest);
        let served = match permitted {
            Ok(()) => self.serve(id, &head, rest, route),
            // As with keys: a client that may watch nothing sees no names, and gets no demand for a
            // password. And the hook's own figures must be visible when it is down.
            Err(_) if matches!(route, Route::Recordings { .. }) => {
                self.tell_recordings(id, &head, rest, Vec::new(), true);
                Ok(())
            }
            Err(_) if route.need() == Some(Need::List) => {
                self.tell_streams(id, &head, rest, &route, Vec::new(), true);
                Ok(())
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = served {
            self.refuse_request(id, refusal, &head, behind);
        }
    }

    /// What a request asks for, with a path prefix or without.
    pub(super) fn route(&self, id: SessionId, head: &RequestHead) -> Result<Route, Refusal> {
        let forwarded = self.forwarded_prefix(id, head);
        let prefixes: Vec<&BasePath> = forwarded.iter().chain([&self.settings.base_path]).collect();
        route_below(head, &prefixes)
    }

    /// The prefix that a trusted proxy has taken off this request's path.
    fn forwarded_prefix(&self, id: SessionId, head: &RequestHead) -> Option<BasePath> {
        let field = head.forwarded_prefix.as_deref()?;
        let is_trusted = self.settings.proxies.trusts(self.sessions[id].client);
        is_trusted.then(|| BasePath::forwarded(field)).flatten()
    }

    /// What stands before the path in links that this client can open.
    pub(super) fn link_prefix(&self, id: SessionId, head: &RequestHead) -> BasePath {
        self.forwarded_prefix(id, head)
            .unwrap_or_else(|| self.settings.base_path.clone())
    }

    /// What all fields of an answer to this request have in common.
    pub(super) fn stamp(&mut self, head: &RequestHead) -> Stamp {
        Stamp {
            date: Some(self.clock.date()),
            readers: self.settings.access.origins.readers(head.origin.as_deref()),
        }
    }

    /// Does what one request asks for. Its permission has been checked.
    fn serve(
        &mut self,
        id: SessionId,
        head: &RequestHead,
        rest: BytesMut,
        route: Route,
    ) -> Result<(), Refusal> {
        match route {
            Route::Publish { name, via } => {
                return self.open_publisher(id, head, rest, &name, via);
            }
            Route::Watch { name, .. } if head.method == Method::Head => {
                self.describe_stream(id, head, &name);
            }
            Route::Watch { name, via } => {
                return self.open_viewer(id, head, rest, &name, via);
            }
            Route::PutPoster(name) => {
                return self.open_posting(id, head, rest, name);
            }
            Route::EndPublisher(name) => {
                self.end_publisher(&name)?;
                self.respond(id, head, rest, |to| to.no_content());
            }
            Route::RecordingsPage(stream) => {
                // Relative links differ.
                let file = match stream {
                    Some(_) => "recordings/stream.html",
                    None => "recordings/recordings.html",
                };
                self.page(id, head, rest, file, Framing::SameOrigin)?;
            }
            Route::Recordings {
                stream,
                limit,
                before_ms,
            } => return self.list_recordings(id, head, rest, stream, limit, before_ms),
            Route::Recording { name, file } => {
                let (stream, file) = (name, file_name(&file)?);
                return self.recall(id, head, rest, Task::Open { stream, file });
            }
            Route::DeleteRecording { name, file } => {
                let (stream, file) = (name, file_name(&file)?);
                return self.recall(id, head, rest, Task::Delete { stream, file });
            }
            Route::SetRecording { name, on } => {
                self.set_recording(&name, on)?;
                self.respond(id, head, rest, |to| to.no_content());
            }
            Route::Home => self.page(id, head, rest, "home/home.html", Framing::SameOrigin)?,
            Route::Dashboard => self.page(
                id,
                head,
                rest,
                "dashboard/dashboard.html",
                Framing::SameOrigin,
            )?,
            Route::PublishPage(_) => {
                self.page(id, head, rest, "publish/publish.html", Framing::SameOrigin)?;
            }
            Route::WatchPage { embed, .. } => {
                let framing = match embed {
                    true => Framing::Anyone,
                    false => Framing::SameOrigin,
                };
                self.page(id, head, rest, "watch/watch.html", framing)?;
            }
            Route::Asset(path) => {
                let page = pages::asset(&path).ok_or_else(not_found)?;
                self.respond(id, head, rest, |to| to.page(page, Framing::SameOrigin));
            }
            Route::Poster(name) => {
                let poster = self.poster(&name).ok_or_else(not_found)?;
                self.respond(id, head, rest, |to| to.poster(&poster));
            }
            Route::Keyframe(name) => {
                let picture = self.keyframe(&name).ok_or_else(|| {
                    Refusal::new(404, "no picture: the stream is off air or not VP8")
                })?;
                self.respond(id, head, rest, |to| to.picture("image/webp", picture));
            }
            Route::Streams | Route::Metrics => {
                let shown = self.shown(head);
                let (names, locked) = (
                    self.visible(&shown),
                    self.settings.access.hides_streams(&shown),
                );
                self.tell_streams(id, head, rest, &route, names, locked);
            }
            Route::Stream(ref name) => {
                let stream_id = self.streams.find(name.as_str()).ok_or_else(not_found)?;
                let name = self.streams.stream(stream_id).name().clone();
                self.tell_streams(id, head, rest, &route, vec![name], false);
            }
            Route::Health => {
                let media_type = "text/plain; charset=utf-8";
                self.respond(id, head, rest, |to| to.text(media_type, "ok\n"));
            }
            Route::Options { allow } => {
                self.respond(id, head, rest, |to| to.options(allow));
            }
        }
        Ok(())
    }

    fn page(
        &mut self,
        id: SessionId,
        head: &RequestHead,
        rest: BytesMut,
        file: &str,
        framing: Framing,
    ) -> Result<(), Refusal> {
        let page = pages::page(file).ok_or_else(not_found)?;
        self.respond(id, head, rest, |to| to.page(page, framing));
        Ok(())
    }

    /// Sends a whole answer, after which the connection may make another request.
    pub(super) fn respond(
        &mut self,
        id: SessionId,
        head: &RequestHead,
        rest: BytesMut,
        response: impl FnOnce(ResponseTo<'_>) -> WholeResponse,
    ) {
        let stamp = self.stamp(head);
        let (after, keep_alive) = self.after_answer(head, rest.freeze());
        let response = response(ResponseTo {
            head,
            connection: Connection::keep_alive(keep_alive),
            stamp: &stamp,
        });
        let session = &mut self.sessions[id];
        session.outbox.push(response.head);
        session.outbox.push(response.body);
        self.go_on_after_answer(id, after);
    }

    /// Refuses a request that was understood to its end.
    pub(super) fn refuse_request(
        &mut self,
        id: SessionId,
        mut refusal: Refusal,
        head: &RequestHead,
        behind: Bytes,
    ) {
        let route = self.route(id, head).ok();
        let stream = match route.as_ref().and_then(Route::need) {
            Some(Need::Publish(name) | Need::Watch(name)) => Some(name.as_str()),
            Some(Need::List) | None => None,
        };
        self.note_refusal(id, &refusal, Some(head), stream);
        if head.is_from_page {
            refusal = refusal.without_challenge();
        }
        let stamp = self.stamp(head);
        let (after, keep_alive) = match refusal.keeps_connection() {
            true => self.after_answer(head, behind),
            false => (
                AfterAnswer::Close {
                    has_body: head.body != Body::None,
                },
                false,
            ),
        };
        let header = Connection::keep_alive(keep_alive);
        let bytes = refuse(&refusal, head.method, header, &stamp);
        self.sessions[id].outbox.push(bytes);
        self.go_on_after_answer(id, after);
    }

    /// What happens to the connection after a whole answer, and whether it may make another
    /// request. A body that is not read would be taken for the next request.
    pub(super) fn after_answer(
        &self,
        head: &RequestHead,
        mut behind: Bytes,
    ) -> (AfterAnswer, bool) {
        let may_go_on = head.keep_alive && self.is_serving();
        let mut body = BodyReader::new(head.body);
        while let Ok(Some(_)) = body.take(&mut behind) {}
        let is_bounded = match head.body {
            Body::Length(length) => length <= DRAINED_BYTES_MAX,
            Body::None | Body::Chunked | Body::UntilClose => false,
        };
        // A client that waits for our "100 Continue" may send the body or may not.
        let may_go_on = may_go_on && !head.expect_continue;
        let after = match may_go_on {
            true if body.is_at_end() => AfterAnswer::Ask(BytesMut::from(&behind[..])),
            true if is_bounded => AfterAnswer::Drain(body),
            _ => AfterAnswer::Close {
                has_body: !body.is_at_end(),
            },
        };
        let keeps = !matches!(after, AfterAnswer::Close { .. });
        (after, keeps)
    }

    pub(super) fn go_on_after_answer(&mut self, id: SessionId, after: AfterAnswer) {
        let state = match after {
            AfterAnswer::Ask(rest) => State::Responding {
                keep_alive: true,
                rest,
            },
            AfterAnswer::Drain(body) => State::Draining(Box::new(body)),
            AfterAnswer::Close { has_body: true } => return self.close_after_body(id),
            AfterAnswer::Close { has_body: false } => State::Responding {
                keep_alive: false,
                rest: BytesMut::new(),
            },
        };
        self.sessions[id].state = state;
        self.queue_read(id);
        self.queue_write(id);
    }

    /// Reads on to the end of an unwanted body; the next request comes behind it.
    pub(super) fn drain_body(&mut self, id: SessionId) -> bool {
        let session = &mut self.sessions[id];
        let State::Draining(body) = &mut session.state else {
            return false;
        };
        if body.is_at_end() {
            return false;
        }
        match self.turn.read_buffer.read(&mut session.socket) {
            Ok(bytes) if bytes.is_empty() => self.drop_session(id),
            Ok(mut bytes) => {
                while let Ok(Some(_)) = body.take(&mut bytes) {}
                let is_at_end = body.is_at_end();
                session.heard(self.clock.now());
                if is_at_end {
                    let rest = BytesMut::from(&bytes[..]);
                    session.state = State::Responding {
                        keep_alive: true,
                        rest,
                    };
                    self.queue_write(id);
                    // The answer may have been written already.
                    if self.sessions[id].outbox.is_empty() {
                        self.outbox_written(id);
                    }
                    return false;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => session.can_read = false,
            Err(_) => self.drop_session(id),
        }
        self.sessions[id].can_read
    }

    /// The keys and the token that a request shows, checked now.
    pub(super) fn shown<'a>(&self, head: &'a RequestHead) -> Shown<'a> {
        self.settings.access.shown(head, self.clock.unix_s())
    }
}

/// What happens to a connection after a whole answer.
pub(super) enum AfterAnswer {
    /// Another request may follow: these bytes came behind the last one.
    Ask(BytesMut),
    /// Another request may follow behind this body.
    Drain(BodyReader),
    Close {
        has_body: bool,
    },
}

/// A request and what came behind its head, or a refusal and the method to answer.
type Outcome = Result<(RequestHead, BytesMut), (Refusal, Method)>;

/// A whole request head at the front of `bytes`, and the bytes behind it; `None` while the head is
/// not whole. The bytes of the head are freed. With `redirects_to`, the only answer is a redirect.
fn parse(bytes: &mut BytesMut, limit: usize, redirects_to: Option<u16>) -> Option<Outcome> {
    if bytes.is_empty() {
        return None;
    }
    match parse_request(bytes, limit) {
        Ok(None) => None,
        Ok(Some((head, length))) => {
            let mut all = mem::take(bytes);
            let rest = all.split_off(length);
            Some(match redirects_to {
                None => Ok((head, rest)),
                Some(port) => Err((to_https(&head, &all, port), head.method)),
            })
        }
        Err(error) => Some(Err((error.into(), Method::Other))),
    }
}

pub(super) fn not_found() -> Refusal {
    Refusal::new(404, "there is nothing at this address")
}

pub(super) fn not_live() -> Refusal {
    Refusal::new(404, "no such stream is live")
}
