//! Whether all that came out of a connection is as promised.

use super::order::{Order, Went};
use super::script::Role;
use super::stage::{MESSAGE_BYTES, PING_INTERVAL, Stage};
use crate::fuzzing::body::unchunk;
use crate::fuzzing::frames::{self, Said, read_client};
use crate::fuzzing::viewer::play;
use crate::protocol::control::{ToPublisher, ToViewer};
use crate::protocol::websocket::CloseCode;
use crate::session::viewer::Told;
use crate::stream::{Air, Catalog, Ingest, Limits};
use crate::work::Work;
use bytes::Bytes;
use std::mem;

/// Data messages from a viewer that are ignored: the same as in `session::turn`.
const IGNORED_MAX: usize = 64;

impl Stage {
    /// What the peer's bytes ask for, in full. A viewer that talks too much is closed.
    fn told(&self) -> Vec<frames::Told> {
        let mut told = read_client(&self.sent, MESSAGE_BYTES);
        if !self.role.is_publisher() {
            let is_data =
                |told: &frames::Told| matches!(told, frames::Told::Text | frames::Told::Binary(_));
            let mut data = told.iter().enumerate().filter(|(_, told)| is_data(told));
            if let Some((index, _)) = data.nth(IGNORED_MAX) {
                told.truncate(index);
                told.push(frames::Told::Wrong(CloseCode::Policy.into()));
            }
            return told;
        }
        let text = told.iter().position(|told| *told == frames::Told::Text);
        told.truncate(text.map_or(told.len(), |index| index + 1));
        if let Some((index, code)) = self.media_error(&told) {
            told.truncate(index + 1);
            told.push(frames::Told::Wrong(code));
        } else if text.is_some() {
            told.push(frames::Told::Wrong(CloseCode::Unsupported.into()));
        }
        told
    }

    /// The message that is not WebM, and the close code for it.
    fn media_error(&self, told: &[frames::Told]) -> Option<(usize, u16)> {
        let (_, error, _) = self.publish(told);
        let (index, is_other_format) = error?;
        let code = match is_other_format {
            true => CloseCode::Unsupported,
            false => CloseCode::InvalidPayload,
        };
        Some((index, code.into()))
    }

    /// What a stream holds when these messages are published into it, which is wrong and how, and
    /// whether they could end here. It holds nothing before the first block.
    fn publish(&self, told: &[frames::Told]) -> (Vec<u8>, Option<(usize, bool)>, bool) {
        let mut catalog = Catalog::new(Limits::default());
        let id = catalog.open("demo");
        let stream = catalog.stream_mut(id);
        let mut ingest = Ingest::candidate(self.limits);
        let mut error = None;
        for (index, told) in told.iter().enumerate() {
            let frames::Told::Binary(bytes) = told else {
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
    pub fn check_replies(&self, said: &[Said], is_open: bool) {
        let told = self.told();
        let pongs: Vec<&[u8]> = said
            .iter()
            .filter_map(|said| match said {
                Said::Pong(payload) => Some(&payload[..]),
                _ => None,
            })
            .collect();
        let pings: Vec<&[u8]> = told
            .iter()
            .filter_map(|told| match told {
                frames::Told::Ping(payload) => Some(&payload[..]),
                _ => None,
            })
            .collect();
        let own = said.iter().filter(|said| **said == Said::Ping).count();
        let intervals = (self.now - self.began).as_secs() / PING_INTERVAL.as_secs();
        assert!(
            own as u64 <= intervals,
            "{own} pings in {intervals} intervals"
        );
        if self.is_gone || is_over(said) {
            assert!(pings.starts_with(&pongs));
            return;
        }
        if self.ended_at.is_some() {
            assert!(pings.starts_with(&pongs));
            let Some(Said::Close(payload)) = said.last() else {
                panic!("ended without a word");
            };
            assert_eq!(payload[..2], u16::from(CloseCode::Normal).to_be_bytes());
            return;
        }
        assert_eq!(pongs, pings);
        match (told.last(), said.last()) {
            (Some(frames::Told::Close(payload)), Some(Said::Close(echo))) => {
                assert_eq!(echo, payload)
            }
            (Some(frames::Told::Wrong(code)), Some(Said::Close(payload))) => {
                assert_eq!(payload[..2], code.to_be_bytes());
            }
            (Some(frames::Told::Close(_) | frames::Told::Wrong(_)), other) => {
                panic!("{other:?} is no close")
            }
            (_, Some(Said::Close(payload))) => panic!("closed with {payload:x?} for nothing"),
            _ => assert!(is_open),
        }
    }

    /// The published media are those of the messages, with anything in between; and a publisher
    /// that understands text messages got all that it should.
    pub fn check_messages(&self, said: &[Said], is_open: bool) {
        let mut warnings = 0;
        for said in said {
            if let Said::Text(text) = said {
                match ToPublisher::parse(text).expect("a message that we know") {
                    ToPublisher::Warning { code, .. } if code == "text" => warnings += 1,
                    ToPublisher::Replaced => panic!("there was no other publisher"),
                    _ => {}
                }
            }
        }
        let has_sent_text = self.told().contains(&frames::Told::Text);
        assert!(warnings <= usize::from(has_sent_text));
        let (media, _, _) = self.publish(&self.told());
        self.check_published(&media, is_open);
    }

    /// The same for a body. Its answer shows how it ended.
    pub fn check_body(&self, outgoing: &[u8], is_open: bool) {
        let mut data = Vec::new();
        let end = unchunk(&self.sent, &mut data);
        let (media, error, is_whole) = self.publish(&[frames::Told::Binary(data)]);
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
    pub fn check_media(&self, said: &[Said], is_open: bool) {
        let v1 = self.role == Role::Viewer { v1: true };
        let mut order = Order::new(&self.known, &self.inits);
        // What the last text said about the message that follows.
        let mut announced = None;
        let mut knows = Told::Live;
        let mut is_greeted = !v1;
        for said in said {
            match said {
                Said::Text(text) => {
                    assert!(v1, "a text to who did not ask for any");
                    let text = ToViewer::parse(text).expect("a message that we know");
                    assert!(is_greeted || matches!(text, ToViewer::Hello { .. }));
                    match text {
                        ToViewer::Init { .. } | ToViewer::Skip { .. } => announced = Some(text),
                        ToViewer::Hello { live, .. } if !mem::replace(&mut is_greeted, true) => {
                            knows = if live { Told::Live } else { Told::Offline };
                        }
                        ToViewer::Hello { live, .. } => {
                            assert!(live && knows == Told::Offline);
                            knows = Told::Live;
                        }
                        ToViewer::Offline { .. } => {
                            assert!(knows != Told::Offline, "offline already");
                            knows = Told::Offline;
                        }
                        ToViewer::Stalled { .. } => {
                            assert!(knows == Told::Live);
                            knows = Told::Stalled;
                        }
                        ToViewer::Resumed => {
                            assert!(knows == Told::Stalled);
                            knows = Told::Live;
                        }
                        ToViewer::Viewers { .. } => {}
                        ToViewer::Recording { .. } => panic!("nothing is recorded here"),
                    }
                }
                Said::Binary(payload) => {
                    assert!(knows != Told::Offline, "media of a stream that is offline");
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
                Said::Ping | Said::Pong(_) | Said::Close(_) => {}
            }
        }
        play(order.bytes.freeze());
        if v1 && is_open && !self.is_gone {
            let stream = self.hub.stream("demo").expect("it has a viewer");
            let is_so = match stream.air() {
                Air::Offline(_) => Told::Offline,
                Air::Live => Told::Live,
                Air::Stalled { .. } => Told::Stalled,
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
        match is_whole {
            true => assert!(!is_open && rest.is_empty()),
            // A part of a chunk may be left, if its peer did not wait for it.
            false => assert!(self.is_gone || (is_open && rest.is_empty())),
        }
        play(order.bytes.freeze());
    }
}

/// Whether the stream ended the connection, and not the peer: the next recording has other tracks.
fn is_over(said: &[Said]) -> bool {
    let normal = u16::from(CloseCode::Normal).to_be_bytes();
    let end = b"the stream begins again with other tracks";
    matches!(said.last(), Some(Said::Close(payload)) if *payload == [&normal[..], end].concat())
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
