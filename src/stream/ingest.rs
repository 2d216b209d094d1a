//! One publisher's way in: its bytes become chunks in the ring.

use super::candidacy::Candidacy;
use super::chunker::{Chunker, Placed};
use super::interleave::Interleaver;
use super::opening::Opening;
use super::tracks::OnAir;
use super::trail::Trail;
use super::warning::{Warning, Warnings};
use super::{Anchor, Limits, Stream};
use crate::webm::{Block, Event, Placement, Segmenter, Track, TrackKind, WebmError};
use crate::work::{self, Work};
use bytes::Bytes;
use std::mem;

/// Cuts a publisher's bytes and adds them to its stream.
///
/// All at once with `Ingest::push`; or a turn's work at a time: [`Ingest::give`], then
/// [`Ingest::work`] until nothing is left, with [`Ingest::close_chunk`] at the end of each turn.
///
/// That of a candidate leaves the stream alone until [`Ingest::is_ready`]: then
/// [`Ingest::go_on_air`] adds what it has, and all that follows.
#[derive(Debug)]
pub struct Ingest {
    /// Of a candidate, what it will begin with; `None` on air.
    candidacy: Option<Candidacy>,
    segmenter: Segmenter,
    interleaver: Interleaver,
    /// The recording's tracks; `None` before the first.
    on_air: Option<OnAir>,
    opening: Opening,
    /// Whether the recording's first keyframe has come.
    has_begun: bool,
    warnings: Warnings,
    /// How often time was anchored anew within a recording.
    time_steps: u64,
    /// Work done since it was last paid for.
    spent: u64,
    chunker: Chunker,
    /// `None` unless asked for.
    trail: Option<Box<Trail>>,
    /// Whether all tracks that a recording declares have sent before.
    is_trusting: bool,
}

impl Ingest {
    /// Adds to its stream from the first byte.
    pub fn new(limits: Limits) -> Ingest {
        Ingest {
            candidacy: None,
            segmenter: Segmenter::new(limits.webm),
            interleaver: Interleaver::default(),
            on_air: None,
            opening: Opening::default(),
            has_begun: false,
            warnings: Warnings::default(),
            time_steps: 0,
            spent: 0,
            chunker: Chunker::default(),
            trail: None,
            is_trusting: false,
        }
    }

    /// The same, of what another node has on air: no track is waited for.
    pub fn trusting(self) -> Ingest {
        Ingest {
            is_trusting: true,
            ..self
        }
    }

    /// The same, and it notes where its bytes can be joined.
    pub fn with_trail(self) -> Ingest {
        Ingest {
            trail: Some(Box::default()),
            ..self
        }
    }

    /// Where its bytes can be joined, if it was asked to note that.
    pub fn trail(&self) -> Option<&Trail> {
        self.trail.as_deref()
    }

    /// The next bytes begin with an EBML header, whatever came before them. An element that is not
    /// whole is dropped, and so is an error.
    pub fn restart(&mut self, limits: Limits) {
        self.segmenter = Segmenter::new(limits.webm);
        if let Some(trail) = &mut self.trail {
            **trail = Trail::default();
        }
    }

    /// Leaves its stream alone until it goes on air.
    pub fn candidate(limits: Limits) -> Ingest {
        Ingest {
            candidacy: Some(Candidacy::default()),
            ..Ingest::new(limits)
        }
    }

    /// Whether it has not gone on air.
    pub fn is_candidate(&self) -> bool {
        self.candidacy.is_some()
    }

    /// Whether a candidate has its first media: an init segment and one block that is passed on.
    pub fn is_ready(&self) -> bool {
        self.candidacy.as_ref().is_some_and(Candidacy::is_ready)
    }

    /// Whether a candidate's blocks come, but no keyframe is among them.
    pub fn wants_keyframe(&self) -> bool {
        let candidacy = self.candidacy.as_ref();
        candidacy.is_some_and(Candidacy::wants_keyframe)
    }

    /// A candidate that is ready adds what it has to `stream`, which is live with it by now. Input
    /// that is left waits for [`Ingest::work`].
    pub fn go_on_air(&mut self, stream: &mut Stream) {
        let Some((tracks, block)) = self.candidacy.take().and_then(Candidacy::into_first) else {
            return;
        };
        // Another may have gone on air since the recording began.
        let viewed = stream.init().map(|init| &init.recording);
        self.begin(tracks.viewed_with(viewed), stream);
        self.take(block, stream);
        self.close_chunk(stream);
    }

    /// Adds the publisher's next bytes to `stream`: every block whose last byte is there goes
    /// into the ring at once. On an error, all that was whole before it has gone in.
    #[cfg(any(test, feature = "testing"))]
    pub fn push(&mut self, bytes: Bytes, stream: &mut Stream) -> Result<(), WebmError> {
        self.give(bytes);
        let result = self.work(stream, &mut Work::unlimited());
        self.close_chunk(stream);
        result
    }

    /// Takes the publisher's next bytes, to be worked on. There must be no input left.
    pub fn give(&mut self, bytes: Bytes) {
        self.segmenter.push(bytes);
    }

    /// Whether bytes that were given wait for more work.
    pub fn has_input(&self) -> bool {
        self.segmenter.has_input()
    }

    /// Works on the bytes that were given, until none are left or `work` is spent. Where it stops
    /// changes nothing but where chunks end. After an error nothing is left.
    pub fn work(&mut self, stream: &mut Stream, work: &mut Work) -> Result<(), WebmError> {
        while !self.is_ready()
            && let Some(event) = self.segmenter.poll_within(work)?
        {
            self.take_event(event, stream);
            work.spend(mem::take(&mut self.spent));
        }
        Ok(())
    }

    /// Bytes of memory that it takes for what is not in the ring yet.
    pub fn held_bytes(&self) -> usize {
        self.segmenter.held_bytes()
            + self.interleaver.waiting_bytes()
            + self.opening.byte_len()
            + self.on_air.as_ref().map_or(0, OnAir::held_bytes)
            + self.candidacy.as_ref().map_or(0, Candidacy::held_bytes)
    }

    /// No more bytes are coming. Viewers never see a block that is not whole; the publisher may want to
    /// know. A publisher that stops in the middle of a file, behind a whole block, has ended well.
    pub fn finish(&self) -> Result<(), WebmError> {
        if self.segmenter.is_between_blocks() {
            Ok(())
        } else {
            Err(WebmError::BrokenOff {
                offset: self.segmenter.received(),
            })
        }
    }

    fn take_event(&mut self, event: Event, stream: &mut Stream) {
        if let Some(trail) = &mut self.trail {
            trail.note(&event);
        }
        match event {
            Event::Recording(recording) => {
                let tracks = recording.tracks.iter();
                let private: usize = tracks.map(|track| track.codec_private.len()).sum();
                self.spent += work::RECORDING + private as u64 * work::BYTE_OF_CHILDREN;
                let viewed = stream.init().map(|init| &init.recording);
                let tracks = OnAir::new(recording, viewed);
                match &mut self.candidacy {
                    Some(candidacy) => candidacy.begin(tracks),
                    None => self.begin(tracks, stream),
                }
            }
            Event::Block(block) => {
                self.spent += work::BLOCK;
                match &mut self.candidacy {
                    Some(candidacy) => candidacy.take(block, stream.now_ms),
                    None => self.take(block, stream),
                }
            }
            Event::Cluster(_) | Event::Stray { .. } => {}
        }
    }

    /// The recording is over, or its publisher gone: what waited for other tracks goes out.
    pub fn flush(&mut self, stream: &mut Stream) {
        if !self.opening.is_empty() {
            self.open(stream);
        }
        while let Some(block) = self.interleaver.poll_rest() {
            self.add(block, stream);
        }
        self.close_chunk(stream);
    }

    /// When [`Ingest::tick`] has something to do, by the catalog's clock.
    pub fn deadline_ms(&self) -> Option<u64> {
        let on_air = self.on_air.as_ref();
        let opening_ms = if self.opening.is_empty() {
            None
        } else {
            on_air.and_then(OnAir::deadline_ms)
        };
        let waiting_ms = self.interleaver.deadline_ms();
        opening_ms.into_iter().chain(waiting_ms).min()
    }

    /// Time has passed: what has waited for other tracks for long enough goes out.
    pub fn tick(&mut self, stream: &mut Stream, work: &mut Work) {
        let is_settled = |on_air: &OnAir| on_air.is_settled(stream.now_ms);
        if !self.opening.is_empty() && self.on_air.as_ref().is_some_and(is_settled) {
            self.open(stream);
        }
        while let Some(block) = self.interleaver.poll_overdue(stream.now_ms) {
            self.spent += work::BLOCK;
            self.add(block, stream);
        }
        self.close_chunk(stream);
        work.spend(work::CHUNK + mem::take(&mut self.spent));
    }

    /// The next thing that the publisher should hear.
    pub fn poll_warning(&mut self) -> Option<Warning> {
        self.warnings.poll()
    }

    /// How often time was anchored anew since this was asked last.
    pub fn take_time_steps(&mut self) -> u64 {
        mem::take(&mut self.time_steps)
    }

    fn begin(&mut self, on_air: OnAir, stream: &mut Stream) {
        self.flush(stream);
        self.interleaver.begin();
        self.has_begun = false;
        self.chunker.begin_recording();
        stream.begin_recording(on_air.declared());
        let viewed = stream.init().map(|init| &init.recording);
        let continued = if self.is_trusting || on_air.continues(viewed) {
            Some(on_air.preferred())
        } else {
            let former = self.on_air.as_ref();
            former.and_then(|former| on_air.without_silent(former, viewed))
        };
        self.on_air = Some(on_air);
        if let Some(tracks) = continued {
            self.set_tracks(&tracks, stream);
        }
    }

    fn take(&mut self, block: Block, stream: &mut Stream) {
        let Some(on_air) = &mut self.on_air else {
            return;
        };
        on_air.note(&block, stream.now_ms);
        if !on_air.is_opening() {
            self.pass(block, stream);
            return;
        }
        let is_settled = on_air.is_settled(stream.now_ms);
        self.opening.push(block);
        if is_settled || self.opening.is_full() {
            self.open(stream);
        }
    }

    /// The tracks that have come go on air, and all that waited for them goes out.
    fn open(&mut self, stream: &mut Stream) {
        let tracks = self.on_air.as_ref().map(OnAir::wanted);
        // None while only tracks have come that nothing plays.
        if let Some(tracks) = tracks.filter(|tracks| !tracks.is_empty()) {
            self.set_tracks(&tracks, stream);
        }
        let blocks = self.opening.take();
        self.spent += blocks.len() as u64 * work::BLOCK;
        for block in blocks {
            self.pass(block, stream);
        }
    }

    fn set_tracks(&mut self, tracks: &[usize], stream: &mut Stream) {
        let Some(on_air) = &mut self.on_air else {
            return;
        };
        let recording = on_air.recording_of(tracks);
        let generation = stream.generation();
        let numbers = stream.set_tracks(&recording);
        on_air.set(tracks, &numbers, stream.generation() > generation);
        let reorders = recording.tracks.iter().any(Track::reorders);
        let is_awaited = |track| on_air.is_interleaved(track);
        let declared = on_air.declared().tracks.len();
        self.interleaver.set_tracks(declared, reorders, is_awaited);
        self.chunker.begin_gop();
        if let Some(message) = on_air.warning() {
            self.warnings.push("tracks", message, stream.now_ms);
        }
    }

    /// Gives a block its place in time, and lets it through when its turn has come.
    fn pass(&mut self, mut block: Block, stream: &mut Stream) {
        let Some(on_air) = &self.on_air else {
            return;
        };
        let opens = on_air.is_join_point(&block) || on_air.plan_from(&block).is_some();
        // Nothing can be decoded before the first keyframe.
        if !on_air.is_wanted(block.track) || !(self.has_begun || opens) {
            return;
        }
        let is_picture = on_air.declared().tracks[block.track].kind == TrackKind::Video;
        self.has_begun = true;
        let now_ms = stream.now_ms;
        let mut anchor = stream
            .timeline
            .anchor(block.track, block.timestamp_ms, now_ms);
        if anchor == Anchor::TooLate {
            self.restart_time(stream);
            if !opens {
                return;
            }
            self.has_begun = true;
            anchor = stream
                .timeline
                .anchor(block.track, block.timestamp_ms, now_ms);
        }
        block.timestamp_ms = match anchor {
            Anchor::At(at_ms) => at_ms,
            Anchor::Anew(at_ms) => {
                self.note_time_step(now_ms);
                at_ms
            }
            Anchor::TooLate => return,
        };
        block.element = block
            .element
            .for_viewers(is_picture.then_some(block.keyframe));
        if let Some(block) = self.interleaver.push(block, now_ms) {
            self.add(block, stream);
        }
        while let Some(block) = self.interleaver.poll() {
            self.add(block, stream);
        }
    }

    fn note_time_step(&mut self, now_ms: u64) {
        self.time_steps += 1;
        let message = "The timestamps jumped. Viewers see no gap. Check the recorder's clock.";
        self.warnings.push("timestamps", message, now_ms);
    }

    /// Time has run out: it begins anew with the next keyframe, and a new init segment.
    fn restart_time(&mut self, stream: &mut Stream) {
        while let Some(block) = self.interleaver.poll_rest() {
            self.add(block, stream);
        }
        self.close_chunk(stream);
        if let Some(on_air) = &mut self.on_air {
            let tracks = on_air.on_air();
            let recording = on_air.recording_of(&tracks);
            on_air.set(&tracks, &stream.restart_time(&recording), true);
        }
        self.has_begun = false;
        self.chunker.begin_gop();
        self.note_time_step(stream.now_ms);
    }

    fn add(&mut self, block: Block, stream: &mut Stream) {
        let Some(on_air) = &self.on_air else {
            return;
        };
        if let Some(plan) = on_air.plan_from(&block).map(<[usize]>::to_vec) {
            self.close_chunk(stream);
            self.set_tracks(&plan, stream);
        }
        let Some(on_air) = &self.on_air else {
            return;
        };
        let Some(track_number) = on_air.number(block.track) else {
            return;
        };
        let timestamp_ms = stream.timeline.place(block.timestamp_ms);
        let has_video = on_air.video().is_some();
        let opens_gop =
            on_air.is_join_point(&block) && self.chunker.opens_gop(has_video, timestamp_ms);
        let placed = Placed {
            block,
            placement: Placement {
                track_number,
                timestamp_ms,
                opens_cluster: opens_gop,
            },
        };
        if self.chunker.push(placed, stream) {
            self.spent += work::CHUNK;
        }
    }

    /// Puts the waiting blocks into the ring as one chunk.
    pub fn close_chunk(&mut self, stream: &mut Stream) {
        self.chunker.close(stream);
    }
}

#[cfg(test)]
mod tests;
