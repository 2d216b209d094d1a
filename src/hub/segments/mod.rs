//! GOPs by number, for caches: `/live/NAME/N.webm` and what tells of them.
//!
//! ```text
//! request ─┬─► list, manifest, init segment: rendered once, shared
//!          └─► Fetching ─► waiting ─► growing ─► the next request
//!                             ▲          ▲
//!             a segment begins or ends   chunks come
//! ```
//!
//! A request that waits costs its session and nothing else: it is looked at when a segment of its stream
//! begins or ends, and once by its deadline. What it is sent are chunks of the ring, as viewers get them.
//!
//! - `readers`: the sessions that wait for segments of a stream, or are sent one; `list`, `manifest`: what
//!   `live.json` and `live.mpd` say.

mod list;
mod manifest;
mod readers;

#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub use list::render as live_json;
#[cfg(feature = "testing")]
pub use manifest::render as live_mpd;
pub use readers::SegmentReaders;

use super::Hub;
use super::requests::{AfterAnswer, Exchange};
use super::response::Kept;
use crate::http::Method;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, ResponseHead, Stamp, refuse};
use crate::routes::SegmentFile;
use crate::session::fetching::{AnswerTo, Fetching, Wish};
use crate::session::viewer::WriteProgress;
use crate::session::{SessionId, Socket, State};
use crate::stream::{Found, Segment, StreamId};
use crate::stream_name::StreamName;
use bytes::{Bytes, BytesMut};
use std::io;

const LIST_TYPE: &str = "application/json";
const MANIFEST_TYPE: &str = "application/dash+xml";

/// What each answer tells caches.
#[derive(Debug, Clone, Copy)]
struct Caching {
    /// Of what never changes.
    of_media: &'static str,
    /// Of what changes, and of what is not there: caches ask once a second for all.
    of_news: &'static str,
}

const PUBLIC: Caching = Caching {
    of_media: "public, max-age=3600, immutable",
    of_news: "public, max-age=1",
};

/// Of a stream that needs a key: a cache would give its copy to clients without one.
const PRIVATE: Caching = Caching {
    of_media: "private, no-store",
    of_news: "private, no-store",
};

/// `Cache-Control` of an answer that is for one client alone.
const UNCACHED: &str = "no-store";

impl Caching {
    fn of(is_public: bool) -> Caching {
        if is_public { PUBLIC } else { PRIVATE }
    }
}

/// What a request gets now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    NotYet,
    Missing,
    List,
    Media { segment: Segment, is_chunked: bool },
}

fn no_segment(caching: Caching) -> Refusal {
    let reason = "no such segment: live.json lists those that there are";
    Refusal::new(404, reason).cached(caching.of_news)
}

fn etag(number: u64) -> String {
    format!("\"{number}\"")
}

impl<S: Socket> Hub<S> {
    pub(super) fn serve_segment_file(
        &mut self,
        exchange: Exchange<'_>,
        name: &StreamName,
        file: SegmentFile,
    ) -> Result<(), Refusal> {
        let is_public = self.is_public(name);
        let caching = Caching::of(is_public);
        let stream_id = self.streams.find(name.as_str());
        let stream_id = stream_id.filter(|&id| self.has_segments(id));
        let is_elsewhere = self.note_reader_elsewhere(name);
        let Some(stream_id) = stream_id else {
            let first = match file {
                SegmentFile::List { after: None } => Wish::List(0),
                SegmentFile::Manifest => Wish::Manifest,
                _ => return Err(no_segment(caching)),
            };
            if !is_elsewhere {
                return Err(no_segment(caching));
            }
            let stream_id = self.streams.open(name, self.clock.now());
            return self.await_segment(exchange, stream_id, first);
        };
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.segment_readers_mut().note_asking();
        }
        let wish = match file {
            SegmentFile::Init(generation) => {
                let init = self.streams.stream(stream_id).segments().init(generation);
                let init = init.ok_or_else(|| no_segment(caching))?;
                let kept = Kept {
                    media_type: media_type(&init.mime).to_owned(),
                    etag: Some(etag(generation)),
                    cache_control: caching.of_media,
                    bytes: init.framed.payload(),
                };
                self.respond(exchange, |to| to.kept(kept));
                return Ok(());
            }
            SegmentFile::Manifest => {
                let kept = Kept {
                    media_type: MANIFEST_TYPE.to_owned(),
                    etag: None,
                    cache_control: caching.of_news,
                    bytes: self.segment_manifest(stream_id),
                };
                self.respond(exchange, |to| to.kept(kept));
                return Ok(());
            }
            SegmentFile::List { after: None } => {
                let kept = Kept {
                    media_type: LIST_TYPE.to_owned(),
                    etag: None,
                    cache_control: caching.of_news,
                    bytes: self.segment_list(stream_id),
                };
                self.respond(exchange, |to| to.kept(kept));
                return Ok(());
            }
            SegmentFile::List { after: Some(after) } => Wish::List(after),
            SegmentFile::Media(number) => Wish::Media(number),
        };
        self.await_segment(exchange, stream_id, wish)
    }

    fn await_segment(
        &mut self,
        exchange: Exchange<'_>,
        stream_id: StreamId,
        wish: Wish,
    ) -> Result<(), Refusal> {
        self.check_room(exchange.id)?;
        let name = self.streams.stream(stream_id).name();
        let name = StreamName::try_from(&**name);
        let is_public = name.is_ok_and(|name| self.is_public(&name));
        let id = exchange.id;
        let proxy = self.count_segment_reader(id, exchange.head);
        let proxy = proxy.map_err(|refusal| refusal.cached(UNCACHED))?;
        let mut answer = self.answer_to(&exchange, wish, is_public);
        answer.proxy = proxy;
        let fetching = Fetching::new(stream_id, wish, answer, self.clock.now());
        self.enter(id, State::Fetching(Box::new(fetching)));
        self.join_segment_readers(id, false);
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    fn has_segments(&self, id: StreamId) -> bool {
        self.streams.stream(id).segments().next_number().is_some()
    }

    fn answer_to(&mut self, exchange: &Exchange<'_>, wish: Wish, is_public: bool) -> AnswerTo {
        let head = exchange.head;
        let (after, keep_alive) = self.after_answer(head, Bytes::copy_from_slice(&exchange.rest));
        // Behind a body, which such a request has no use for, no other is read.
        let (keep_alive, behind) = match after {
            AfterAnswer::Ask(rest) => (keep_alive, rest.freeze()),
            AfterAnswer::Drain(_) | AfterAnswer::Close { .. } => (false, Bytes::new()),
        };
        AnswerTo {
            is_head: head.method == Method::Head,
            is_whole: head.version == crate::http::Version::Http10,
            keep_alive,
            is_known: match wish {
                Wish::Media(number) => head.has_etag(&etag(number)),
                Wish::List(_) | Wish::Manifest => false,
            },
            is_public,
            readers: self.stamp(head).readers,
            proxy: None,
            behind,
        }
    }

    /// Puts a reader among those that wait for segments of its stream, or among those that one is sent
    /// to.
    fn join_segment_readers(&mut self, id: SessionId, is_sending: bool) {
        let Some(fetching) = self.sessions[id].fetching_mut() else {
            return;
        };
        if let Some(broadcast) = self.streams.broadcast_mut(fetching.stream()) {
            let readers = broadcast.segment_readers_mut();
            fetching.set_index(readers.join(id, is_sending));
        }
    }

    /// A session is no reader of a segment any more.
    pub(super) fn segment_reader_left(&mut self, fetching: &Fetching) {
        let stream_id = fetching.stream();
        self.leave_segment_readers(stream_id, fetching.index(), fetching.is_sending());
        self.remove_if_unused(stream_id);
    }

    fn leave_segment_readers(&mut self, stream_id: StreamId, index: usize, is_sending: bool) {
        let Some(broadcast) = self.streams.broadcast_mut(stream_id) else {
            return;
        };
        let moved = broadcast.segment_readers_mut().leave(index, is_sending);
        if let Some(moved) = moved
            && let Some(fetching) = self.sessions[moved].fetching_mut()
        {
            fetching.set_index(index);
        }
    }

    /// Readers of streams that have new chunks are to be written to; and those that wait, when a segment
    /// has begun or ended.
    pub(super) fn wake_segment_readers(&mut self) {
        let (sessions, queues) = (&mut self.sessions, &mut self.queues);
        self.streams
            .each_segment_news(|stream, readers, has_begun| {
                for &id in readers.sending() {
                    if let Some(fetching) = sessions[id].fetching_mut() {
                        fetching.learn_end(stream);
                    }
                    queues.push_write(&mut sessions[id]);
                }
                let waiting = readers.waiting().iter().filter(|_| has_begun);
                for &id in waiting {
                    queues.push_write(&mut sessions[id]);
                }
            });
    }

    /// Whether a reader has to wait.
    #[cfg(feature = "testing")]
    pub(super) fn waits_for_segment(&self, fetching: &Fetching) -> bool {
        fetching.is_sending() || self.segment_for(fetching) == Ready::NotYet
    }

    fn segment_for(&self, fetching: &Fetching) -> Ready {
        let segments = self.streams.stream(fetching.stream()).segments();
        match fetching.wish() {
            Wish::Media(number) => match segments.find(number) {
                Found::Finished(segment) => Ready::Media {
                    segment,
                    is_chunked: false,
                },
                Found::Growing(_) if fetching.answer().is_whole => Ready::NotYet,
                Found::Growing(segment) => Ready::Media {
                    segment,
                    is_chunked: true,
                },
                Found::Next => Ready::NotYet,
                Found::Missing => Ready::Missing,
            },
            Wish::Manifest if segments.next_number().is_some() => Ready::List,
            Wish::Manifest => Ready::NotYet,
            Wish::List(after) => {
                let next = segments.next_number().unwrap_or(0);
                let unfinished = segments.growing().map_or(next, |growing| growing.number);
                if after < unfinished {
                    Ready::List
                } else if after <= next {
                    Ready::NotYet
                } else {
                    Ready::Missing
                }
            }
        }
    }

    /// Answers a request for a segment if it need not wait any more, and sends what there is.
    pub(super) fn write_segment(&mut self, id: SessionId) -> usize {
        let Some(fetching) = self.sessions[id].fetching() else {
            return 0;
        };
        if !fetching.is_sending() {
            match self.segment_for(fetching) {
                Ready::NotYet => return 0,
                Ready::Missing => self.refuse_segment(id),
                Ready::List => self.send_list(id),
                Ready::Media {
                    segment,
                    is_chunked,
                } => self.begin_segment(id, &segment, is_chunked),
            }
        }
        let Some(fetching) = self.sessions[id].fetching() else {
            // It has its whole answer, whose turn comes at once.
            return 0;
        };
        let stream_id = fetching.stream();
        let stream = self.streams.stream(stream_id);
        let now = self.clock.now();
        let sent = self.sessions[id].write_fetching(stream, &mut self.turn.batch, now);
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => {
                // Without its end, which no cache takes for whole.
                self.books.counters.segments_cut +=
                    u64::from(error.kind() == io::ErrorKind::UnexpectedEof);
                self.drop_session(id);
                return 0;
            }
        };
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.traffic_mut().sent(sent.bytes as u64, 0);
        }
        self.books.counters.sent_bytes += sent.bytes as u64;
        match sent.progress {
            WriteProgress::Level | WriteProgress::Blocked | WriteProgress::Held(_) => {}
            WriteProgress::More => self.queue_write(id),
            WriteProgress::Ended => self.end_answer(id),
        }
        sent.bytes
    }

    /// The segment that a request waits for did not come in time: no such segment. A list is sent as
    /// it is.
    pub(super) fn give_up_segment(&mut self, id: SessionId) {
        match self.sessions[id].fetching().map(Fetching::wish) {
            Some(Wish::Media(_)) => self.refuse_segment(id),
            Some(Wish::Manifest) => self.refuse_segment(id),
            Some(Wish::List(_)) => self.send_list(id),
            None => {}
        }
    }

    fn begin_segment(&mut self, id: SessionId, segment: &Segment, is_chunked: bool) {
        let Some(fetching) = self.sessions[id].fetching() else {
            return;
        };
        let answer = fetching.answer();
        let (stream_id, index, is_head) = (fetching.stream(), fetching.index(), answer.is_head);
        let is_unchanged = answer.is_known && !is_chunked;
        let caching = Caching::of(answer.is_public);
        let segments = self.streams.stream(stream_id).segments();
        let init = segments.init(segment.generation);
        let mut head = ResponseHead::new(if is_unchanged { 304 } else { 200 })
            .header("ETag", etag(segment.number))
            .header("Cache-Control", caching.of_media);
        if !is_unchanged {
            let mime = init.map_or("video/webm", |init| media_type(&init.mime));
            head = head
                .header("Content-Type", mime)
                .header("X-Videostream-Generation", segment.generation);
            head = if is_chunked {
                head.chunked()
            } else {
                head.length(segment.bytes)
            };
        }
        self.send_head(id, head);
        self.books.counters.segments += 1;
        if is_head || is_unchanged {
            self.end_answer(id);
            return;
        }
        self.leave_segment_readers(stream_id, index, false);
        let now = self.clock.now();
        if let Some(fetching) = self.sessions[id].fetching_mut() {
            fetching.send(segment, is_chunked, now);
        }
        self.join_segment_readers(id, true);
    }

    fn send_list(&mut self, id: SessionId) {
        let Some(fetching) = self.sessions[id].fetching() else {
            return;
        };
        let (stream_id, is_head) = (fetching.stream(), fetching.answer().is_head);
        let caching = Caching::of(fetching.answer().is_public);
        let (media_type, list) = if fetching.wish() == Wish::Manifest {
            (MANIFEST_TYPE, self.segment_manifest(stream_id))
        } else {
            (LIST_TYPE, self.segment_list(stream_id))
        };
        let head = ResponseHead::new(200)
            .header("Content-Type", media_type)
            .header("Cache-Control", caching.of_news)
            .length(list.len() as u64);
        self.send_head(id, head);
        if !is_head {
            self.sessions[id].send(list);
        }
        self.end_answer(id);
    }

    fn refuse_segment(&mut self, id: SessionId) {
        let Some(fetching) = self.sessions[id].fetching() else {
            return;
        };
        let (is_head, caching) = (
            fetching.answer().is_head,
            Caching::of(fetching.answer().is_public),
        );
        let (stamp, connection) = self.late_stamp(id);
        let method = if is_head { Method::Head } else { Method::Get };
        let bytes = refuse(&no_segment(caching), method, connection, &stamp);
        self.sessions[id].send(bytes);
        self.end_answer(id);
    }

    fn send_head(&mut self, id: SessionId, head: ResponseHead) {
        let (stamp, connection) = self.late_stamp(id);
        let head = head.stamp(&stamp).connection(connection);
        self.sessions[id].send(head.into_bytes());
    }

    /// What the answer to a request says that may have waited long.
    fn late_stamp(&mut self, id: SessionId) -> (Stamp, Connection) {
        let date = Some(self.clock.date());
        let is_serving = self.is_serving();
        let answer = self.sessions[id].fetching().map(Fetching::answer);
        let readers = answer.map(|answer| answer.readers.clone());
        let keep_alive = answer.is_some_and(|answer| answer.keep_alive) && is_serving;
        let stamp = Stamp {
            date,
            readers: readers.unwrap_or_default(),
        };
        (stamp, Connection::keep_alive(keep_alive))
    }

    /// What is left of the answer is in the outbox. Then another request may follow.
    fn end_answer(&mut self, id: SessionId) {
        let is_serving = self.is_serving();
        let Some(fetching) = self.sessions[id].fetching() else {
            return;
        };
        let answer = fetching.answer();
        let proxy = answer.proxy;
        let state = State::Responding {
            keep_alive: answer.keep_alive && is_serving,
            rest: BytesMut::from(&answer.behind[..]),
        };
        if let Some(proxy) = proxy {
            self.count_no_more(id, proxy);
        }
        self.change_state(id, state);
        if self.sessions[id].outbox().is_empty() {
            self.outbox_written(id);
        } else {
            self.queue_write(id);
        }
    }

    /// `live.json`.
    fn segment_list(&mut self, id: StreamId) -> Bytes {
        let Some((broadcast, stream)) = self.streams.both_mut(id) else {
            return Bytes::new();
        };
        let version = stream.segments().version();
        let readers = broadcast.segment_readers_mut();
        readers.list(version, || list::render(stream))
    }

    /// `live.mpd`.
    fn segment_manifest(&mut self, id: StreamId) -> Bytes {
        let Some((broadcast, stream)) = self.streams.both_mut(id) else {
            return Bytes::new();
        };
        let version = stream.segments().version();
        let readers = broadcast.segment_readers_mut();
        readers.manifest(version, || manifest::render(stream))
    }

    /// Requests that wait for a segment, and those that one is sent to.
    pub(super) fn segment_figures(&self) -> (u64, u64) {
        let readers = self.streams.broadcasts().map(|one| one.segment_readers());
        readers.fold((0, 0), |(waiting, sending), one| {
            (
                waiting + one.waiting().len() as u64,
                sending + one.sending().len() as u64,
            )
        })
    }
}

/// Without the codecs, which not every cache and player takes in a header.
fn media_type(mime: &str) -> &str {
    mime.split(';').next().unwrap_or(mime)
}
