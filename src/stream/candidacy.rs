//! What a publisher has sent before it goes on air.

use super::Stream;
use super::tracks::{OnAir, WAIT_MS_MAX};
use crate::webm::{Block, Recording};

/// What a candidate will begin with. Holds one recording's head and one block, each within its limit:
/// nothing can be decoded before the first keyframe, and nothing behind it is read yet.
#[derive(Debug, Default)]
pub struct Candidacy {
    tracks: Option<OnAir>,
    /// Whether blocks of the picture came that nothing can be decoded from.
    has_passed_over: bool,
    /// When the first sound came of a recording that has a picture, too, by the catalog's clock.
    sound_since_ms: Option<u64>,
    /// The first block that is passed on.
    first: Option<Block>,
}

impl Candidacy {
    /// A recording begins: what came of the one before it does not count.
    pub fn begin(&mut self, recording: Recording, stream: &Stream) {
        let viewed = stream.init().map(|init| &init.recording);
        *self = Candidacy {
            tracks: Some(OnAir::new(recording, viewed)),
            ..Candidacy::default()
        };
    }

    /// Takes the next block. A keyframe of the picture is the first, or sound where there is no picture.
    /// One that is declared and sends nothing is waited for as long as on air.
    pub fn take(&mut self, block: Block, now_ms: u64) {
        let Some(tracks) = &self.tracks else {
            return;
        };
        if tracks.opens(&block) {
            self.first = Some(block);
        } else if tracks.is_preferred_sound(block.track) {
            let since_ms = *self.sound_since_ms.get_or_insert(now_ms);
            if !self.has_passed_over && now_ms.saturating_sub(since_ms) >= WAIT_MS_MAX {
                self.first = Some(block);
            }
        } else {
            self.has_passed_over = true;
        }
    }

    pub fn is_ready(&self) -> bool {
        self.first.is_some()
    }

    /// Whether its blocks come, but no keyframe is among them.
    pub fn wants_keyframe(&self) -> bool {
        self.has_passed_over && !self.is_ready()
    }

    /// Bytes of memory that it takes.
    pub fn held_bytes(&self) -> usize {
        let tracks = self.tracks.as_ref();
        let head = tracks.map_or(0, |tracks| tracks.declared().memory());
        let first = self.first.as_ref();
        head + first.map_or(0, |block| block.element.bytes.len())
    }

    /// What it begins with, if it is ready.
    pub fn into_first(self) -> Option<(Recording, Block)> {
        Some((self.tracks?.into_declared(), self.first?))
    }
}
