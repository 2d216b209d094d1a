//! From a request head to what the session does next.
//!
//! ```text
//! read_request ─► admit_request ─► authorize ─► finish_request ─┬─► serve
//!                 (route, keys)    (web hook)   ▲               └─► refuse_request
//!                                  └─► Pending ─┘ when the verdict is there: see `pending`
//! ```

use super::Hub;
use super::archive::file_name;
use super::authorizer::{Asked, Asking};
use super::errands::AskedPicture;
use super::error_page::error_page;
use super::response::{Embedding, ResponseTo, WholeResponse};
use crate::access::Shown;
use crate::http::base_path::BasePath;
use crate::http::refusal::{Cause, Refusal};
use crate::http::response::{Connection, ResponseHead, Stamp, refuse, refuse_with};
use crate::http::{Body, Method, RequestHead};
use crate::pages;
use crate::picture::Picture;
use crate::record::Task;
use crate::routes::{Permission, Route, route_below, route_old};
use crate::session::body::BodyReader;
use crate::session::requesting::{Drained, HeadRead};
use crate::session::{
    Draining, ParsedHead, PendingAuthorization, QuestionId, Request, SessionId, Socket, State,
    Verdict,
};
use bytes::{Bytes, BytesMut};

/// Bytes of an unwanted body that are read to keep the connection open.
const DRAINED_BYTES_MAX: u64 = 64 << 10;

/// A request that is being served, and the session that gets the answer.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) id: SessionId,
    pub(super) head: &'a RequestHead,
    /// What came behind the head.
    pub(super) rest: BytesMut,
}

impl<S: Socket> Hub<S> {
    /// Reads more of a request head, and answers it once it is whole.
    pub(super) fn read_request(&mut self, id: SessionId) -> bool {
        let expects_header = self.sessions[id].expects_proxy_header();
        if !expects_header || self.read_proxy_header(id) {
            let head_bytes = self.settings.limits.head_bytes;
            match self.sessions[id].read_head(head_bytes) {
                HeadRead::Whole(parsed) => self.head_parsed(id, parsed),
                HeadRead::Partial | HeadRead::Blocked => {}
                HeadRead::NotTls => {
                    let refusal = Refusal::new(400, "this port speaks TLS: use https:// or wss://");
                    self.refuse(id, &refusal, Method::Other);
                }
                HeadRead::Gone => self.drop_session(id),
            }
        }
        self.sessions[id].readiness().can_read()
    }

    fn head_parsed(&mut self, id: SessionId, parsed: ParsedHead) {
        self.books.counters.requests += 1;
        match parsed {
            Ok((head, rest)) => match self.admit_request(id, &head) {
                Ok(route) => self.authorize(id, Request { head, route, rest }),
                Err(refusal) => self.refuse_request(id, refusal, &head, rest.freeze()),
            },
            Err((refusal, method)) => self.refuse(id, &refusal, method),
        }
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
                self.enter(id, State::Pending(Box::new(pending)));
                return;
            }
        };
        self.finish_request(id, request, permitted);
    }

    fn ask_hook(&mut self, id: SessionId, request: &Request) -> Option<Asked> {
        let authorizer = self.authorizer.as_mut()?;
        let permission = request.route.permission()?;
        let peer = self.sessions[id].address();
        let forwarded_for = request.head.forwarded_for.as_deref();
        let client = self.settings.proxies.client(peer, forwarded_for);
        let sessions = &self.sessions;
        let is_waiting = |id, question: &QuestionId| {
            let pending = sessions.get(id).and_then(|session| session.pending());
            pending.is_some_and(|pending| pending.question() == question)
        };
        let now = self.clock.now();
        let asking = Asking {
            session: id,
            permission,
            head: &request.head,
            client,
        };
        Some(authorizer.ask(asking, now, is_waiting))
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
        let head = &head;
        let exchange = Exchange { id, head, rest };
        let served = match permitted {
            Ok(()) => self.serve(exchange, route),
            // As with keys: a client that may watch nothing sees no names, and gets no demand for a
            // password. And the hook's own figures must be visible when it is down.
            Err(_) if matches!(route, Route::Recordings(_)) => {
                self.respond_with_recordings(exchange, Vec::new(), true);
                Ok(())
            }
            Err(_) if route == Route::Events => self.follow(exchange, false),
            Err(_) if route.permission() == Some(Permission::List) => {
                self.respond_with_streams(exchange, &route, Vec::new(), true);
                Ok(())
            }
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = served {
            self.refuse_request(id, refusal, head, behind);
        }
    }

    /// What a request asks for, with a path prefix or without.
    pub(super) fn route(&self, id: SessionId, head: &RequestHead) -> Result<Route, Refusal> {
        if let (Some(port), Some(name)) = (self.sessions[id].port(), self.compat_name()) {
            return route_old(head, port, name);
        }
        let forwarded = self.forwarded_prefix(id, head);
        let prefixes: Vec<&BasePath> = forwarded.iter().chain([&self.settings.base_path]).collect();
        route_below(head, &prefixes)
    }

    /// The prefix that a trusted proxy has taken off this request's path.
    fn forwarded_prefix(&self, id: SessionId, head: &RequestHead) -> Option<BasePath> {
        let field = head.forwarded_prefix.as_deref()?;
        let is_trusted = self.settings.proxies.trusts(self.sessions[id].address());
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
    fn serve(&mut self, exchange: Exchange<'_>, route: Route) -> Result<(), Refusal> {
        let (id, head) = (exchange.id, exchange.head);
        match route {
            Route::Publish { name, via } => {
                return self.open_publisher(exchange, &name, via);
            }
            Route::Old {
                port, handshake, ..
            } => {
                return self.open_old(exchange, port, &handshake);
            }
            Route::Watch { name, .. } if head.method == Method::Head => {
                self.describe_stream(id, head, &name);
            }
            Route::Watch { name, via, back } => {
                return self.open_viewer(exchange, &name, (via, back));
            }
            Route::PutPoster(name) => {
                return self.open_posting(exchange, name);
            }
            Route::EndPublisher(name) => {
                self.end_publisher(&name)?;
                self.respond(exchange, |to| to.no_content());
            }
            Route::Home => self.page(exchange, "home/home.html", Embedding::SameOrigin)?,
            Route::Dashboard => {
                self.page(exchange, "dashboard/dashboard.html", Embedding::SameOrigin)?
            }
            Route::RecordingsPage(stream) => {
                // Relative links differ.
                let file = match stream {
                    Some(_) => "recordings/stream.html",
                    None => "recordings/recordings.html",
                };
                self.page(exchange, file, Embedding::SameOrigin)?;
            }
            Route::Recordings(asked) => return self.list_recordings(exchange, asked),
            Route::Recording { name, file } => {
                let (stream, file) = (name, file_name(&file)?);
                return self.recall(exchange, Task::Open { stream, file });
            }
            Route::DeleteRecording { name, file } => {
                let (stream, file) = (name, file_name(&file)?);
                return self.recall(exchange, Task::Delete { stream, file });
            }
            Route::SetRecording { name, on } => {
                self.set_recording(&name, on)?;
                self.respond(exchange, |to| to.no_content());
            }
            Route::PublishPage(_) => {
                self.page(exchange, "publish/publish.html", Embedding::SameOrigin)?;
            }
            Route::WatchPage { name, embed } => {
                let embedding = if embed {
                    Embedding::Anyone
                } else {
                    Embedding::SameOrigin
                };
                self.watch_page(exchange, &name, embedding)?;
            }
            Route::Asset(path) => {
                let page = pages::asset(&path).ok_or_else(not_found)?;
                self.respond(exchange, |to| to.asset(page));
            }
            Route::Poster(name) if self.is_published_elsewhere(name.as_str()) => {
                return self.ask_picture(exchange, AskedPicture::Poster(name));
            }
            Route::Keyframe(name) if self.is_published_elsewhere(name.as_str()) => {
                return self.ask_picture(exchange, AskedPicture::Keyframe(name));
            }
            Route::Picture { name, words } if self.is_published_elsewhere(name.as_str()) => {
                return self.ask_picture(exchange, AskedPicture::Still(name, words));
            }
            Route::Poster(name) => {
                let poster = self.poster(&name).ok_or_else(not_found)?;
                let caching = self.cache_control(&name);
                self.respond(exchange, |to| to.picture(&poster, caching));
            }
            Route::Keyframe(name) => {
                let picture = self.keyframe(&name).ok_or_else(no_keyframe)?;
                let caching = self.cache_control(&name);
                self.respond(exchange, |to| to.picture(&picture, caching));
            }
            Route::Picture { name, words } => {
                let still = self.still(&name);
                let picture = still.unwrap_or_else(|| Picture::of_name(&name, words));
                let caching = self.cache_control(&name);
                self.respond(exchange, |to| to.picture(&picture, caching));
            }
            Route::RecordingPicture { name, file } => {
                let (stream, file) = (name, file_name(&file)?);
                return self.recall(exchange, Task::Picture { stream, file });
            }
            Route::Segment { name, file } => {
                return self.serve_segment_file(exchange, &name, file);
            }
            Route::Events => return self.follow(exchange, true),
            Route::Streams | Route::Metrics => {
                let (names, locked) = self.listed_for(&self.shown(head));
                self.respond_with_streams(exchange, &route, names, locked);
            }
            Route::Stream(ref name) => {
                let known = self.streams.find(name.as_str());
                let known = known.map(|id| self.streams.stream(id).name().clone());
                let name = match known {
                    Some(name) => name,
                    None if self.is_published_elsewhere(name.as_str()) => name.as_str().into(),
                    None => return Err(not_found()),
                };
                self.respond_with_streams(exchange, &route, vec![name], false);
            }
            Route::Oembed => {
                let json = self.oembed(id, head)?;
                self.respond(exchange, |to| to.text("application/json", json));
            }
            Route::Health => {
                let media_type = "text/plain; charset=utf-8";
                self.respond(exchange, |to| to.text(media_type, "ok\n"));
            }
            Route::Options { allow } => {
                self.respond(exchange, |to| to.options(allow));
            }
        }
        Ok(())
    }

    fn page(
        &mut self,
        exchange: Exchange<'_>,
        file: &str,
        embedding: Embedding,
    ) -> Result<(), Refusal> {
        let page = pages::page(file).ok_or_else(not_found)?;
        self.respond(exchange, |to| to.page(page, embedding));
        Ok(())
    }

    /// Sends a whole answer, after which the connection may make another request.
    pub(super) fn respond(
        &mut self,
        exchange: Exchange<'_>,
        response: impl FnOnce(ResponseTo<'_>) -> WholeResponse,
    ) {
        let Exchange { id, head, rest } = exchange;
        let stamp = self.stamp(head);
        let (after, keep_alive) = self.after_answer(head, rest.freeze());
        let response = response(ResponseTo {
            head,
            connection: Connection::keep_alive(keep_alive),
            stamp: &stamp,
        });
        let session = &mut self.sessions[id];
        session.send(response.head);
        session.send(response.body);
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
        let stream = match route.as_ref().and_then(Route::permission) {
            Some(Permission::Publish(name) | Permission::Watch(name)) => Some(name.as_str()),
            Some(Permission::List) | None => None,
        };
        self.note_refusal(id, &refusal, Some(head), stream);
        if head.is_from_page {
            refusal = refusal.without_challenge();
        }
        let stamp = self.stamp(head);
        let (after, keep_alive) = if refusal.keeps_connection() {
            self.after_answer(head, behind)
        } else {
            (
                AfterAnswer::Close {
                    has_body: head.body != Body::None,
                },
                false,
            )
        };
        let header = Connection::keep_alive(keep_alive);
        let (path, levels) = self.place_in_site(id, head);
        let bytes = match error_page(&refusal, head, path, levels) {
            Some(html) => {
                let fields = ResponseHead::new(refusal.status)
                    .header("Content-Type", "text/html; charset=utf-8")
                    .header("Content-Security-Policy", pages::CONTENT_SECURITY_POLICY)
                    .header("Referrer-Policy", "no-referrer");
                let fields = fields.connection(header).stamp(&stamp);
                refuse_with(&refusal, fields, &html, head.method)
            }
            None => refuse(&refusal, head.method, header, &stamp),
        };
        self.sessions[id].send(bytes);
        self.go_on_after_answer(id, after);
    }

    /// A request's path below the prefix that it may have, and how many slashes lead there.
    fn place_in_site<'h>(&self, id: SessionId, head: &'h RequestHead) -> (&'h str, usize) {
        let prefix = self.link_prefix(id, head);
        match prefix.strip(&head.path) {
            Some(path) if !path.is_empty() => {
                let above = prefix.as_str().matches('/').count();
                (path, head.levels.saturating_sub(above))
            }
            _ => (&head.path, head.levels),
        }
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
            AfterAnswer::Drain(body) => State::Draining(Box::new(Draining {
                body,
                active_at: self.clock.now(),
            })),
            AfterAnswer::Close { has_body: true } => return self.close_after_body(id),
            AfterAnswer::Close { has_body: false } => State::Responding {
                keep_alive: false,
                rest: BytesMut::new(),
            },
        };
        self.enter(id, state);
        self.queue_read(id);
        self.queue_write(id);
    }

    /// Reads on to the end of an unwanted body; the next request comes behind it.
    pub(super) fn drain_body(&mut self, id: SessionId) -> bool {
        let session = &mut self.sessions[id];
        match session.drain(&mut self.turn.read_buffer, self.clock.now()) {
            Drained::Partial => {}
            Drained::Whole => {
                self.queue_write(id);
                // The answer may have been written already.
                if self.sessions[id].outbox().is_empty() {
                    self.outbox_written(id);
                }
                return false;
            }
            Drained::Gone => self.drop_session(id),
        }
        self.sessions[id].readiness().can_read()
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

pub(super) fn not_found() -> Refusal {
    Refusal::new(404, "there is nothing at this address")
}

pub(super) fn no_keyframe() -> Refusal {
    Refusal::new(404, "no picture: the stream is off air or not VP8")
}

pub(super) fn not_live() -> Refusal {
    Refusal::new(404, "no such stream is live")
}
