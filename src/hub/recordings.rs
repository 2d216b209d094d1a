//! What is recorded: which chunks of which stream go to the recording thread.
//!
//! A recorded stream has a tap, which takes chunks from the ring as the cursor of a viewer does. Each
//! turn's chunks go out as orders ([`Hub::poll_orders`]); what became of them comes in as news
//! ([`Hub::recording_changed`]). No file is known here, and nothing waits.
//!
//! A stream that is recorded stays after its publisher, until the recording is over: its time and its
//! init segment go on when the publisher comes back.

use super::broadcast::Broadcast;
use super::requests::not_live;
use super::{Hub, Settings};
use crate::config::Record;
use crate::http::refusal::Refusal;
use crate::metrics;
use crate::record::{Admission, Admitted, Event, Gauge, Ledger, News, Order, What};
use crate::service::errands::Errand;
use crate::session::Socket;
use crate::session::publisher::Publisher;
use crate::stream::{Chunk, ChunkKind, Stream, StreamId};
use crate::stream_name::StreamName;
use crate::websocket::messages::{ToPublisher, ToViewer};
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

/// What `--record` asks for, and what its thread keeps up to date.
#[derive(Debug, Clone)]
pub struct RecordSettings {
    pub record: Record,
    pub ledger: Ledger,
}

/// What happened to recordings since the server started.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    finished: u64,
    failed: u64,
    gops_lost: u64,
}

/// All that is recorded, or may be.
#[derive(Debug)]
pub struct Recordings {
    settings: RecordSettings,
    /// Streams that may wait for a publisher to come back. More than streams at once.
    waiting_max: usize,
    taps: BTreeMap<StreamId, Tap>,
    /// What was asked for by name. Invariant: of streams that have a tap or a publisher.
    wishes: BTreeMap<Arc<str>, bool>,
    /// Streams with a file that is being written.
    open: BTreeMap<Arc<str>, OpenFile>,
    orders: Vec<Order>,
    tally: Tally,
}

/// A file that is being written.
#[derive(Debug, Clone, Copy)]
struct OpenFile {
    /// When its first chunk came, by the catalog's clock.
    came_ms: u64,
    generation: u32,
}

/// One stream's recorder, as far as the hub knows it.
#[derive(Debug)]
struct Tap {
    name: Arc<str>,
    /// The sequence of the chunk to come.
    next: u64,
    /// The init segment of the last chunk that went out; 0 for none.
    generation: u32,
    admission: Admission,
    /// Whether chunks have gone out since the publisher was last said to have left.
    is_live: bool,
    /// Whether the stream is kept for a publisher that may come back.
    is_kept: bool,
    /// Whether the publisher is on another node.
    is_elsewhere: bool,
    /// GOPs lost since the disk became too slow.
    lost: u64,
}

impl Recordings {
    pub fn new(settings: &Settings) -> Option<Recordings> {
        Some(Recordings {
            settings: settings.record.clone()?,
            waiting_max: settings.limits.max_streams,
            taps: BTreeMap::new(),
            wishes: BTreeMap::new(),
            open: BTreeMap::new(),
            orders: Vec::new(),
            tally: Tally::default(),
        })
    }

    fn is_wanted(&self, name: &str) -> bool {
        let wish = self.wishes.get(name).copied();
        wish.unwrap_or_else(|| self.settings.record.is_recorded(name))
    }

    /// Takes what is new in a stream's ring. Returns whether the stream is to be kept.
    fn take(&mut self, id: StreamId, stream: &Stream) -> bool {
        if !stream.is_live() && self.wishes.get(stream.name()) == Some(&false) {
            // The next publisher may have another wish.
            self.wishes.remove(stream.name());
            return false;
        }
        let is_wanted = self.is_wanted(stream.name());
        if !is_wanted || stream.generation() == 0 {
            if self.taps.contains_key(&id) {
                self.end(id);
            }
            return false;
        }
        let is_asked_for = self.wishes.contains_key(stream.name());
        let tap = self
            .taps
            .entry(id)
            .or_insert_with(|| Tap::new(stream, is_asked_for));
        let queue_bytes = self.settings.record.queue_bytes;
        let ring = stream.ring();
        if tap.is_elsewhere {
            tap.next = ring.live_edge();
            return tap.is_kept;
        }
        if tap.next < ring.oldest() {
            tap.next = ring.oldest();
            if tap.admission.cut() {
                tap.lost += 1;
                self.tally.gops_lost += 1;
            }
        }
        while let Some(chunk) = ring.chunk(tap.next) {
            tap.next += 1;
            let queued = self.settings.ledger.gauge.queued_bytes();
            match tap.admission.admit(chunk.kind, queued, queue_bytes) {
                Admitted::Yes => {
                    tap.put(chunk, stream, &self.settings.ledger.gauge, &mut self.orders)
                }
                Admitted::No => {}
                Admitted::Lost => {
                    self.tally.gops_lost += 1;
                    if tap.lost == 0 {
                        tracing::warn!(stream = %tap.name, "the disk is too slow: GOPs of the recording are lost");
                    }
                    tap.lost += 1;
                }
            }
        }
        if tap.is_live && !stream.is_live() {
            tap.is_live = false;
            self.orders.push(tap.order(What::Left));
        }
        tap.is_kept
    }

    /// Its publisher is on another node now, which records it; or on this one again, and what came from there
    /// is no part of its recording.
    fn move_to(&mut self, is_elsewhere: bool, id: StreamId, stream: &Stream) {
        if is_elsewhere && self.taps.contains_key(&id) {
            self.take(id, stream);
        }
        if !is_elsewhere || !self.is_wanted(stream.name()) {
            if let Some(tap) = self.taps.get_mut(&id)
                && mem::take(&mut tap.is_elsewhere)
            {
                tap.next = stream.ring().live_edge();
            }
            return;
        }
        let tap = self.taps.entry(id);
        let tap = tap.or_insert_with(|| Tap::new(stream, false));
        tap.is_elsewhere = true;
        tap.admission.cut();
        if mem::take(&mut tap.is_live) {
            self.orders.push(tap.order(What::Left));
        }
    }

    /// The stream is recorded no longer. Its next recording is another file.
    fn end(&mut self, id: StreamId) {
        if let Some(tap) = self.taps.remove(&id) {
            self.orders.push(tap.order(What::End));
        }
    }

    /// The stream is gone.
    fn forget(&mut self, id: StreamId, name: &str) {
        self.wishes.remove(name);
        self.end(id);
    }

    /// Streams kept for publishers that may come back, if they are too many.
    fn excess(&self) -> Option<StreamId> {
        let kept = self.taps.iter();
        let mut kept = kept.filter(|(_, tap)| tap.is_kept && !tap.is_live);
        let first = kept.next().map(|(&id, _)| id);
        first.filter(|_| kept.count() >= self.waiting_max)
    }
}

impl Tap {
    /// Where the recording was asked for, it begins with the GOP that is on air; else with all that has
    /// come.
    fn new(stream: &Stream, is_asked_for: bool) -> Tap {
        let ring = stream.ring();
        let newest = ring.join_point().unwrap_or(ring.live_edge());
        Tap {
            name: stream.name().clone(),
            next: if is_asked_for { newest } else { ring.oldest() },
            generation: 0,
            admission: Admission::default(),
            is_live: false,
            is_kept: false,
            is_elsewhere: false,
            lost: 0,
        }
    }

    fn order(&self, what: What) -> Order {
        Order {
            stream: self.name.clone(),
            what,
        }
    }

    fn put(&mut self, chunk: &Chunk, stream: &Stream, gauge: &Gauge, orders: &mut Vec<Order>) {
        if self.generation != chunk.generation {
            // An older init segment is known no more, and so are its chunks.
            let init = stream.init();
            let Some(init) = init.filter(|init| init.chunk.generation == chunk.generation) else {
                self.admission.cut();
                return;
            };
            self.generation = chunk.generation;
            let tracks = Box::new(init.recording.clone());
            orders.push(self.order(What::Tracks(tracks)));
        }
        if chunk.kind == ChunkKind::JoinPoint && self.lost > 0 {
            let gops = mem::take(&mut self.lost);
            tracing::warn!(stream = %self.name, gops, "the recording goes on");
        }
        gauge.queue(chunk.framed.memory() as u64);
        orders.push(self.order(What::Chunk(chunk.clone())));
        self.is_live = true;
        self.is_kept = true;
    }
}

impl<S: Socket> Hub<S> {
    /// Takes what this turn has brought to recorded streams.
    pub(super) fn record(&mut self) {
        if self.recordings.is_none() {
            return;
        }
        for id in self.streams.fresh() {
            self.record_stream(id);
        }
    }

    /// The same for one stream: before its last chunks go with it, and when it is to be recorded or no
    /// longer.
    pub(super) fn record_stream(&mut self, id: StreamId) {
        let Some(recordings) = &mut self.recordings else {
            return;
        };
        let Some((broadcast, stream)) = self.streams.both_mut(id) else {
            return;
        };
        let publisher = broadcast
            .publisher()
            .and_then(|id| self.sessions.get(id)?.publisher());
        // Its own node records it.
        if publisher.is_some_and(Publisher::is_remote) {
            return;
        }
        broadcast.set_kept(recordings.take(id, stream));
        // Only one that waits for a publisher can be one too many.
        if !stream.is_live()
            && let Some(excess) = recordings.excess()
        {
            self.release(excess);
        }
    }

    /// A publisher of this node or of another goes on air; its media have not come yet.
    pub(super) fn move_recording(&mut self, id: StreamId, is_elsewhere: bool) {
        if let Some(recordings) = &mut self.recordings {
            recordings.move_to(is_elsewhere, id, self.streams.stream(id));
        }
    }

    /// The recording is over, and the publisher did not come back.
    fn release(&mut self, id: StreamId) {
        if let Some((broadcast, _)) = self.streams.both_mut(id) {
            broadcast.set_kept(false);
        }
        if let Some(recordings) = &mut self.recordings
            && let Some(tap) = recordings.taps.get_mut(&id)
        {
            tap.is_kept = false;
            tap.admission.cut();
            recordings.wishes.remove(&tap.name);
            let order = tap.order(What::End);
            // The next recording begins with an init segment.
            tap.generation = 0;
            recordings.orders.push(order);
        }
        self.remove_if_unused(id);
    }

    /// Removes a stream that has neither a publisher nor a viewer, and is not recorded.
    pub(super) fn remove_if_unused(&mut self, id: StreamId) {
        let Some(recordings) = &mut self.recordings else {
            self.streams.remove_if_unused(id);
            return;
        };
        if self.streams.broadcast(id).is_none() {
            return;
        }
        let name = self.streams.stream(id).name().clone();
        if self.streams.remove_if_unused(id) {
            recordings.forget(id, &name);
        }
    }

    /// Whether a recording of this stream is being written.
    pub(super) fn is_recording(&self, name: &str) -> bool {
        let recordings = self.recordings.as_ref();
        recordings.is_some_and(|recordings| recordings.open.contains_key(name))
    }

    /// When the first media of a stream's recording came, if it has these tracks.
    pub(super) fn recorded_from_ms(&self, name: &str, generation: u32) -> Option<u64> {
        let file = self.recordings.as_ref()?.open.get(name)?;
        (file.generation == generation).then_some(file.came_ms)
    }

    pub(super) fn recording_figures(&self) -> metrics::Recordings {
        let Some(recordings) = &self.recordings else {
            return metrics::Recordings::default();
        };
        let (tally, gauge) = (recordings.tally, &recordings.settings.ledger.gauge);
        metrics::Recordings {
            open: recordings.open.len() as u64,
            finished: tally.finished,
            failed: tally.failed,
            gops_lost: tally.gops_lost,
            written_bytes: gauge.written_bytes(),
            queued_bytes: gauge.queued_bytes(),
        }
    }

    /// Whether there are orders to poll.
    pub fn has_orders(&self) -> bool {
        let recordings = self.recordings.as_ref();
        recordings.is_some_and(|recordings| !recordings.orders.is_empty())
    }

    /// The orders since the last poll, for the recording thread.
    pub fn poll_orders(&mut self) -> Vec<Order> {
        match &mut self.recordings {
            Some(recordings) => mem::take(&mut recordings.orders),
            None => Vec::new(),
        }
    }

    /// The recording thread says what became of its orders.
    pub fn recording_changed(&mut self, news: News) {
        let News { stream: name, what } = news;
        let Some(recordings) = &mut self.recordings else {
            return;
        };
        match &what {
            &Event::Began {
                came_ms,
                generation,
            } => {
                let file = OpenFile {
                    came_ms,
                    generation,
                };
                recordings.open.insert(name.clone(), file);
            }
            Event::Ended { .. } => {
                recordings.tally.finished += 1;
                recordings.open.remove(&name);
            }
            Event::Failed(_) => {
                recordings.tally.failed += 1;
                recordings.open.remove(&name);
            }
            Event::Recovered { .. } | Event::Idle => {}
        }
        if let Event::Ended {
            file,
            duration_ms,
            bytes,
        }
        | Event::Recovered {
            file,
            duration_ms,
            bytes,
        } = &what
        {
            self.tell_recording(&name, file, *duration_ms, *bytes);
        }
        if matches!(what, Event::Recovered { .. }) {
            return;
        }
        let Some(id) = self.streams.find(&name) else {
            return;
        };
        self.send_recording_state(id, matches!(what, Event::Began { .. }));
        if let Event::Failed(reason) = &what {
            self.warn_of_recording(id, reason);
        }
        if matches!(what, Event::Began { .. }) {
            return;
        }
        if !self.streams.stream(id).is_live() {
            self.release(id);
        } else if let Some(tap) = self
            .recordings
            .as_mut()
            .and_then(|recordings| recordings.taps.get_mut(&id))
        {
            // The newer publisher may leave before any of its chunks goes out, where the disk is too slow: the
            // recording thread must answer to that too, or the stream would be kept for ever.
            tap.is_live = true;
        }
    }

    fn send_recording_state(&mut self, id: StreamId, on: bool) {
        self.send_to_viewers(id, &ToViewer::Recording { on });
        self.queue_audience(id);
        let broadcast = self.streams.broadcast(id);
        if let Some(publisher) = broadcast.and_then(Broadcast::publisher) {
            self.send_to_publisher(publisher, &[ToPublisher::Recording { on }]);
        }
    }

    fn warn_of_recording(&mut self, id: StreamId, reason: &str) {
        let broadcast = self.streams.broadcast(id);
        let Some(publisher) = broadcast.and_then(Broadcast::publisher) else {
            return;
        };
        let message = format!(
            "The recording has stopped: {reason}. The stream goes on. The next try is in a minute."
        );
        let code = "recording".to_owned();
        self.send_to_publisher(publisher, &[ToPublisher::Warning { code, message }]);
    }

    /// Records a stream, or no longer, because its publisher says so.
    pub(super) fn set_recording(&mut self, name: &StreamName, on: bool) -> Result<(), Refusal> {
        if self.recordings.is_none() {
            let reason = "this server does not record: start it with --record DIR";
            return Err(Refusal::new(409, reason));
        }
        if self.send_errand(name.as_str(), Errand::Record(on)) {
            return Ok(());
        }
        let Some(recordings) = &mut self.recordings else {
            return Ok(());
        };
        let id = self.streams.find(name.as_str()).ok_or_else(not_live)?;
        let name = self.streams.stream(id).name().clone();
        if on && !self.streams.stream(id).is_live() {
            return Err(not_live());
        }
        recordings.wishes.insert(name, on);
        self.record_stream(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
