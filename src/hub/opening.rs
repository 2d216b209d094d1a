//! How a session becomes a viewer or a publisher, and how a publisher is ended by another request.

use super::Hub;
use super::broadcast::Broadcast;
use super::requests::{Exchange, not_found};
use crate::http::refusal::Refusal;
use crate::http::response::CONTINUE;
use crate::http::{Body, Method, RequestHead};
use crate::offline_reason::OfflineReason;
use crate::routes::Via;
use crate::service::errands::Errand;
use crate::session::bucket::RateLimit;
use crate::session::inbound::Inbound;
use crate::session::publisher::{Publisher, PublisherEnd, Upload};
use crate::session::viewer::{Transport, Viewer, stream_head};
use crate::session::{SessionId, Socket, State};
use crate::stream::{Ingest, StreamId};
use crate::stream_name::StreamName;
use crate::webm::DocType;
use crate::websocket::messages::{ToPublisher, ToViewer};
use crate::websocket::{CloseCode, Handshake, switching_protocols, text_frame};
use std::time::Duration;

/// What Icecast's own method waits for before it sends. It speaks HTTP/1.0.
const SOURCE_ACCEPTED: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";

impl<S: Socket> Hub<S> {
    /// HEAD of a stream: what GET would say before the first byte of it.
    pub(super) fn describe_stream(&mut self, id: SessionId, head: &RequestHead, name: &StreamName) {
        let stamp = self.stamp(head);
        let known = self
            .streams
            .find(name.as_str())
            .and_then(|id| self.streams.stream(id).init());
        let doc_type = known.map_or(DocType::Webm, |init| init.recording.doc_type);
        let transport = Transport::http(head.version);
        let head = stream_head(doc_type.media_type(), transport, Some(&stamp));
        self.sessions[id].send(head);
        self.close_when_written(id);
    }

    pub(super) fn open_viewer(
        &mut self,
        exchange: Exchange<'_>,
        name: &StreamName,
        (via, back): (Via, Duration),
    ) -> Result<(), Refusal> {
        let Exchange { id, head, rest } = exchange;
        if self.streams.find(name.as_str()).is_none() {
            self.make_way_for_name()?;
        }
        self.check_room(id)?;
        self.count_client(id, head)?;
        let stream_id = self.streams.open(name, self.clock.now());
        let stream = self.streams.stream(stream_id);
        let start = self.place_behind(stream_id, back);
        let behind_ms = start.as_ref().map_or(0, |start| start.behind_ms);
        let hello = ToViewer::Hello {
            stream: stream.name().to_string(),
            live: stream.is_live(),
            behind_ms,
            back_ms: Some(self.back_ms(stream_id)),
        };
        let hello = text_frame(&hello.to_json());
        let now = self.clock.now();
        let (viewer, inbound) = match via {
            Via::WebSocket(handshake) => {
                let v1 = self.upgrade(id, &handshake, hello);
                if v1 && self.is_recording(name.as_str()) {
                    let text = ToViewer::Recording { on: true }.to_json();
                    self.sessions[id].send(text_frame(&text));
                }
                // Only a viewer that already sent frames needs a reader now.
                let message_bytes = self.settings.limits.viewer_message_bytes;
                let inbound =
                    (!rest.is_empty()).then(|| Box::new(Inbound::viewer(&rest, message_bytes)));
                let stream = self.streams.stream(stream_id);
                (Viewer::websocket(stream_id, stream, v1, now), inbound)
            }
            Via::Http => {
                let stamp = self.stamp(head);
                let stream = self.streams.stream(stream_id);
                let viewer = Viewer::http(stream_id, stream, head.version, stamp, now);
                (viewer, None)
            }
        };
        let mut viewer = match start {
            Some(start) => start.apply(viewer),
            None => viewer,
        };
        let index = self.streams.join(stream_id, id, viewer.is_websocket());
        viewer.set_audience_index(index);
        self.tell_viewers(stream_id);
        if let Some(broadcast) = self.streams.broadcast(stream_id) {
            let unsent_bytes = broadcast.audience().unsent_bytes();
            self.sessions[id].socket_mut().limit_unsent(unsent_bytes);
        }
        self.enter(id, State::Viewing { viewer, inbound });
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    pub(super) fn open_publisher(
        &mut self,
        exchange: Exchange<'_>,
        name: &StreamName,
        via: Via,
    ) -> Result<(), Refusal> {
        let Exchange { id, head, rest } = exchange;
        if via == Via::Http && head.body == Body::None {
            return Err(Refusal::new(400, "a stream has a body"));
        }
        let known = self.streams.find(name.as_str());
        let has_publisher = |id: StreamId| {
            self.streams
                .broadcast(id)
                .is_some_and(Broadcast::has_publisher)
        };
        if !known.is_some_and(has_publisher) && self.is_full_of_streams() {
            return Err(Refusal::full());
        }
        // A publisher that takes over frees what the publisher before it holds.
        let is_takeover =
            known
                .and_then(|id| self.streams.broadcast(id))
                .is_some_and(|broadcast| {
                    broadcast.publisher().is_some() && broadcast.candidates().is_empty()
                });
        if !is_takeover {
            self.check_room(id)?;
        }
        let is_direct = self.settings.is_direct(self.sessions[id].address());
        self.count_client(id, head)?;
        let stream_id = self.streams.open(name, self.clock.now());
        self.add_candidate(id, stream_id);

        let ingest = Ingest::candidate(self.streams.limits());
        let now = self.clock.now();
        let mut publisher = match via {
            Via::WebSocket(handshake) => {
                let prefix = self.link_prefix(id, head);
                let ready = ToPublisher::Ready {
                    watch: format!("{prefix}/live/{name}"),
                };
                let v1 = self.upgrade(id, &handshake, text_frame(&ready.to_json()));
                if v1 && self.recordings.is_some() {
                    let on = self.is_recording(name.as_str());
                    let text = ToPublisher::Recording { on }.to_json();
                    self.sessions[id].send(text_frame(&text));
                }
                let inbound =
                    Inbound::publisher(&rest, self.settings.limits.publisher_message_bytes);
                Publisher::websocket(stream_id, ingest, inbound, v1, now)
            }
            Via::Http => {
                if head.method == Method::Source {
                    self.sessions[id].send(SOURCE_ACCEPTED);
                } else if head.expect_continue {
                    self.sessions[id].send(CONTINUE);
                }
                // Through a proxy, the next request may be another client's, but the connection
                // counts for this one.
                let may_ask_again = head.keep_alive && is_direct;
                let stamp = self.stamp(head);
                let upload = Upload::new(head.body, rest.freeze(), stamp, may_ask_again);
                Publisher::upload(stream_id, ingest, upload, now)
            }
        };
        if let Some(bits_per_s) = self.settings.limits.max_publish_bits_per_s {
            publisher.limit_rate(RateLimit::new(bits_per_s, now), now);
        }
        self.books.counters.received_bytes += publisher.received_before_air();
        self.enter(id, State::Publishing(Box::new(publisher)));
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    /// Whether no further stream may have a publisher.
    pub(super) fn is_full_of_streams(&self) -> bool {
        let published = self
            .streams
            .broadcasts()
            .filter(|other| other.has_publisher());
        published.count() >= self.settings.limits.max_streams
    }

    /// Closes a publisher whose stream a newer publisher took over.
    pub(super) fn replace_publisher(&mut self, id: SessionId) {
        self.note_reason(id, OfflineReason::Replaced);
        self.sessions[id].send_to_publisher(&[ToPublisher::Replaced]);
        let end = PublisherEnd {
            code: CloseCode::Normal,
            status: 409,
            reason: "a newer publisher took the stream over",
        };
        self.close_publisher(id, end);
    }

    pub(super) fn end_publisher(&mut self, name: &StreamName) -> Result<(), Refusal> {
        if self.send_errand(name.as_str(), Errand::End) {
            return Ok(());
        }
        let broadcast = self
            .streams
            .find(name.as_str())
            .and_then(|id| self.streams.broadcast(id))
            .filter(|broadcast| broadcast.has_publisher())
            .ok_or_else(not_found)?;
        let candidates = broadcast.candidates().iter();
        let publishers: Vec<SessionId> = candidates.chain(broadcast.publisher()).collect();
        for id in publishers {
            self.note_reason(id, OfflineReason::Ended);
            let end = PublisherEnd {
                code: CloseCode::Normal,
                status: 403,
                reason: "ended by its owner",
            };
            self.close_publisher(id, end);
        }
        self.tell_publisher_ended(name.as_str());
        Ok(())
    }

    /// Answers a WebSocket handshake; a `videostream.v1` client gets its first text message.
    /// Returns whether it is one.
    fn upgrade(&mut self, id: SessionId, handshake: &Handshake, first_text: Vec<u8>) -> bool {
        let v1 = handshake.subprotocol.is_some();
        let session = &mut self.sessions[id];
        session.send(switching_protocols(handshake));
        if v1 {
            session.send(first_text);
        }
        v1
    }
}
