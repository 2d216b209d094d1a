//! The recorder with files in memory and a time that tests set.

use super::growing::{From, GrowingFiles, Reach, ReadAt};
use super::orders::{Event, News, Order, What};
use super::recorder::Ledger;
use super::recorder::apart;
use super::recorder::{Files, Now, Recorder};
use super::{Gauge, Pace};
use crate::stream::{Chunk, ChunkKind, Ingest, Limits, Stream};
use crate::webm::file::memory::{Faults, MemoryFile};
use crate::webm::file::{CutOff, cut_off};
use crate::webm::{self, DocType, Recording, Segmenter};
use bytes::Bytes;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

#[derive(Clone, Default)]
struct Shelf {
    files: Rc<RefCell<Vec<(String, MemoryFile)>>>,
    /// Of the files that come next.
    faults: Rc<RefCell<Faults>>,
}

impl Files for Shelf {
    type File = MemoryFile;

    fn create(
        &mut self,
        stream: &str,
        _: SystemTime,
        doc_type: DocType,
    ) -> io::Result<(MemoryFile, String)> {
        let file = MemoryFile::default();
        file.set_faults(*self.faults.borrow());
        let mut files = self.files.borrow_mut();
        let name = format!("{stream}-{}.{}", files.len() + 1, doc_type.as_str());
        files.push((name.clone(), file.clone()));
        Ok((file, name))
    }

    fn reader(&self, _: &str, name: &str) -> io::Result<Box<dyn ReadAt>> {
        let files = self.files.borrow();
        let found = files.iter().find(|(of, _)| of == name);
        let (_, file) = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(file.clone()))
    }
}

impl Shelf {
    fn file(&self, index: usize) -> MemoryFile {
        self.files.borrow()[index].1.clone()
    }

    fn len(&self) -> usize {
        self.files.borrow().len()
    }

    /// The times of all blocks of a file, which must be finished.
    fn times(&self, index: usize) -> Vec<i64> {
        let file = self.file(index);
        assert!(matches!(cut_off(file.clone()).unwrap(), CutOff::Finished));
        let mut segmenter = Segmenter::new(webm::Limits::default());
        segmenter.push(file.bytes().into());
        let mut times = Vec::new();
        while let Some(event) = segmenter.poll().unwrap() {
            if let webm::Event::Block(block) = event {
                times.push(block.timestamp_ms);
            }
        }
        assert!(segmenter.is_between_elements());
        times
    }
}

struct Desk {
    recorder: Recorder<Shelf>,
    shelf: Shelf,
    gauge: Gauge,
    growing: GrowingFiles,
    recording: Recording,
    chunks: Vec<Chunk>,
    start: Instant,
    now_ms: u64,
}

const PACE: Pace = Pace {
    grace: Duration::from_secs(30),
    sync: Duration::from_secs(1),
};

const BEGAN: Event = Event::Began {
    came_ms: 0,
    generation: 1,
};

impl Desk {
    fn new(pace: Pace) -> Desk {
        let (shelf, ledger) = (Shelf::default(), Ledger::default());
        let path = "tests/data/chromium-vp8-opus-100ms.webm";
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let mut stream = Stream::new(Arc::from("demo"), Limits::default());
        let mut ingest = Ingest::new(Limits::default());
        stream.go_live();
        for piece in bytes.chunks(1500) {
            let piece = Bytes::copy_from_slice(piece);
            ingest.push(piece, &mut stream).unwrap();
        }
        let ring = stream.ring();
        let chunks = (ring.oldest()..ring.live_edge()).filter_map(|at| ring.chunk(at));
        let chunks = chunks.filter(|chunk| chunk.kind != ChunkKind::Init);
        Desk {
            recorder: Recorder::new(shelf.clone(), pace, ledger.clone()),
            growing: ledger.growing,
            shelf,
            gauge: ledger.gauge,
            recording: stream.init().unwrap().recording.clone(),
            chunks: chunks.cloned().collect(),
            start: Instant::now(),
            now_ms: 0,
        }
    }

    fn now(&self) -> Now {
        Now {
            now: self.start + Duration::from_millis(self.now_ms),
            wall: SystemTime::UNIX_EPOCH,
        }
    }

    fn order(&mut self, stream: &str, what: What) {
        if let What::Chunk(chunk) = &what {
            self.gauge.queue(chunk.framed.memory() as u64);
        }
        let stream = Arc::from(stream);
        let now = self.now();
        self.recorder.take(Order { stream, what }, now);
    }

    fn begin(&mut self, stream: &str) {
        let tracks = Box::new(self.recording.clone());
        self.order(stream, What::Tracks(tracks));
    }

    fn send(&mut self, stream: &str, chunks: std::ops::Range<usize>) {
        let chunks = self.chunks[chunks].to_vec();
        for chunk in chunks {
            self.order(stream, What::Chunk(chunk));
        }
        self.tend();
    }

    fn tend(&mut self) {
        let now = self.now();
        self.recorder.tend(now);
    }

    fn news(&mut self) -> Vec<Event> {
        let recorder = &mut self.recorder;
        std::iter::from_fn(|| recorder.poll_news())
            .map(|News { what, .. }| what)
            .collect()
    }

    /// Indices of the chunks that begin with a keyframe.
    fn join_points(&self) -> Vec<usize> {
        let chunks = self.chunks.iter().enumerate();
        chunks
            .filter(|(_, chunk)| chunk.kind == ChunkKind::JoinPoint)
            .map(|(index, _)| index)
            .collect()
    }
}

#[test]
fn publisher_that_returns_within_the_grace_goes_on_in_the_same_file() {
    let mut desk = Desk::new(PACE);
    let all = desk.chunks.len();
    let middle = desk.join_points()[1];
    desk.begin("demo");
    desk.send("demo", 0..middle);
    desk.order("demo", What::Left);
    desk.now_ms = 29_999;
    desk.tend();
    desk.send("demo", middle..all);
    desk.order("demo", What::Left);
    desk.now_ms += 29_999;
    desk.tend();
    assert_eq!(desk.news(), [BEGAN]);
    desk.now_ms += 1;
    let wake = desk.recorder.next_wake();
    assert_eq!(wake, Some(desk.now().now));
    desk.tend();
    let news = desk.news();
    assert!(matches!(&news[..], [Event::Ended { .. }]), "{news:?}");
    // It comes again later: another file, whose time begins at 0.
    desk.send("demo", middle..all);
    desk.order("demo", What::End);
    assert_eq!(desk.shelf.len(), 2);
    let (first, second) = (desk.shelf.times(0), desk.shelf.times(1));
    assert_eq!((first[0], second[0]), (0, 0));
    assert!(second.len() < first.len());
    assert_eq!(desk.gauge.queued_bytes(), 0);
    assert!(desk.gauge.written_bytes() > 0);
}

#[test]
fn other_tracks_are_another_file() {
    let mut desk = Desk::new(PACE);
    desk.begin("demo");
    desk.send("demo", 0..5);
    desk.begin("demo");
    desk.send("demo", 0..5);
    desk.recorder.finish_all(desk.now());
    assert_eq!(desk.shelf.len(), 2);
    assert_eq!(desk.shelf.times(0), desk.shelf.times(1));
}

#[test]
fn file_is_synced_each_second_and_only_when_it_has_grown() {
    let mut desk = Desk::new(PACE);
    desk.begin("demo");
    let mut most_unsynced_ms = 0;
    let mut unsynced_since = Some(0);
    for index in 0..desk.chunks.len() {
        desk.send("demo", index..index + 1);
        let before = desk.shelf.file(0).syncs();
        // As the thread sleeps: until the next chunk, or what is due.
        for _ in 0..10 {
            desk.now_ms += 10;
            unsynced_since.get_or_insert(desk.now_ms);
            if desk
                .recorder
                .next_wake()
                .is_some_and(|at| at <= desk.now().now)
            {
                desk.tend();
            }
        }
        if desk.shelf.file(0).syncs() > before {
            unsynced_since = None;
        }
        let since = unsynced_since.unwrap_or(desk.now_ms);
        most_unsynced_ms = most_unsynced_ms.max(desk.now_ms - since);
    }
    assert!(most_unsynced_ms <= 1000, "{most_unsynced_ms}");
    desk.now_ms += 2000;
    desk.tend();
    let syncs = desk.shelf.file(0).syncs();
    let seconds = desk.chunks.len() / 10;
    assert!((seconds - 1..=seconds + 2).contains(&syncs), "{syncs}");
    desk.now_ms += 60_000;
    assert_eq!(desk.recorder.next_wake(), None);
    desk.tend();
    assert_eq!(desk.shelf.file(0).syncs(), syncs);

    let mut lazy = Desk::new(Pace {
        sync: Duration::ZERO,
        ..PACE
    });
    lazy.begin("demo");
    lazy.send("demo", 0..20);
    assert_eq!(lazy.recorder.next_wake(), None);
    assert_eq!(lazy.shelf.file(0).syncs(), 0);
}

#[test]
fn full_disk_ends_the_recording_and_is_tried_again_a_minute_later() {
    let mut desk = Desk::new(PACE);
    let all = desk.chunks.len();
    *desk.shelf.faults.borrow_mut() = Faults {
        room: Some(50_000),
        ..Faults::default()
    };
    desk.begin("demo");
    desk.begin("other");
    for index in 0..all {
        desk.send("demo", index..index + 1);
    }
    let news = desk.news();
    let [BEGAN, Event::Failed(reason), Event::Ended { .. }] = &news[..] else {
        panic!("{news:?}");
    };
    assert_eq!(reason, "the disk is full");
    assert!(!desk.shelf.times(0).is_empty());
    *desk.shelf.faults.borrow_mut() = Faults::default();
    let join_points = desk.join_points();
    desk.now_ms = 59_999;
    desk.send("demo", 0..all);
    assert_eq!((desk.shelf.len(), desk.gauge.queued_bytes()), (1, 0));
    // From the next keyframe on.
    desk.now_ms = 60_000;
    desk.send("demo", 1..all);
    desk.order("demo", What::End);
    assert_eq!(desk.shelf.len(), 2);
    let expected = desk.chunks[join_points[1]].timestamp_ms;
    let before = desk.chunks[0].timestamp_ms;
    assert!(expected > before);
    assert_eq!(desk.shelf.times(1)[0], 0);
}

#[test]
fn broken_disk_is_told_and_costs_one_stream_alone() {
    let mut desk = Desk::new(PACE);
    *desk.shelf.faults.borrow_mut() = Faults {
        calls: Some(6),
        ..Faults::default()
    };
    desk.begin("demo");
    desk.send("demo", 0..1);
    *desk.shelf.faults.borrow_mut() = Faults::default();
    desk.begin("other");
    for index in 0..20 {
        desk.send("demo", index..index + 1);
        desk.send("other", index..index + 1);
    }
    desk.order("other", What::End);
    assert!(!desk.shelf.times(1).is_empty());
    let news = desk.news();
    let failures = news
        .iter()
        .filter(|event| matches!(event, Event::Failed(_)));
    assert_eq!(failures.count(), 1, "{news:?}");
    // What was written is a recording once the disk works again.
    let file = desk.shelf.file(0);
    file.set_faults(Faults::default());
    let CutOff::Unfinished { writer, .. } = cut_off(file).unwrap() else {
        panic!("nothing was written");
    };
    writer.finish().unwrap();
    assert!(!desk.shelf.times(0).is_empty());
}

#[test]
fn publisher_that_leaves_without_an_open_file_is_told_of() {
    let mut desk = Desk::new(PACE);
    desk.begin("demo");
    desk.order("demo", What::Left);
    assert_eq!(desk.news(), [Event::Idle]);
    // A chunk that no decoder can start with begins no file.
    desk.send("demo", 1..2);
    assert_eq!(desk.shelf.len(), 0);
}

/// Reads the growing recording from here to its end. Returns its chunks, and where the gaps are.
fn read_growing(desk: &Desk, from: From, ring_oldest: u64) -> (Vec<Chunk>, Option<u64>) {
    let (mut from, mut chunks) = (from, Vec::new());
    loop {
        let reach = desk.growing.read("demo", &from, ring_oldest);
        let Reach::Stretch(stretch) = reach else {
            panic!("{reach:?}");
        };
        chunks.extend(stretch.chunks);
        if stretch.follows.is_some() {
            return (chunks, stretch.follows);
        }
        from = From::Place(stretch.rest);
    }
}

fn payload(chunks: &[Chunk]) -> Vec<u8> {
    let payloads = chunks.iter().map(|chunk| chunk.framed.payload());
    payloads.fold(Vec::new(), |all, payload| [&all[..], &payload].concat())
}

fn assert_same(got: &[Chunk], expected: &[Chunk]) {
    let (got, expected) = (payload(got), payload(expected));
    let differs = got
        .iter()
        .zip(&expected)
        .position(|(one, other)| one != other);
    assert_eq!((got.len(), differs), (expected.len(), None));
}

#[test]
fn growing_recording_is_read_as_the_ring_had_it_from_any_chunk_to_any() {
    let mut desk = Desk::new(PACE);
    desk.begin("demo");
    let all = desk.chunks.len();
    assert!(matches!(
        desk.growing.read("demo", &From::Came(0), 0),
        Reach::Gone
    ));
    desk.send("demo", 0..all);
    let end = desk.chunks[all - 1].sequence + 1;
    for first in 0..all {
        let from = From::Sequence(desk.chunks[first].sequence);
        let (chunks, follows) = read_growing(&desk, from.clone(), u64::MAX);
        assert_same(&chunks, &desk.chunks[first..]);
        assert_eq!(follows, Some(end));
        // Up to what is in the ring.
        let last = first + (all - first).div_ceil(2);
        let in_ring = desk.chunks.get(last).map_or(end, |chunk| chunk.sequence);
        let (chunks, follows) = read_growing(&desk, from, in_ring);
        assert_eq!(follows, Some(in_ring));
        assert_same(&chunks, &desk.chunks[first..last]);
    }
    assert!(matches!(
        desk.growing.read("demo", &From::Sequence(end), 0),
        Reach::NotYet
    ));
    // One that reads it when it ends reads the rest.
    let middle = desk.chunks[all / 2].sequence;
    let reach = desk.growing.read("demo", &From::Sequence(1), middle);
    let Reach::Stretch(stretch) = reach else {
        panic!("{reach:?}");
    };
    desk.order("demo", What::End);
    let (chunks, follows) = read_growing(&desk, From::Place(stretch.rest), u64::MAX);
    assert_same(&chunks, &desk.chunks[all / 2..]);
    assert_eq!(follows, Some(end));
    let over = desk.growing.read("demo", &From::Sequence(1), 0);
    assert!(matches!(over, Reach::Gone));
}

#[test]
fn growing_recording_ends_a_stretch_where_chunks_are_missing() {
    let mut desk = Desk::new(PACE);
    desk.begin("demo");
    let (all, joins) = (desk.chunks.len(), desk.join_points());
    let (gone, back) = (joins[1] - 3, joins[1]);
    desk.send("demo", 0..gone);
    desk.send("demo", back..all);
    let (chunks, follows) = read_growing(&desk, From::Sequence(desk.chunks[0].sequence), u64::MAX);
    assert_same(&chunks, &desk.chunks[..gone]);
    assert_eq!(follows, Some(desk.chunks[gone].sequence));
    // One that has come there goes on behind the gap, and is told.
    let from = From::Sequence(desk.chunks[0].sequence);
    let Reach::Stretch(stretch) = desk.growing.read("demo", &from, u64::MAX) else {
        panic!("there is more");
    };
    let rest = From::Place(stretch.rest);
    let Reach::Stretch(stretch) = desk.growing.read("demo", &rest, u64::MAX) else {
        panic!("there is more");
    };
    assert_eq!(stretch.missed, 3);
    // What is missing is asked for: it goes on with the next join point.
    let from = From::Sequence(desk.chunks[gone].sequence);
    let (chunks, _) = read_growing(&desk, from, u64::MAX);
    assert_same(&chunks, &desk.chunks[back..]);
}

#[test]
fn what_is_read_came_when_the_chunk_there_came_however_far_clock_and_timestamps_have_drifted() {
    let mut desk = Desk::new(PACE);
    for chunk in &mut desk.chunks {
        chunk.came_ms = 10 * chunk.timestamp_ms;
    }
    desk.begin("demo");
    let all = desk.chunks.len();
    desk.send("demo", 0..all);
    let (chunks, _) = read_growing(&desk, From::Came(0), u64::MAX);
    let (last, newest) = (&chunks[chunks.len() - 1], &desk.chunks[all - 1]);
    let off_ms = newest.came_ms.abs_diff(last.came_ms);
    assert!(
        off_ms < newest.came_ms / 2,
        "{off_ms} of {}",
        newest.came_ms
    );
}

#[test]
fn recordings_that_begin_together_have_times_of_their_own() {
    let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    assert_eq!(apart(at(1000), at(1000)), at(1001));
    assert_eq!(apart(at(1004), at(1000)), at(1005));
    assert_eq!(apart(at(1000), at(1001)), at(1001));
    // The clock was set back.
    assert_eq!(apart(at(100_000), at(1000)), at(1000));
}
