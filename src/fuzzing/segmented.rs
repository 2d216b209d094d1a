//! What a segmenter made of some bytes.

use crate::webm::{Block, Event, Limits, Recording, Segmenter, TrackKind, WebmError};
use bytes::Bytes;

/// Blocks and bytes of a recording that wait until all tracks have come: the same as in
/// `stream::ingest`.
const OPENING_BLOCKS_MAX: usize = 1024;
const OPENING_BYTES_MAX: usize = 4 << 20;

/// What a segmenter made of some bytes.
#[derive(Debug)]
pub struct Segmented {
    pub events: Vec<Event>,
    pub error: Option<WebmError>,
    pub is_between_elements: bool,
}

impl Segmented {
    /// The frames that each viewer must get while the clock stands still: in each recording, the
    /// frames of the first picture track and the first sound track that have any, from the first
    /// keyframe on. `None` when a track comes so late that the others do not wait for it.
    pub fn playable_frames(&self) -> Option<Vec<Bytes>> {
        let mut viewed: Option<Recording> = None;
        let mut frames = Vec::new();
        let mut events = self.events.iter().peekable();
        while let Some(event) = events.next() {
            let Event::Recording(declared) = event else {
                continue;
            };
            let mut blocks = Vec::new();
            while let Some(event) = events.next_if(|event| !matches!(event, Event::Recording(_))) {
                if let Event::Block(block) = event {
                    blocks.push(block);
                }
            }
            let tracks = on_air(declared, viewed.as_ref(), &blocks)?;
            if tracks.is_empty() {
                continue;
            }
            let selected = select(declared, &tracks);
            let continues = |viewed: &Recording| selected.track_numbers_in(viewed).is_some();
            if !viewed.as_ref().is_some_and(continues) {
                viewed = Some(selected);
            }
            let is_picture = |track: usize| declared.tracks[track].kind == TrackKind::Video;
            let has_picture = tracks.iter().any(|&track| is_picture(track));
            let shown = blocks
                .into_iter()
                .filter(|block| tracks.contains(&block.track));
            let shown = shown
                .skip_while(|block| has_picture && !(is_picture(block.track) && block.keyframe));
            frames.extend(shown.map(|block| Bytes::copy_from_slice(block.element.frame())));
        }
        Some(frames)
    }

    /// # Panics
    ///
    /// When the two are not equal.
    pub fn assert_same(&self, other: &Segmented) {
        assert_eq!(self.error, other.error);
        assert_eq!(self.events.len(), other.events.len());
        for (one, other) in self.events.iter().zip(&other.events) {
            // A sample rate that is not a number does not equal itself.
            let equal = match one {
                Event::Recording(_) => format!("{one:?}") == format!("{other:?}"),
                _ => one == other,
            };
            assert!(equal, "{one:?} is not {other:?}");
        }
        if self.error.is_none() {
            assert_eq!(self.is_between_elements, other.is_between_elements);
        }
    }
}

/// Segments bytes that come in `pieces`, up to their end or the first error.
pub fn segment(limits: Limits, pieces: impl IntoIterator<Item = Bytes>) -> Segmented {
    let mut segmenter = Segmenter::new(limits);
    let mut events = Vec::new();
    let mut error = None;
    let mut received = 0;
    for piece in pieces {
        received += piece.len() as u64;
        segmenter.push(piece);
        loop {
            match segmenter.poll() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(poll_error) => {
                    error = Some(poll_error);
                    break;
                }
            }
        }
        if error.is_some() {
            break;
        }
        assert_eq!(segmenter.received(), received);
    }
    Segmented {
        events,
        error,
        is_between_elements: segmenter.is_between_elements(),
    }
}

fn select(declared: &Recording, tracks: &[usize]) -> Recording {
    let mut selected = declared.clone();
    selected.tracks = tracks
        .iter()
        .map(|&track| declared.tracks[track].clone())
        .collect();
    selected
}

/// The tracks of a recording that go on air; `None` when one more came too late for it.
fn on_air(
    declared: &Recording,
    viewed: Option<&Recording>,
    blocks: &[&Block],
) -> Option<Vec<usize>> {
    let kinds = [TrackKind::Video, TrackKind::Audio];
    let kind_of = |track: usize| declared.tracks[track].kind;
    let of_kind =
        |kind: TrackKind| (0..declared.tracks.len()).filter(move |&track| kind_of(track) == kind);
    // Nothing waits for subtitles and metadata.
    let others = of_kind(TrackKind::Subtitle).chain(of_kind(TrackKind::Other(0x21)));
    let others: Vec<usize> = others.collect();
    let with_others = |tracks: Vec<usize>| {
        let mut all = [&tracks[..], &others].concat();
        all.sort_unstable();
        all
    };
    let known = |kind: TrackKind| {
        let known = viewed?.tracks.iter().find(|track| track.kind == kind)?;
        of_kind(kind).find(|&track| declared.tracks[track].continues(known))
    };
    let first = kinds.into_iter();
    let first = first.filter_map(|kind| known(kind).or_else(|| of_kind(kind).next()));
    let first: Vec<usize> = first.collect();
    let all = with_others(first.clone());
    if viewed.is_some_and(|viewed| select(declared, &all).track_numbers_in(viewed).is_some()) {
        return Some(all);
    }
    let counts = |blocks: &[&Block]| {
        let mut counts = vec![0; declared.tracks.len()];
        blocks.iter().for_each(|block| counts[block.track] += 1);
        counts
    };
    // How many blocks come until nothing is waited for.
    let mut end = blocks.len();
    let (mut counted, mut waiting, mut bytes) = (counts(&[]), 0, 0);
    for (block, number) in blocks.iter().zip(1..) {
        counted[block.track] += 1;
        waiting += 1;
        bytes += block.element.bytes.len();
        let has_come = |&track: &usize| {
            let is_timed = declared.tracks[track].default_duration_ns.is_some();
            let needs_two = kind_of(track) == TrackKind::Video && !is_timed;
            counted[track] > usize::from(needs_two)
        };
        let is_full = waiting > OPENING_BLOCKS_MAX || bytes > OPENING_BYTES_MAX;
        if is_full || first.iter().all(has_come) {
            let mut played = kinds.into_iter().flat_map(of_kind);
            if played.any(|track| counted[track] > 0) || !others.is_empty() {
                end = number;
                break;
            }
            (waiting, bytes) = (0, 0);
        }
    }
    let chosen = |counts: Vec<usize>| {
        let has_come = |track: &usize| counts[*track] > 0;
        let of_kind = |kind: TrackKind| {
            let mut first = first.iter().copied().filter(has_come);
            first
                .find(|&track| kind_of(track) == kind)
                .or_else(|| of_kind(kind).find(has_come))
        };
        with_others(kinds.into_iter().filter_map(of_kind).collect())
    };
    let tracks = chosen(counts(&blocks[..end]));
    let is_all = tracks.len() == chosen(counts(blocks)).len();
    is_all.then_some(tracks)
}
