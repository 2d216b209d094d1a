//! From a request head to what the connection does next.

use super::answer::{Answer, Asked, Framing};
use super::body::BodyReader;
use super::broadcast::{Broadcast, Poster};
use super::bucket::Bucket;
use super::connection::{Posting, State};
use super::inbound::Inbound;
use super::publisher::Publisher;
use super::reactor::Reactor;
use super::unsent::Unsent;
use super::viewer::{Transport, Viewer, hello, stream_head};
use crate::metrics::{Snapshot, StreamReport, prometheus};
use crate::pages;
use crate::protocol::access::Shown;
use crate::protocol::control::ToPublisher;
use crate::protocol::http::{Body, Method, RequestHead, parse_request};
use crate::protocol::redirect::to_https;
use crate::protocol::response::{CONTINUE, Connection, switching_protocols};
use crate::protocol::route::{Handshake, Refusal, Route, StreamName, Via, route};
use crate::protocol::websocket::{CloseCode, text_frame};
use crate::stream::{Cursor, Ingest, StreamId};
use crate::webm::{DocType, TrackKind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use sha1::{Digest, Sha1};
use std::io::{self, Read};
use std::mem;
use std::time::SystemTime;

/// The first bytes of a JPEG: start of image, and the marker after it.
const JPEG_MAGIC: [u8; 3] = [0xff, 0xd8, 0xff];

/// Up to here a request head is looked at whatever comes, so that what is no HTTP at all is refused
/// at once; beyond, at the end of a line.
const EAGER_BYTES_MAX: usize = 256;

/// What Icecast's own method waits for before it sends. It speaks HTTP/1.0.
const SOURCE_ACCEPTED: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";

impl Reactor {
    /// Reads more of a request head, and answers it once it is whole.
    pub(super) fn read_request(&mut self, id: usize) -> bool {
        if !self.connections[id].is_introduced && !self.read_introduction(id) {
            return self.connections[id].can_read;
        }
        let connection = &mut self.connections[id];
        let State::Requesting(head_bytes) = &mut connection.state else {
            return false;
        };
        let redirects_to = connection.redirects_to;
        // What came behind the request before may be a whole one.
        if let Some(outcome) = parse(head_bytes, self.limits.head_bytes, redirects_to) {
            return self.parsed(id, outcome);
        }
        let mut bytes = [0; 4096];
        match connection.socket.read(&mut bytes) {
            Ok(0) => {
                self.drop_connection(id);
                return false;
            }
            Ok(length) => {
                head_bytes.extend_from_slice(&bytes[..length]);
                connection.heard_at = self.now;
                // A head that comes a byte at a time is not parsed anew for each of them.
                let is_long = head_bytes.len() > EAGER_BYTES_MAX;
                if is_long
                    && head_bytes.len() < self.limits.head_bytes
                    && !bytes[..length].contains(&b'\n')
                {
                    return true;
                }
                match parse(head_bytes, self.limits.head_bytes, redirects_to) {
                    Some(outcome) => return self.parsed(id, outcome),
                    None => return true,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => connection.can_read = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if connection.socket.fall_back() => {
                let refusal = Refusal::new(400, "this port speaks TLS: say https:// or wss://");
                self.refuse(id, &refusal, Method::Other);
            }
            Err(error) => {
                if connection.socket.is_handshaking() {
                    tracing::debug!(%error, "no TLS connection");
                }
                self.drop_connection(id);
            }
        }
        self.connections[id].can_read
    }

    fn parsed(&mut self, id: usize, outcome: Outcome) -> bool {
        self.counters.requests += 1;
        let connection = &mut self.connections[id];
        connection.requests += 1;
        connection.since = self.now;
        match outcome {
            Ok((head, rest)) => {
                let method = head.method;
                if let Err(refusal) = self.request(id, head, rest) {
                    self.refuse(id, &refusal, method);
                }
            }
            Err((refusal, method)) => self.refuse(id, &refusal, method),
        }
        self.connections[id].can_read
    }

    /// Does what one request asks for, if it may. `rest` are the bytes that came behind its head.
    fn request(&mut self, id: usize, head: RequestHead, rest: BytesMut) -> Result<(), Refusal> {
        let route = route(&head)?;
        self.access.admit(&route, &head, &self.shown(&head))?;
        self.serve_if_let(id, head, rest, route)
    }

    /// Does what one request asks for. Whether it may has been seen to.
    pub(super) fn serve(
        &mut self,
        id: usize,
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
                self.respond(id, head, rest, |asked| asked.no_content());
            }
            Route::Home => self.page(id, head, rest, "home.html", Framing::SameOrigin)?,
            Route::Dashboard => self.page(id, head, rest, "dashboard.html", Framing::SameOrigin)?,
            Route::PublishPage(_) => {
                self.page(id, head, rest, "publish.html", Framing::SameOrigin)?;
            }
            Route::WatchPage { embed, .. } => {
                let framing = match embed {
                    true => Framing::Anyone,
                    false => Framing::SameOrigin,
                };
                self.page(id, head, rest, "watch.html", framing)?;
            }
            Route::Asset(path) => {
                let page = pages::asset(&path).ok_or_else(not_found)?;
                self.respond(id, head, rest, |asked| {
                    asked.page(page, Framing::SameOrigin)
                });
            }
            Route::Poster(name) => {
                let poster = self.poster(&name).ok_or_else(not_found)?;
                self.respond(id, head, rest, |asked| asked.poster(&poster));
            }
            Route::Streams | Route::Metrics => {
                let reports = self.reports(&self.shown(head));
                self.tell_streams(id, head, rest, &route, reports);
            }
            Route::Stream(name) => {
                let report = self.catalog.find(name.as_str()).map(|id| self.report(id));
                let report = report.ok_or_else(not_found)?;
                self.respond(id, head, rest, |asked| asked.json(&report));
            }
            Route::Health => {
                let media_type = "text/plain; charset=utf-8";
                self.respond(id, head, rest, |asked| asked.text(media_type, "ok\n"));
            }
        }
        Ok(())
    }

    /// Answers with these streams, as `route` has them told.
    pub(super) fn tell_streams(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        route: &Route,
        reports: Vec<StreamReport>,
    ) {
        if *route == Route::Metrics {
            let text = prometheus(Snapshot {
                counters: self.counters.clone(),
                connections: self.connections.len() as u64,
                held_bytes: self.held_bytes(),
                auth_waiting: self.waiters(),
                streams: reports,
            });
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            self.respond(id, head, rest, |asked| asked.text(media_type, text));
        } else {
            self.respond(id, head, rest, |asked| asked.json(&reports));
        }
    }

    fn page(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        file: &str,
        framing: Framing,
    ) -> Result<(), Refusal> {
        let page = pages::page(file).ok_or_else(not_found)?;
        self.respond(id, head, rest, |asked| asked.page(page, framing));
        Ok(())
    }

    /// Sends a whole answer, after which the connection may ask again.
    fn respond(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        answer: impl FnOnce(Asked) -> Answer,
    ) {
        // A body that nobody reads would be taken for the next request.
        let keep_alive = head.keep_alive && head.body == Body::None && self.is_serving();
        let answer = answer(Asked {
            head,
            connection: Connection::keep_alive(keep_alive),
        });
        let connection = &mut self.connections[id];
        connection.outbox.push(answer.head);
        connection.outbox.push(answer.body);
        connection.state = State::Responding { keep_alive, rest };
        self.queue_write(id);
    }

    /// HEAD of a stream: what GET would say before the first byte of it.
    fn describe_stream(&mut self, id: usize, head: &RequestHead, name: &StreamName) {
        let known = self
            .catalog
            .find(name.as_str())
            .and_then(|id| self.catalog.stream(id).init());
        let doc_type = known.map_or(DocType::Webm, |init| init.recording.doc_type);
        let head = stream_head(doc_type.media_type(), Transport::http(head.version));
        self.connections[id].outbox.push(head);
        self.close_when_written(id);
    }

    fn open_viewer(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        name: &StreamName,
        via: Via,
    ) -> Result<(), Refusal> {
        let is_new = self.catalog.find(name.as_str()).is_none();
        let waited_for = self
            .broadcasts
            .values()
            .filter(|other| other.publisher.is_none());
        if is_new && waited_for.count() >= self.limits.max_streams {
            return Err(Refusal::full());
        }
        self.check_room()?;
        self.count_client(id, head)?;
        let stream_id = self.catalog.open(name.as_str());
        let stream = self.catalog.stream(stream_id);
        let told_live = stream.is_live();
        let hello = hello(stream);
        let (transport, inbound) = match via {
            Via::WebSocket(handshake) => {
                let v1 = self.upgrade(id, &handshake, hello);
                // Only who sent frames already needs to be heard now.
                let message_bytes = self.limits.viewer_message_bytes;
                let inbound =
                    (!rest.is_empty()).then(|| Box::new(Inbound::viewer(&rest, message_bytes)));
                (Transport::WebSocket { v1 }, inbound)
            }
            Via::Http => (Transport::http(head.version), None),
        };
        let is_websocket = matches!(transport, Transport::WebSocket { .. });
        let unsent = Unsent::new(self.limits.viewer_buffer_bytes);
        let broadcast = self
            .broadcasts
            .entry(stream_id)
            .or_insert_with(|| Broadcast::new(unsent, self.now));
        let stream = self.catalog.stream(stream_id);
        let audience_index = broadcast.join(id, is_websocket, stream);
        broadcast.unsent.apply(self.connections[id].socket.tcp());
        self.connections[id].state = State::Viewing {
            viewer: Viewer {
                stream: stream_id,
                transport,
                cursor: Cursor::join_now(self.catalog.stream(stream_id)),
                told_live,
                audience_index,
                ignored_reads: 0,
            },
            inbound,
        };
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    fn open_publisher(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        name: &StreamName,
        via: Via,
    ) -> Result<(), Refusal> {
        if via == Via::Http && head.body == Body::None {
            // It would end the publisher who is there, for nothing.
            return Err(Refusal::new(400, "a stream has a body"));
        }
        let known = self.catalog.find(name.as_str());
        let is_taken_over = known.is_some_and(|id| self.catalog.stream(id).is_live());
        let live = self
            .broadcasts
            .values()
            .filter(|other| other.publisher.is_some());
        if !is_taken_over {
            if live.count() >= self.limits.max_streams {
                return Err(Refusal::full());
            }
            self.check_room()?;
        }
        self.count_client(id, head)?;
        let stream_id = self.catalog.open(name.as_str());
        let unsent = Unsent::new(self.limits.viewer_buffer_bytes);
        let broadcast = self
            .broadcasts
            .entry(stream_id)
            .or_insert_with(|| Broadcast::new(unsent, self.now));
        let replaced = broadcast.publisher;
        broadcast.publisher_came(id, self.now);
        self.catalog.stream_mut(stream_id).go_live();
        let client = self.connections[id].client;
        tracing::info!(stream = %name, %client, takes_over = replaced.is_some(), "publisher came");
        if let Some(other) = replaced {
            self.replace_publisher(other);
        }
        self.queue_audience(stream_id);

        let ingest = Ingest::new(self.catalog.limits());
        let mut body = Bytes::new();
        let mut publisher = match via {
            Via::WebSocket(handshake) => {
                let ready = ToPublisher::Ready {
                    watch: format!("/live/{name}"),
                };
                let v1 = self.upgrade(id, &handshake, text_frame(&ready.to_json()));
                let inbound = Inbound::publisher(&rest, self.limits.publisher_message_bytes);
                Publisher::websocket(stream_id, ingest, inbound, v1, self.now)
            }
            Via::Http => {
                let outbox = &mut self.connections[id].outbox;
                if head.method == Method::Source {
                    outbox.push(SOURCE_ACCEPTED);
                } else if head.expect_continue {
                    outbox.push(CONTINUE);
                }
                body = rest.freeze();
                Publisher::body(stream_id, ingest, BodyReader::new(head.body), self.now)
            }
        };
        let bits_per_s = self.limits.max_publish_bits_per_s;
        publisher.bucket = bits_per_s.map(|bits_per_s| Bucket::empty(bits_per_s, self.now));
        self.connections[id].state = State::Publishing(Box::new(publisher));
        self.feed_rest(id, stream_id, body);
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    /// Takes the part of the body that came behind the head, or sees that there is none at all.
    fn feed_rest(&mut self, id: usize, stream_id: StreamId, body: Bytes) {
        let State::Publishing(publisher) = &mut self.connections[id].state else {
            return;
        };
        let received = body.len() as u64;
        if let Some(bucket) = &mut publisher.bucket {
            bucket.take(received, self.now);
        }
        let fed = publisher.feed(body, self.catalog.stream_mut(stream_id));
        self.note_media(stream_id, received);
        if let Err(fed) = fed {
            self.publisher_ended(id, &fed);
        }
    }

    fn replace_publisher(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if let State::Publishing(publisher) = &connection.state {
            publisher.tell(&mut connection.outbox, &ToPublisher::Replaced);
        }
        let reason = "a newer publisher has taken the stream over";
        self.close_publisher(id, CloseCode::Normal, 409, reason);
    }

    fn end_publisher(&mut self, name: &StreamName) -> Result<(), Refusal> {
        let publisher = self
            .catalog
            .find(name.as_str())
            .and_then(|id| self.broadcasts.get(&id)?.publisher)
            .ok_or_else(not_found)?;
        self.close_publisher(publisher, CloseCode::Normal, 403, "ended by its owner");
        Ok(())
    }

    /// Answers a WebSocket handshake; a `videostream.v1` client gets its first text message.
    /// Returns whether it is one.
    fn upgrade(&mut self, id: usize, handshake: &Handshake, first_text: Vec<u8>) -> bool {
        let v1 = handshake.subprotocol.is_some();
        let outbox = &mut self.connections[id].outbox;
        outbox.push(switching_protocols(handshake));
        if v1 {
            outbox.push(first_text);
        }
        v1
    }

    fn open_posting(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        name: StreamName,
    ) -> Result<(), Refusal> {
        if let Body::Length(length) = head.body
            && length > self.limits.poster_bytes as u64
        {
            return Err(self.poster_too_large());
        }
        if self.poster_place(&name).is_none() {
            return Err(not_live());
        }
        if head.expect_continue {
            self.connections[id].outbox.push(CONTINUE);
            self.queue_write(id);
        }
        self.connections[id].state = State::Posting(Box::new(Posting {
            name,
            head: head.clone(),
            body: BodyReader::new(head.body),
            jpeg: BytesMut::new(),
        }));
        self.post(id, rest.freeze(), false)?;
        self.queue_read(id);
        Ok(())
    }

    /// Reads more of a poster.
    pub(super) fn read_poster(&mut self, id: usize) -> bool {
        let result = match self.read_buffer.read(&mut self.connections[id].socket) {
            Ok(bytes) => {
                let is_end = bytes.is_empty();
                self.post(id, bytes, is_end)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.connections[id].can_read = false;
                Ok(())
            }
            Err(_) => {
                self.drop_connection(id);
                Ok(())
            }
        };
        if let Err(refusal) = result {
            self.refuse(id, &refusal, Method::Put);
        }
        self.connections[id].can_read
    }

    /// Adds bytes to a poster, and hangs it up once it is whole.
    fn post(&mut self, id: usize, mut bytes: Bytes, is_end: bool) -> Result<(), Refusal> {
        let State::Posting(posting) = &mut self.connections[id].state else {
            return Ok(());
        };
        let mut is_too_large = false;
        while let Some(piece) = posting.body.take(&mut bytes)? {
            is_too_large |= posting.jpeg.len() + piece.len() > self.limits.poster_bytes;
            if is_too_large {
                return Err(self.poster_too_large());
            }
            posting.jpeg.extend_from_slice(&piece);
        }
        let is_whole = posting.body.is_at_end() || (is_end && posting.body.ends_with_connection());
        if !is_whole {
            if is_end {
                self.drop_connection(id);
            }
            return Ok(());
        }
        if !posting.jpeg.starts_with(&JPEG_MAGIC) {
            return Err(Refusal::new(415, "a poster is a JPEG picture"));
        }
        let jpeg = mem::take(&mut posting.jpeg).freeze();
        let (name, mut head) = (posting.name.clone(), posting.head.clone());
        let hash = URL_SAFE_NO_PAD.encode(Sha1::digest(&jpeg));
        let etag = format!("\"{hash}\"");
        *self.poster_place(&name).ok_or_else(not_live)? = Some(Poster { jpeg, etag });
        // It has been read to its end, so the connection may go on.
        head.body = Body::None;
        self.respond(id, &head, BytesMut::from(&bytes[..]), |asked| {
            asked.no_content()
        });
        Ok(())
    }

    fn poster_too_large(&self) -> Refusal {
        let limit = self.limits.poster_bytes;
        Refusal::new(413, format!("a poster may have {limit} bytes"))
    }

    /// Where the poster of a live stream hangs.
    fn poster_place(&mut self, name: &StreamName) -> Option<&mut Option<Poster>> {
        let stream_id = self.catalog.find(name.as_str())?;
        let broadcast = self.broadcasts.get_mut(&stream_id)?;
        broadcast.publisher.map(|_| &mut broadcast.poster)
    }

    fn poster(&self, name: &StreamName) -> Option<Poster> {
        let stream_id = self.catalog.find(name.as_str())?;
        self.broadcasts.get(&stream_id)?.poster.clone()
    }

    /// What a request shows to be let in, now.
    fn shown<'a>(&self, head: &'a RequestHead) -> Shown<'a> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // Before 1970 no token is good: they expire at the end of time.
        let now = since_1970.map_or(u64::MAX, |since| since.as_secs());
        self.access.shown(head, now)
    }

    /// All streams that may be watched by whoever shows this.
    fn reports(&self, shown: &Shown<'_>) -> Vec<StreamReport> {
        self.catalog
            .iter()
            .filter(|(_, stream)| {
                StreamName::try_from(&**stream.name())
                    .is_ok_and(|name| self.access.may_watch(&name, shown))
            })
            .map(|(id, _)| self.report(id))
            .filter(|report| report.live)
            .collect()
    }

    fn report(&self, stream_id: StreamId) -> StreamReport {
        let stream = self.catalog.stream(stream_id);
        let broadcast = &self.broadcasts[&stream_id];
        let recording = stream.init().map(|init| &init.recording);
        let video = recording.and_then(|recording| Some(&recording.tracks[recording.video()?]));
        StreamReport {
            name: stream.name().to_string(),
            live: stream.is_live(),
            mime: stream.init().map(|init| init.mime.to_string()),
            codecs: recording.map(|recording| recording.codecs()),
            width: video.map(|track| track.width),
            height: video.map(|track| track.height),
            audio: recording.is_some_and(|recording| {
                let mut tracks = recording.tracks.iter();
                tracks.any(|track| track.kind == TrackKind::Audio)
            }),
            poster: broadcast.poster.is_some(),
            viewers: broadcast.viewers(),
            viewers_ws: broadcast.viewers_ws,
            viewers_http: broadcast.viewers_http,
            viewers_peak: broadcast.viewers_peak,
            uptime_s: broadcast.uptime(self.now).as_secs(),
            received_bytes: broadcast.received_bytes,
            sent_bytes: broadcast.sent_bytes,
            bitrate_bps: broadcast.bitrate_bps,
            keyframe_interval_ms: stream.keyframe_interval_ms(),
            ring_bytes: stream.ring().byte_len() as u64,
            ring_ms: stream.ring().span_ms(),
            skips: broadcast.skips,
            publisher_restarts: stream.publisher_restarts(),
            viewers_behind: self.viewers_behind(broadcast),
        }
    }

    fn viewers_behind(&self, broadcast: &Broadcast) -> u64 {
        let audience = broadcast.audience.iter();
        let behind = audience.filter(|&&id| self.connections[id].blocked_since.is_some());
        behind.count() as u64
    }
}

/// A request and what came behind its head, or how its method is answered at once.
type Outcome = Result<(RequestHead, BytesMut), (Refusal, Method)>;

/// A whole request head at the front of `bytes`, and what is behind it; `None` when it is not
/// whole yet. What it was made of is let go. With `redirects_to`, all it gets is another address.
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

fn not_found() -> Refusal {
    Refusal::new(404, "there is nothing at this address")
}

fn not_live() -> Refusal {
    Refusal::new(404, "no such stream is live")
}
