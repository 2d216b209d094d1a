//! Recordings over HTTP: which pieces of which file a session gets. The archive thread reads them.
//!
//! ```text
//! request ─► Recalling, Job ─► Answer ─► head, first piece ─► written ─► Job ─► next piece … ─► next request
//! ```

use super::Hub;
use super::requests::{Exchange, not_found};
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, ResponseHead};
use crate::http::{Method, RequestHead};
use crate::record::{
    ArchiveAnswer, Deletion, FileName, Found, Job, Listed, Opened, Query, Task, Ticket,
};
use crate::routes::AskedRecordings;
use crate::session::{Recall, SessionId, Socket, State};
use crate::stream_name::StreamName;
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;

/// Jobs that wait for the archive thread: a second or two of a disk's work.
pub(super) const JOBS_MAX: usize = 1024;

/// Recordings in one list.
pub const LIST_MAX: usize = 1000;

/// What the archive thread is asked.
#[derive(Debug, Default)]
pub struct Recalls {
    /// Jobs that are not answered. Invariant: one at most for each session that is there.
    tickets: BTreeMap<Ticket, SessionId>,
    next_ticket: u64,
    jobs: Vec<Job>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ticket.fmt(f)
    }
}

/// The body of `/api/recordings`.
#[derive(Serialize)]
struct Listing {
    recordings: Vec<Listed>,
    /// Whether a key would show more.
    locked: bool,
}

impl Recalls {
    /// Jobs that are not answered.
    pub(super) fn waiting(&self) -> usize {
        self.tickets.len()
    }

    pub(super) fn ask(&mut self, id: SessionId, what: Task) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.tickets.insert(ticket, id);
        self.jobs.push(Job { ticket, what });
    }
}

impl<S: Socket> Hub<S> {
    /// The jobs of this turn, for the archive thread.
    pub fn poll_jobs(&mut self) -> Vec<Job> {
        mem::take(&mut self.recalls.jobs)
    }

    /// Answers once the archive thread has. A server without `--record` has no recordings.
    pub(super) fn recall(&mut self, exchange: Exchange<'_>, task: Task) -> Result<(), Refusal> {
        if self.recordings.is_none() {
            return Err(not_found());
        }
        self.ask_archive(exchange, task, false)
    }

    fn ask_archive(
        &mut self,
        exchange: Exchange<'_>,
        task: Task,
        locked: bool,
    ) -> Result<(), Refusal> {
        // Jobs of clients that have hung up are among them.
        if self.recalls.tickets.len() >= JOBS_MAX {
            return Err(Refusal::full());
        }
        let Exchange { id, head, rest } = exchange;
        let recall = Recall::new(head.clone(), rest.freeze(), locked);
        self.recalls.ask(id, task);
        self.enter(id, State::Recalling(Box::new(recall)));
        Ok(())
    }

    /// A list of recordings that this client may know of.
    pub(super) fn list_recordings(
        &mut self,
        exchange: Exchange<'_>,
        asked: AskedRecordings,
    ) -> Result<(), Refusal> {
        let access = self.settings.access.clone();
        let locked = access.hides_streams(&self.shown(exchange.head));
        if self.recordings.is_none() {
            self.respond_with_recordings(exchange, Vec::new(), locked);
            return Ok(());
        }
        let (head, now_s) = (exchange.head.clone(), self.clock.unix_s());
        let permits = move |name: &StreamName| {
            let shown = access.shown(&head, now_s);
            access.may_watch(name, &shown)
        };
        let query = Query {
            stream: asked.stream,
            limit: asked.limit.min(LIST_MAX),
            before_ms: asked.before_ms,
            permits: Box::new(permits),
        };
        self.ask_archive(exchange, Task::List(query), locked)
    }

    pub(super) fn respond_with_recordings(
        &mut self,
        exchange: Exchange<'_>,
        mut recordings: Vec<Listed>,
        locked: bool,
    ) {
        let prefix = self.link_prefix(exchange.id, exchange.head);
        for one in &mut recordings {
            one.url = format!("{prefix}/recordings/{}/{}", one.stream, one.file);
            one.poster = format!("{}/poster", one.url);
        }
        let listing = Listing { recordings, locked };
        let text = serde_json::to_vec(&listing).expect("reports have string keys alone");
        self.respond(exchange, |to| to.text("application/json", text));
    }

    /// The archive thread has an answer.
    pub fn archive_answered(&mut self, answer: ArchiveAnswer) {
        let Some(id) = self.recalls.tickets.remove(&answer.ticket) else {
            return;
        };
        let what = match answer.what {
            Found::Reached(reach) => return self.stretch_came(id, reach),
            what => what,
        };
        let session = self.sessions.get_mut(id);
        let Some(mut recall) = session.and_then(|session| session.take_recall()) else {
            return;
        };
        recall.answered();
        match what {
            Found::Reached(_) => {}
            Found::List(recordings) => {
                self.respond_with_recordings(exchange(id, &recall), recordings, recall.is_locked());
            }
            Found::Deleted(deletion) => self.respond_to_deletion(id, &recall, deletion),
            Found::Picture(Some(picture)) => {
                let caching = self.recording_caching(recall.head());
                // The first picture of a recording stays the same, once there is one.
                let is_final = picture.media_type == "image/webp";
                let caching = if is_final {
                    caching.of_final
                } else {
                    caching.of_changing
                };
                self.respond(exchange(id, &recall), |to| to.picture(&picture, caching));
            }
            Found::Opened(None) | Found::Picture(None) => {
                self.refuse_recall(id, &recall, not_found())
            }
            Found::Opened(Some(opened)) => self.begin_recall(id, recall, opened),
            Found::Piece(piece) => self.send_piece(id, recall, piece.unwrap_or_default()),
        }
    }

    fn recording_caching(&self, head: &RequestHead) -> Caching {
        let mut parts = head
            .path
            .split('/')
            .skip_while(|part| *part != "recordings");
        let name = parts
            .nth(1)
            .and_then(|name| StreamName::try_from(name).ok());
        if name.is_some_and(|name| self.is_public(&name)) {
            PUBLIC
        } else {
            PRIVATE
        }
    }

    pub(super) fn refuse_recall(&mut self, id: SessionId, recall: &Recall, refusal: Refusal) {
        self.refuse_request(id, refusal, recall.head(), recall.behind().clone());
    }

    fn respond_to_deletion(&mut self, id: SessionId, recall: &Recall, deletion: Deletion) {
        let refusal = match deletion {
            Deletion::Done => return self.respond(exchange(id, recall), |to| to.no_content()),
            Deletion::Missing => not_found(),
            Deletion::Busy => Refusal::new(409, "this recording is being written"),
            Deletion::Failed => Refusal::new(500, "the recording cannot be deleted: see the log"),
        };
        self.refuse_recall(id, recall, refusal);
    }

    /// Sends the head of the answer, and asks for the first piece.
    fn begin_recall(&mut self, id: SessionId, mut recall: Box<Recall>, opened: Opened) {
        let asked = asked_range(recall.head(), &opened);
        let (status, part) = match asked {
            Asked::Whole => (200, 0..opened.bytes),
            Asked::Part(part) => (206, part),
            Asked::Nothing => {
                let refusal = Refusal::new(416, "the range is not in the file")
                    .with("Content-Range", format!("bytes */{}", opened.bytes));
                return self.refuse_recall(id, &recall, refusal);
            }
            Asked::Unchanged => (304, 0..0),
        };
        let stamp = self.stamp(recall.head());
        let (after, keep_alive) = self.after_answer(recall.head(), recall.behind().clone());
        let caching = self.recording_caching(recall.head());
        let head = answer_head(recall.head(), &opened, (status, caching), &part);
        let head = head.connection(Connection::keep_alive(keep_alive));
        self.sessions[id].send(head.stamp(&stamp).into_bytes());
        if recall.head().method == Method::Head || part.is_empty() {
            self.go_on_after_answer(id, after);
            return;
        }
        recall.send(opened.file, part);
        self.ask_for_piece(id, recall);
        self.queue_write(id);
    }

    fn ask_for_piece(&mut self, id: SessionId, mut recall: Box<Recall>) {
        if let Some(task) = recall.next_piece() {
            self.recalls.ask(id, task);
        }
        self.enter(id, State::Recalling(recall));
    }

    fn send_piece(&mut self, id: SessionId, mut recall: Box<Recall>, piece: Bytes) {
        // The file is shorter than it was, or the disk does not read: the client must not take what it
        // has for the whole.
        if piece.is_empty() {
            self.drop_session(id);
            return;
        }
        let is_last = recall.piece_read(piece.len());
        self.books.counters.sent_bytes += piece.len() as u64;
        self.sessions[id].send(piece);
        if is_last {
            let (after, _) = self.after_answer(recall.head(), recall.behind().clone());
            self.go_on_after_answer(id, after);
            return;
        }
        self.enter(id, State::Recalling(recall));
        self.queue_write(id);
    }

    /// What was read is written: the next piece.
    pub(super) fn recall_more(&mut self, id: SessionId) {
        if let Some(recall) = self.sessions[id].take_recall() {
            self.ask_for_piece(id, recall);
        }
    }
}

/// Values of `Cache-Control`.
#[derive(Clone, Copy)]
struct Caching {
    of_changing: &'static str,
    of_final: &'static str,
}

const PUBLIC: Caching = Caching {
    of_changing: "no-cache",
    of_final: "max-age=3600",
};

/// Of a stream that is not for everybody: caches that many share keep nothing.
const PRIVATE: Caching = Caching {
    of_changing: "private, no-cache",
    of_final: "private, max-age=3600",
};

/// The request that the archive thread has answered.
pub(super) fn exchange(id: SessionId, recall: &Recall) -> Exchange<'_> {
    Exchange {
        id,
        head: recall.head(),
        rest: BytesMut::from(&recall.behind()[..]),
    }
}

/// The head of the answer to a request for a file, or for a part of it.
fn answer_head(
    request: &RequestHead,
    opened: &Opened,
    (status, caching): (u16, Caching),
    part: &Range<u64>,
) -> ResponseHead {
    let mut head = ResponseHead::new(status).header("Accept-Ranges", "bytes");
    head = match &opened.etag {
        Some(etag) => head
            .header("ETag", etag)
            .header("Cache-Control", caching.of_changing),
        // It grows.
        None => head.header("Cache-Control", "no-store"),
    };
    if status == 206 {
        let (first, last) = (part.start, part.end - 1);
        let value = format!("bytes {first}-{last}/{}", opened.bytes);
        head = head.header("Content-Range", value);
    }
    if status == 304 {
        return head;
    }
    head = head
        .header("Content-Type", opened.media_type)
        .length(part.end - part.start);
    if request.query.has("download") {
        // `/recordings/NAME/FILE`: neither has a character that needs an escape.
        let mut parts = request.path.rsplit('/');
        let (file, name) = (parts.next().unwrap_or_default(), parts.next());
        let name = name.unwrap_or_default();
        let value = format!("attachment; filename=\"{name}-{file}\"");
        head = head.header("Content-Disposition", value);
    }
    head
}

/// A file's name in an address.
pub fn file_name(text: &str) -> Result<FileName, Refusal> {
    FileName::parse(text).ok_or_else(not_found)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    /// Not empty.
    Part(Range<u64>),
    /// A range that is not in the file.
    Nothing,
    /// The client has this version.
    Unchanged,
}

/// RFC 9110, sections 13.1 and 14.2: one range of bytes is served, and several, or what is no range,
/// are the whole.
fn asked_range(head: &RequestHead, opened: &Opened) -> Asked {
    let etag = opened.etag.as_deref();
    let has = |offered: &str| {
        let mut offered = offered.split(',').map(str::trim);
        offered.any(|one| one == "*" || Some(one.trim_start_matches("W/")) == etag)
    };
    if etag.is_some() && head.if_none_match.as_deref().is_some_and(has) {
        return Asked::Unchanged;
    }
    let is_same = head
        .if_range
        .as_deref()
        .is_none_or(|offered| Some(offered) == etag);
    let range = head.range.as_deref().filter(|_| is_same);
    match range.and_then(|range| range.trim().strip_prefix("bytes=")) {
        Some(range) => one_range(range, opened.bytes),
        None => Asked::Whole,
    }
}

fn one_range(range: &str, bytes: u64) -> Asked {
    let Some((first, last)) = range.trim().split_once('-') else {
        return Asked::Whole;
    };
    let number = |text: &str| {
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // One that is too large for 64 bits is behind every file.
        is_digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let part = match (first, last) {
        ("", last) => match number(last) {
            Some(length) => bytes.saturating_sub(length)..bytes,
            None => return Asked::Whole,
        },
        (first, "") => match number(first) {
            Some(first) => first..bytes,
            None => return Asked::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(bytes),
            _ => return Asked::Whole,
        },
    };
    if part.is_empty() {
        Asked::Nothing
    } else {
        Asked::Part(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_served() {
        for (range, expected) in [
            ("0-", Asked::Part(0..100)),
            ("10-19", Asked::Part(10..20)),
            ("99-99", Asked::Part(99..100)),
            ("10-1000", Asked::Part(10..100)),
            ("-10", Asked::Part(90..100)),
            ("-1000", Asked::Part(0..100)),
            ("10-99999999999999999999", Asked::Part(10..100)),
            ("100-", Asked::Nothing),
            ("99999999999999999999-", Asked::Nothing),
            ("-0", Asked::Nothing),
            ("20-10", Asked::Whole),
            ("0-1,5-6", Asked::Whole),
            ("a-b", Asked::Whole),
            ("-", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(one_range(range, 100), expected, "{range}");
        }
        assert_eq!(one_range("0-", 0), Asked::Nothing);
    }
}
