//! What a publisher has sent before it goes on air.

use super::tracks::{OnAir, WAIT_MS_MAX};
use crate::webm::Block;

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
    pub fn begin(&mut self, tracks: OnAir) {
        *self = Candidacy {
            tracks: Some(tracks),
            ..Candidacy::default()
        };
    }

    /// Takes the next block. A keyframe of the picture is the first, or sound where there is no picture.
    /// One that is declared and sends nothing is waited for as long as on air.
    pub fn take(&mut self, block: Block, now_ms: u64) {
        let Some(tracks) = &mut self.tracks else {
            return;
        };
        let is_sound = tracks.is_preferred_sound(block.track);
        let is_awaited = match is_sound && !self.has_passed_over {
            true => {
                let since_ms = *self.sound_since_ms.get_or_insert(now_ms);
                now_ms.saturating_sub(since_ms) < WAIT_MS_MAX
            }
            false => true,
        };
        if tracks.opens(&block) || !is_awaited {
            self.first = Some(block);
            return;
        }
        tracks.note(&block, now_ms);
        self.has_passed_over |= !is_sound;
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
        let head = self.tracks.as_ref().map_or(0, OnAir::held_bytes);
        let first = self.first.as_ref();
        head + first.map_or(0, |block| block.element.bytes.len())
    }

    /// What it begins with, if it is ready: its tracks, with what has come of them, and its first block.
    pub fn into_first(self) -> Option<(OnAir, Block)> {
        Some((self.tracks?, self.first?))
    }
}

#[cfg(test)]
mod tests {
    use crate::stream::{Ingest, Limits, Stream};
    use bytes::Bytes;
    use std::sync::Arc;

    /// A recording of VP8 as track 1 and Opus as track 2, and these blocks: track, milliseconds, frame.
    fn recording(blocks: &[(u8, u8, u8)]) -> Bytes {
        let mut bytes =
            b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x9f\
            \xae\x8d\xd7\x81\x01\x83\x81\x01\x86\x85V_VP8\
            \xae\x8e\xd7\x81\x02\x83\x81\x02\x86\x86A_OPUS\
            \x1f\x43\xb6\x75\xff\xe7\x81\x00"
                .to_vec();
        for &(track, ms, frame) in blocks {
            bytes.extend([0xa3, 0x85, 0x80 | track, 0, ms, 0x80, frame]);
        }
        bytes.into()
    }

    const SOUND: u8 = b'8';
    /// Of VP8, bit 0 of the first byte is set where a frame needs another.
    const KEYFRAME: u8 = 0;
    const DELTA: u8 = 1;

    #[test]
    fn sound_before_the_first_keyframe_counts_as_come() {
        let mut stream = Stream::new(Arc::from("demo"), Limits::default());
        let mut ingest = Ingest::candidate(Limits::default());
        let blocks = [(2, 0, SOUND), (1, 1, KEYFRAME), (1, 34, DELTA)];
        let mut work = crate::work::Work::unlimited();
        ingest.give(recording(&blocks));
        ingest.work(&mut stream, &mut work).unwrap();
        assert!(ingest.is_ready() && ingest.has_input());
        stream.go_live();
        ingest.go_on_air(&mut stream);
        ingest.work(&mut stream, &mut work).unwrap();
        ingest.close_chunk(&mut stream);
        // Nothing is waited for: the init segment names both.
        let init = stream.init().expect("an init segment");
        assert_eq!(&*init.mime, "video/webm;codecs=\"vp8,opus\"");
    }

    #[test]
    fn sound_alone_goes_on_air_when_its_picture_has_not_come_for_a_second() {
        let mut stream = Stream::new(Arc::from("demo"), Limits::default());
        let mut ingest = Ingest::candidate(Limits::default());
        let mut work = crate::work::Work::unlimited();
        ingest.give(recording(&[(2, 0, SOUND)]));
        ingest.work(&mut stream, &mut work).unwrap();
        for (now_ms, is_ready) in [(999, false), (1000, true)] {
            stream.now_ms = now_ms;
            ingest.give(Bytes::from_static(&[0xa3, 0x85, 0x82, 0, 100, 0x80, SOUND]));
            ingest.work(&mut stream, &mut work).unwrap();
            assert_eq!(ingest.is_ready(), is_ready, "{now_ms}");
        }
        stream.go_live();
        ingest.go_on_air(&mut stream);
        let init = stream.init().expect("an init segment");
        assert_eq!(&*init.mime, "audio/webm;codecs=\"opus\"");
    }

    #[test]
    fn delta_frames_keep_a_candidate_waiting_however_long_there_is_sound() {
        let mut stream = Stream::new(Arc::from("demo"), Limits::default());
        let mut ingest = Ingest::candidate(Limits::default());
        let mut work = crate::work::Work::unlimited();
        ingest.give(recording(&[(2, 0, SOUND), (1, 1, DELTA)]));
        ingest.work(&mut stream, &mut work).unwrap();
        stream.now_ms = 5000;
        ingest.give(Bytes::from_static(&[0xa3, 0x85, 0x82, 0, 100, 0x80, SOUND]));
        ingest.work(&mut stream, &mut work).unwrap();
        assert!(!ingest.is_ready() && ingest.wants_keyframe());
    }
}
