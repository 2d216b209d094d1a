//! How a session becomes a viewer or a publisher, and how a publisher is ended by another request.

use super::Hub;
use super::broadcast::Broadcast;
use super::requests::not_found;
use crate::protocol::control::{OfflineReason, ToPublisher, ToViewer};
use crate::protocol::http::{Body, Method, RequestHead};
use crate::protocol::refusal::Refusal;
use crate::protocol::response::CONTINUE;
use crate::protocol::route::Via;
use crate::protocol::websocket::{CloseCode, Handshake, switching_protocols, text_frame};
use crate::session::body::BodyReader;
use crate::session::bucket::Bucket;
use crate::session::inbound::Inbound;
use crate::session::publisher::Publisher;
use crate::session::viewer::{Told, Transport, Viewer, hello, stream_head};
use crate::session::{SessionId, Socket, State};
use crate::stream::{Cursor, Ingest, StreamId};
use crate::stream_name::StreamName;
use crate::webm::DocType;
use bytes::{Bytes, BytesMut};

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
        self.sessions[id].outbox.push(head);
        self.close_when_written(id);
    }

    pub(super) fn open_viewer(
        &mut self,
        id: SessionId,
        head: &RequestHead,
        rest: BytesMut,
        name: &StreamName,
        via: Via,
    ) -> Result<(), Refusal> {
        if self.streams.find(name.as_str()).is_none() {
            self.make_way_for_name()?;
        }
        self.check_room(id)?;
        self.count_client(id, head)?;
        let stream_id = self.streams.open(name, self.clock.now());
        let stream = self.streams.stream(stream_id);
        let told = match stream.is_live() {
            true => Told::Live,
            false => Told::Offline,
        };
        let hello = hello(stream, stream.is_live());
        let (transport, inbound) = match via {
            Via::WebSocket(handshake) => {
                let v1 = self.upgrade(id, &handshake, hello);
                if v1 && self.is_recording(name.as_str()) {
                    let text = ToViewer::Recording { on: true }.to_json();
                    self.sessions[id].outbox.push(text_frame(&text));
                }
                // Only a viewer that already sent frames needs a reader now.
                let message_bytes = self.settings.limits.viewer_message_bytes;
                let inbound =
                    (!rest.is_empty()).then(|| Box::new(Inbound::viewer(&rest, message_bytes)));
                (Transport::WebSocket { v1 }, inbound)
            }
            Via::Http => (Transport::http(head.version), None),
        };
        let is_websocket = matches!(transport, Transport::WebSocket { .. });
        let stamp = (!is_websocket).then(|| Box::new(self.stamp(head)));
        let audience_index = self.streams.join(stream_id, id, is_websocket);
        if let Some(broadcast) = self.streams.broadcast(stream_id) {
            let unsent_bytes = broadcast.unsent.bytes;
            self.sessions[id].socket.limit_unsent(unsent_bytes);
        }
        self.sessions[id].state = State::Viewing {
            viewer: Viewer {
                stream: stream_id,
                transport,
                cursor: Cursor::join_now(self.streams.stream(stream_id)),
                told,
                audience_index,
                ignored_reads: 0,
                stamp,
            },
            inbound,
        };
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    pub(super) fn open_publisher(
        &mut self,
        id: SessionId,
        head: &RequestHead,
        rest: BytesMut,
        name: &StreamName,
        via: Via,
    ) -> Result<(), Refusal> {
        if via == Via::Http && head.body == Body::None {
            return Err(Refusal::new(400, "a stream has a body"));
        }
        let known = self.streams.find(name.as_str());
        let has_publisher = |id: StreamId| {
            self.streams
                .broadcast(id)
                .is_some_and(Broadcast::has_publisher)
        };
        if !known.is_some_and(has_publisher) {
            let published = self
                .streams
                .broadcasts()
                .filter(|other| other.has_publisher());
            if published.count() >= self.settings.limits.max_streams {
                return Err(Refusal::full());
            }
        }
        // A publisher that takes over frees what the publisher before it holds.
        let is_takeover =
            known
                .and_then(|id| self.streams.broadcast(id))
                .is_some_and(|broadcast| {
                    broadcast.publisher.is_some() && broadcast.candidates.is_empty()
                });
        if !is_takeover {
            self.check_room(id)?;
        }
        let is_direct = self.settings.is_direct(self.sessions[id].client);
        self.count_client(id, head)?;
        let stream_id = self.streams.open(name, self.clock.now());
        self.add_candidate(id, stream_id);

        let ingest = Ingest::candidate(self.streams.limits());
        let mut body = Bytes::new();
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
                    self.sessions[id].outbox.push(text_frame(&text));
                }
                let inbound =
                    Inbound::publisher(&rest, self.settings.limits.publisher_message_bytes);
                Publisher::websocket(stream_id, ingest, inbound, v1, self.clock.now())
            }
            Via::Http => {
                let outbox = &mut self.sessions[id].outbox;
                if head.method == Method::Source {
                    outbox.push(SOURCE_ACCEPTED);
                } else if head.expect_continue {
                    outbox.push(CONTINUE);
                }
                body = rest.freeze();
                Publisher::body(
                    stream_id,
                    ingest,
                    BodyReader::new(head.body),
                    self.clock.now(),
                )
            }
        };
        let bits_per_s = self.settings.limits.max_publish_bits_per_s;
        publisher.stamp = self.stamp(head);
        // Through a proxy, the next request may be another client's, but the connection counts for
        // this one.
        publisher.may_ask_again = head.keep_alive && is_direct;
        publisher.bucket = bits_per_s.map(|bits_per_s| Bucket::empty(bits_per_s, self.clock.now()));
        self.sessions[id].state = State::Publishing(Box::new(publisher));
        self.feed_rest(id, body);
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    /// Takes the part of the body that came behind the head. It has its turn with all publishers.
    fn feed_rest(&mut self, id: SessionId, body: Bytes) {
        let State::Publishing(publisher) = &mut self.sessions[id].state else {
            return;
        };
        let received = body.len() as u64;
        if let Some(bucket) = &mut publisher.bucket {
            bucket.take(received, self.clock.now());
        }
        publisher.feed(body);
        self.note_received(id, received);
    }

    /// Closes a publisher whose stream a newer publisher took over.
    pub(super) fn replace_publisher(&mut self, id: SessionId) {
        let session = &mut self.sessions[id];
        if let State::Publishing(publisher) = &mut session.state {
            publisher.offline_reason = OfflineReason::Replaced;
            publisher.tell(&mut session.outbox, &ToPublisher::Replaced);
        }
        let reason = "a newer publisher took the stream over";
        self.close_publisher(id, CloseCode::Normal, 409, reason);
    }

    pub(super) fn end_publisher(&mut self, name: &StreamName) -> Result<(), Refusal> {
        let broadcast = self
            .streams
            .find(name.as_str())
            .and_then(|id| self.streams.broadcast(id))
            .filter(|broadcast| broadcast.has_publisher())
            .ok_or_else(not_found)?;
        let candidates = broadcast.candidates.iter();
        let publishers: Vec<SessionId> = candidates.chain(broadcast.publisher).collect();
        for id in publishers {
            self.note_reason(id, OfflineReason::Ended);
            self.close_publisher(id, CloseCode::Normal, 403, "ended by its owner");
        }
        Ok(())
    }

    /// Answers a WebSocket handshake; a `videostream.v1` client gets its first text message.
    /// Returns whether it is one.
    fn upgrade(&mut self, id: SessionId, handshake: &Handshake, first_text: Vec<u8>) -> bool {
        let v1 = handshake.subprotocol.is_some();
        let outbox = &mut self.sessions[id].outbox;
        outbox.push(switching_protocols(handshake));
        if v1 {
            outbox.push(first_text);
        }
        v1
    }
}
