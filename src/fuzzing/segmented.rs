//! What a segmenter made of some bytes.

use crate::webm::{Event, Limits, Recording, Segmenter, WebmError};
use bytes::Bytes;

/// Milliseconds, some 50 days. A recording that claims more is only asked not to panic: several
/// of them, one after the other, leave what [`Segmenter`] takes for a time.
const TIMESTAMP_MS_MAX: i64 = 1 << 32;

/// What a segmenter made of some bytes.
#[derive(Debug)]
pub struct Segmented {
    pub events: Vec<Event>,
    pub error: Option<WebmError>,
    pub is_between_elements: bool,
}

impl Segmented {
    /// The frames that viewers are promised: in each recording, those from its first keyframe on.
    pub fn playable_frames(&self) -> Vec<Bytes> {
        let mut viewed: Option<&Recording> = None;
        let mut video = None;
        let mut has_begun = false;
        let mut frames = Vec::new();
        for event in &self.events {
            match event {
                Event::Recording(recording) => {
                    let continued = viewed
                        .and_then(|viewed| Some((recording.track_numbers_in(viewed)?, viewed)));
                    video = match continued {
                        // The track that viewers know as their video, wherever it stands now.
                        Some((numbers, viewed)) => viewed.video().and_then(|video| {
                            numbers
                                .iter()
                                .position(|&number| usize::from(number) == video + 1)
                        }),
                        None => {
                            viewed = Some(recording);
                            recording.video()
                        }
                    };
                    has_begun = false;
                }
                Event::Block(block) => {
                    has_begun |= video.is_none_or(|video| block.track == video && block.keyframe);
                    if has_begun {
                        frames.push(Bytes::copy_from_slice(block.element.frame()));
                    }
                }
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        frames
    }

    /// Whether viewers can be given all of it at times that [`Segmenter`] takes.
    pub fn is_in_time(&self) -> bool {
        self.events.iter().all(|event| match event {
            Event::Block(block) => block.timestamp_ms.abs() < TIMESTAMP_MS_MAX,
            _ => true,
        })
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
