//! What a publisher has sent before it goes on air.

use super::tracks::OnAir;
use crate::webm::Block;

/// What a candidate will begin with. Holds one recording's head and one block, each within its limit:
/// nothing can be decoded before the first keyframe, and nothing behind it is read yet.
#[derive(Debug, Default)]
pub struct Candidacy {
    tracks: Option<OnAir>,
    /// Whether blocks of the picture came that nothing can be decoded from.
    has_passed_over: bool,
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

    /// Takes the next block. The first is a keyframe of the picture, or sound where there is no picture.
    /// Tracks that are declared and send nothing are waited for as long as on air.
    pub fn take(&mut self, block: Block, now_ms: u64) {
        let Some(tracks) = &mut self.tracks else {
            return;
        };
        if tracks.opens(&block, now_ms) {
            self.first = Some(block);
            return;
        }
        self.has_passed_over |= tracks.is_picture(block.track);
        tracks.note(&block, now_ms);
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
    fn sound_before_the_first_keyframe_counts_as_received() {
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

    /// A recording of these tracks (1 picture, 2 sound, 17 subtitles), numbered from 1.
    fn recording_of(kinds: &[u8]) -> Vec<u8> {
        let mut bytes =
            b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x16\x54\xae\x6b".to_vec();
        bytes.push(0x80 | (15 * kinds.len() as u8));
        for (kind, number) in kinds.iter().zip(1..) {
            bytes.extend([
                0xae, 0x8d, 0xd7, 0x81, number, 0x83, 0x81, *kind, 0x86, 0x85,
            ]);
            bytes.extend(b"X_ABC");
        }
        bytes.extend(b"\x1f\x43\xb6\x75\xff\xe7\x81\x00");
        bytes
    }

    #[test]
    fn tracks_that_send_nothing_keep_no_candidate_off_air() {
        // What is declared, and the track that sends; a block of subtitles comes before.
        for (kinds, sends) in [
            (&[1, 1][..], 2),
            (&[2, 2], 2),
            (&[1, 2, 2], 3),
            (&[1, 2, 1], 3),
            (&[1, 2, 17], 2),
        ] {
            let mut stream = Stream::new(Arc::from("demo"), Limits::default());
            let mut ingest = Ingest::candidate(Limits::default());
            let mut work = crate::work::Work::unlimited();
            let mut bytes = recording_of(kinds);
            if let Some(subtitles) = kinds.iter().position(|&kind| kind == 17) {
                bytes.extend([0xa3, 0x85, 0x81 + subtitles as u8, 0, 0, 0x80, b'8']);
            }
            ingest.give(bytes.into());
            ingest.work(&mut stream, &mut work).unwrap();
            for (now_ms, is_ready) in [(0, false), (999, false), (1000, true)] {
                stream.now_ms = now_ms;
                ingest.give(vec![0xa3, 0x85, 0x80 | sends, 0, 1, 0x80, b'8'].into());
                ingest.work(&mut stream, &mut work).unwrap();
                assert_eq!(ingest.is_ready(), is_ready, "{kinds:?} after {now_ms} ms");
            }
        }
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
