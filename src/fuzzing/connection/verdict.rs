//! Whether all that came out of a connection is as promised.

use super::order::{Order, Went};
use super::script::Role;
use super::stage::{MESSAGE_BYTES, PING_INTERVAL, Stage};
use crate::fuzzing::body::unchunk;
use crate::fuzzing::frames::{self, ServerFrame, read_client};
use crate::fuzzing::viewer::play;
use crate::session::viewer::Announced;
use crate::stream::{Air, Catalog, Ingest, Limits};
use crate::websocket::CloseCode;
use crate::websocket::messages::{ToPublisher, ToViewer};
use crate::work::Work;
use bytes::Bytes;
use std::mem;

/// Data messages from a viewer that are ignored: the same as in `session::turn`.
const IGNORED_MAX: usize = 64;

impl Stage {
    /// What the peer's bytes ask for, in full. A viewer that talks too much is closed.
    fn sent(&self) -> Vec<frames::ClientFrame> {
        let mut sent = read_client(&self.sent, MESSAGE_BYTES);
        if !self.role.is_publisher() {
            let is_data = |sent: &frames::ClientFrame| {
                matches!(
                    sent,
                    frames::ClientFrame::Text | frames::ClientFrame::Binary(_)
                )
            };
            let mut data = sent.iter().enumerate().filter(|(_, sent)| is_data(sent));
            if let Some((index, _)) = data.nth(IGNORED_MAX) {
                sent.truncate(index);
                sent.push(frames::ClientFrame::Wrong(CloseCode::Policy.into()));
            }
            return sent;
        }
        let text = sent
            .iter()
            .position(|sent| *sent == frames::ClientFrame::Text);
        sent.truncate(text.map_or(sent.len(), |index| index + 1));
        if let Some((index, code)) = self.media_error(&sent) {
            sent.truncate(index + 1);
            sent.push(frames::ClientFrame::Wrong(code));
        } else if text.is_some() {
            sent.push(frames::ClientFrame::Wrong(CloseCode::Unsupported.into()));
        }
        sent
    }

    /// The message that is not WebM, and the close code for it.
    fn media_error(&self, sent: &[frames::ClientFrame]) -> Option<(usize, u16)> {
        let (_, error, _) = self.publish(sent);
        let (index, is_other_format) = error?;
        let code = if is_other_format {
            CloseCode::Unsupported
        } else {
            CloseCode::InvalidPayload
        };
        Some((index, code.into()))
    }

    /// What a stream holds when these messages are published into it, which is wrong and how, and
    /// whether they could end here. It holds nothing before the first block.
    fn publish(&self, sent: &[frames::ClientFrame]) -> (Vec<u8>, Option<(usize, bool)>, bool) {
        let mut catalog = Catalog::new(Limits::default());
        let id = catalog.open("demo");
        let stream = catalog.stream_mut(id);
        let mut ingest = Ingest::candidate(self.limits);
        let mut error = None;
        for (index, sent) in sent.iter().enumerate() {
            let frames::ClientFrame::Binary(bytes) = sent else {
                continue;
            };
            let mut pushed = ingest.push(bytes.clone().into(), stream);
            if ingest.is_ready() {
                stream.go_live();
                ingest.go_on_air(stream);
                pushed = ingest.work(stream, &mut Work::unlimited());
                ingest.close_chunk(stream);
            }
            if let Err(wrong) = pushed {
                error = Some((index, wrong.is_other_format()));
                break;
            }
        }
        ingest.flush(stream);
        let ring = stream.ring();
        let chunks = (ring.oldest()..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
        let media: Vec<Bytes> = chunks.map(|chunk| chunk.framed.payload()).collect();
        (media.concat(), error, ingest.finish().is_ok())
    }

    /// Pings are answered each in its turn; the end is the one that the peer has earned.
    pub fn check_replies(&self, received: &[ServerFrame], is_open: bool) {
        let sent = self.sent();
        let pongs: Vec<&[u8]> = received
            .iter()
            .filter_map(|received| match received {
                ServerFrame::Pong(payload) => Some(&payload[..]),
                _ => None,
            })
            .collect();
        let pings: Vec<&[u8]> = sent
            .iter()
            .filter_map(|sent| match sent {
                frames::ClientFrame::Ping(payload) => Some(&payload[..]),
                _ => None,
            })
            .collect();
        let own = received
            .iter()
            .filter(|received| **received == ServerFrame::Ping)
            .count();
        let intervals = (self.now - self.began).as_secs() / PING_INTERVAL.as_secs();
        assert!(
            own as u64 <= intervals,
            "{own} pings in {intervals} intervals"
        );
        if self.is_gone || is_over(received) {
            assert!(pings.starts_with(&pongs));
            return;
        }
        if self.ended_at.is_some() {
            assert!(pings.starts_with(&pongs));
            let Some(ServerFrame::Close(payload)) = received.last() else {
                panic!("ended without a word");
            };
            assert_eq!(payload[..2], u16::from(CloseCode::Normal).to_be_bytes());
            return;
        }
        assert_eq!(pongs, pings);
        match (sent.last(), received.last()) {
            (Some(frames::ClientFrame::Close(payload)), Some(ServerFrame::Close(echo))) => {
                assert_eq!(echo, payload)
            }
            (Some(frames::ClientFrame::Wrong(code)), Some(ServerFrame::Close(payload))) => {
                assert_eq!(payload[..2], code.to_be_bytes());
            }
            (Some(frames::ClientFrame::Close(_) | frames::ClientFrame::Wrong(_)), other) => {
                panic!("{other:?} is no close")
            }
            (_, Some(ServerFrame::Close(payload))) => {
                panic!("closed with {payload:x?} for nothing")
            }
            _ => assert!(is_open),
        }
    }

    /// The published media are those of the messages, with anything in between; and a publisher
    /// that understands text messages got all that it should.
    pub fn check_messages(&self, received: &[ServerFrame], is_open: bool) {
        let mut warnings = 0;
        for received in received {
            if let ServerFrame::Text(text) = received {
                match ToPublisher::parse(text).expect("a message that we know") {
                    ToPublisher::Warning { code, .. } if code == "text" => warnings += 1,
                    ToPublisher::Replaced => panic!("there was no other publisher"),
                    _ => {}
                }
            }
        }
        let has_sent_text = self.sent().contains(&frames::ClientFrame::Text);
        assert!(warnings <= usize::from(has_sent_text));
        let (media, _, _) = self.publish(&self.sent());
        self.check_published(&media, is_open);
    }

    /// The same for a body. Its answer shows how it ended.
    pub fn check_body(&self, outgoing: &[u8], is_open: bool) {
        let mut data = Vec::new();
        let end = unchunk(&self.sent, &mut data);
        let (media, error, is_whole) = self.publish(&[frames::ClientFrame::Binary(data)]);
        let status = match (end, error) {
            (_, Some((_, true))) => Some(415),
            (_, Some((_, false))) | (None, None) => Some(400),
            (Some(Some(_)), None) if is_whole => Some(200),
            (Some(Some(_)), None) => Some(400),
            (Some(None), None) => None,
        };
        self.check_published(&media, is_open);
        if self.is_gone {
            return;
        }
        let status = self.ended_at.map_or(status, |_| Some(403));
        assert_eq!(is_open, status.is_none());
        let head = response_head(outgoing).map(|(status, _)| status);
        assert_eq!(head, status);
    }

    fn check_published(&self, media: &[u8], is_open: bool) {
        let known: Vec<&Bytes> = self.known.values().map(|known| &known.payload).collect();
        let known = known.into_iter().flatten().copied().collect::<Vec<u8>>();
        // Of a small ring something was lost between two looks.
        if self.limits.ring_bytes == Limits::default().ring_bytes && !self.is_timed {
            // Blocks that were held back for their order come early when their publisher has to go.
            if let Some(published) = self.ended_at {
                assert!(known.len() <= media.len() && media.starts_with(&known[..published]));
            } else if self.is_gone {
                assert!(media.starts_with(&known[..self.published]));
            } else if is_open {
                assert!(media.starts_with(&known));
            } else {
                assert_eq!(media.len(), known.len());
                assert!(media == known);
            }
        }
    }

    /// What a viewer was given is in order, begins at a join point after each gap, and is valid; and
    /// it knows how its stream is.
    pub fn check_media(&self, received: &[ServerFrame], is_open: bool) {
        let v1 = self.role == Role::Viewer { v1: true };
        let mut order = Order::new(&self.known, &self.inits);
        // What the last text received about the message that follows.
        let mut announced = None;
        let mut knows = Announced::Live;
        let mut is_greeted = !v1;
        for received in received {
            match received {
                ServerFrame::Text(text) => {
                    assert!(v1, "a text to who did not ask for any");
                    let text = ToViewer::parse(text).expect("a message that we know");
                    assert!(is_greeted || matches!(text, ToViewer::Hello { .. }));
                    match text {
                        ToViewer::Init { .. } | ToViewer::Skip { .. } => announced = Some(text),
                        ToViewer::Hello { live, .. } if !mem::replace(&mut is_greeted, true) => {
                            knows = if live {
                                Announced::Live
                            } else {
                                Announced::Offline
                            };
                        }
                        ToViewer::Hello { live, .. } => {
                            assert!(live && knows == Announced::Offline);
                            knows = Announced::Live;
                        }
                        ToViewer::Offline { .. } => {
                            assert!(knows != Announced::Offline, "offline already");
                            knows = Announced::Offline;
                        }
                        ToViewer::Stalled { .. } => {
                            assert!(knows == Announced::Live);
                            knows = Announced::Stalled;
                        }
                        ToViewer::Resumed => {
                            assert!(knows == Announced::Stalled);
                            knows = Announced::Live;
                        }
                        ToViewer::Viewers { .. } => {}
                        ToViewer::Recording { .. } => panic!("nothing is recorded here"),
                    }
                }
                ServerFrame::Binary(payload) => {
                    assert!(
                        knows != Announced::Offline,
                        "media of a stream that is offline"
                    );
                    let step = order.next(payload);
                    if v1 {
                        match step {
                            Went::Init => {
                                assert!(matches!(announced, Some(ToViewer::Init { .. })));
                            }
                            Went::Skipped => {
                                assert!(matches!(announced, Some(ToViewer::Skip { .. })));
                            }
                            Went::On => {}
                        }
                    }
                    announced = None;
                }
                ServerFrame::Ping | ServerFrame::Pong(_) | ServerFrame::Close(_) => {}
            }
        }
        play(order.bytes.freeze());
        if v1 && is_open && !self.is_gone {
            let stream = self.hub.stream("demo").expect("it has a viewer");
            let is_so = match stream.air() {
                Air::Offline(_) => Announced::Offline,
                Air::Live => Announced::Live,
                Air::Stalled { .. } => Announced::Stalled,
            };
            assert_eq!(knows, is_so);
        }
    }

    /// The same over HTTP.
    pub fn check_stream(&self, outgoing: &[u8], is_open: bool) {
        if outgoing.is_empty() {
            return;
        }
        let Some((status, length)) = response_head(outgoing) else {
            assert!(self.is_gone, "half a response head");
            return;
        };
        assert_eq!(status, 200);
        let mut rest = &outgoing[length..];
        if self.role == Role::OldViewer {
            let mut order = Order::new(&self.known, &self.inits);
            while let Some(length) = order.length_of_next(rest) {
                order.next(&rest[..length]);
                rest = &rest[length..];
            }
            assert!(self.is_gone || rest.is_empty());
            play(order.bytes.freeze());
            return;
        }
        let mut order = Order::new(&self.known, &self.inits);
        let mut is_whole = false;
        while let (Some((payload, behind)), false) = (chunk(rest), is_whole) {
            rest = behind;
            is_whole = payload.is_empty();
            if !is_whole {
                order.next(payload);
            }
        }
        if is_whole {
            assert!(!is_open && rest.is_empty());
        } else {
            // A part of a chunk may be left, if its peer did not wait for it.
            assert!(self.is_gone || (is_open && rest.is_empty()));
        }
        play(order.bytes.freeze());
    }
}

/// Whether the stream ended the connection, and not the peer: the next recording has other tracks.
fn is_over(received: &[ServerFrame]) -> bool {
    let normal = u16::from(CloseCode::Normal).to_be_bytes();
    let end = b"the stream begins again with other tracks";
    matches!(received.last(), Some(ServerFrame::Close(payload)) if *payload == [&normal[..], end].concat())
}

/// Status and length of a whole response head.
fn response_head(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(bytes).expect("a response that others can read") {
        httparse::Status::Complete(length) => Some((head.code?, length)),
        httparse::Status::Partial => None,
    }
}

/// The first chunk, if all of it is there, and what is behind it.
fn chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let size = std::str::from_utf8(&bytes[..end]).expect("a size");
    let size = usize::from_str_radix(size, 16).expect("hex digits");
    let (payload, behind) = bytes[end + 2..].split_at_checked(size)?;
    let (crlf, behind) = behind.split_at_checked(2)?;
    assert_eq!(crlf, b"\r\n");
    Some((payload, behind))
}
