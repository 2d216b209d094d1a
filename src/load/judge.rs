//! Judges what one viewer receives: would it play?
//!
//! - The init segment comes first, and again only when it was announced.
//! - The first video block, and the first after a skip, is a keyframe.
//! - Time never goes back, unless the codec reorders frames.
//! - Nothing is missing but what a skip announced. With our own stamps every chunk is known by its
//!   number, and its blocks by their count and hashes. Without, time that runs more than a second
//!   ahead of the clock has left something out. An HTTP viewer cannot get the message about a skip:
//!   for it, a Cluster that opens on a keyframe after the gap is one.
//!
//! - At the end, bytes that still come are blocks, and a viewer that had stopped reading is live
//!   again.
//!
//! Pure: bytes and the time come in, [`Findings`] go out.

use bytes::Bytes;

use super::findings::Findings;
use super::stamp::{Stamp, Tally, is_stamped};
use crate::webm::{Block, Event, Limits, Recording, Segmenter, Track};
use crate::websocket::messages::ToViewer;

/// How far media time may run ahead of the clock: a publisher that was held up for so long catches
/// up.
const AHEAD_MS_MAX: i64 = 1000;

/// At the end, a viewer that woke before so long has to have had something new, and one to which
/// bytes come, a block.
const PATIENCE_NS: u64 = 3_000_000_000;

#[derive(Debug)]
pub(super) struct Judge {
    segmenter: Segmenter,
    /// Whether skips and init segments are announced to it.
    is_v1: bool,
    run: Option<u64>,
    /// Whether delays count: not for one that reads late on purpose.
    is_timely: bool,
    tracks: Option<Tracks>,
    /// The next video block must be a keyframe.
    expects_keyframe: bool,
    /// An init segment was announced and has not come.
    expects_init: bool,
    /// A skip was announced, and no block has come since.
    is_skipping: bool,
    /// A Cluster has begun since the last block; since the last stamp, one with a keyframe.
    is_cluster_new: bool,
    is_gop_new: bool,
    /// Timestamp of the last block, and when it came.
    last: Option<(i64, u64)>,
    last_stamp: Option<Stamp>,
    /// Blocks since then.
    received: Tally,
    /// When the first byte of media came: stamps from before that are the backlog's.
    joined_ns: Option<u64>,
    /// When the newest byte of media came.
    received_ns: u64,
    /// When it read on after it had stopped.
    woke_ns: Option<u64>,
    /// Whether something has come that is newer than that.
    is_back: bool,
    /// The bytes are no WebM: there is nothing left to judge.
    is_broken: bool,
}

/// What the judge needs to know of a recording.
#[derive(Debug, Clone, Copy)]
struct Tracks {
    video: Option<usize>,
    stamps: Option<usize>,
    reorders: bool,
}

impl Judge {
    pub fn new(is_v1: bool, run: Option<u64>, is_timely: bool) -> Judge {
        Judge {
            segmenter: Segmenter::new(Limits::default()),
            is_v1,
            run,
            is_timely,
            tracks: None,
            expects_keyframe: true,
            expects_init: false,
            is_skipping: false,
            is_cluster_new: false,
            is_gop_new: false,
            last: None,
            last_stamp: None,
            received: Tally::default(),
            joined_ns: None,
            received_ns: 0,
            woke_ns: None,
            is_back: false,
            is_broken: false,
        }
    }

    /// A text message of `videostream.v1`.
    pub fn text(&mut self, text: &str, findings: &mut Findings) {
        match ToViewer::parse(text) {
            Some(ToViewer::Init { .. }) => self.expects_init = true,
            Some(ToViewer::Skip { .. }) => {
                findings.skips += 1;
                self.is_skipping = true;
                self.expects_keyframe = true;
                self.last_stamp = None;
            }
            // The publisher that comes next begins with a keyframe, and in its own time.
            Some(ToViewer::Offline { .. }) => {
                self.expects_keyframe = true;
                self.is_back = true;
            }
            // Late media are judged by when they come.
            Some(ToViewer::Stalled { .. } | ToViewer::Resumed) => {}
            Some(
                ToViewer::Hello { .. } | ToViewer::Viewers { .. } | ToViewer::Recording { .. },
            )
            | None => {}
        }
    }

    /// The next bytes of the stream, which came at `now_ns`.
    pub fn media(&mut self, bytes: Bytes, now_ns: u64, findings: &mut Findings) {
        self.joined_ns.get_or_insert(now_ns);
        self.received_ns = now_ns;
        if self.is_broken {
            return;
        }
        self.segmenter.push(bytes);
        loop {
            match self.segmenter.poll() {
                Ok(Some(Event::Recording(recording))) => self.begin(&recording, findings),
                Ok(Some(Event::Cluster(_))) => self.is_cluster_new = true,
                Ok(Some(Event::Block(block))) => self.judge(&block, now_ns, findings),
                Ok(Some(Event::Stray {
                    offset,
                    track_number,
                })) => {
                    findings.fault(format!(
                        "a block of unknown track {track_number} at byte {offset}"
                    ));
                }
                Ok(None) => return,
                Err(error) => {
                    self.is_broken = true;
                    findings.fault(error.to_string());
                    return;
                }
            }
        }
    }

    /// It had stopped reading, and reads on.
    pub fn wake(&mut self, now_ns: u64) {
        self.woke_ns = Some(now_ns);
    }

    /// Whether it woke, and then, whether it is live again.
    pub fn is_back(&self) -> Option<bool> {
        self.woke_ns.map(|_| self.is_back)
    }

    /// The test ends: what has not come?
    pub fn end(&self, now_ns: u64, findings: &mut Findings) {
        let Some(last_ns) = self.last.map(|(_, last_ns)| last_ns) else {
            return;
        };
        if let Some(woke_ns) = self.woke_ns
            && !self.is_back
            && now_ns > woke_ns + PATIENCE_NS
        {
            findings.fault("it read on, and nothing new has come since".into());
        } else if !self.is_broken && self.received_ns > last_ns + PATIENCE_NS {
            findings.fault("bytes come, but no more blocks".into());
        }
    }

    fn begin(&mut self, recording: &Recording, findings: &mut Findings) {
        let is_announced = std::mem::take(&mut self.expects_init);
        if self.is_v1 && !is_announced {
            findings.fault("an init segment that was not announced".into());
        } else if !self.is_v1 && self.tracks.is_some() {
            findings.fault(format!(
                "a second init segment at byte {}",
                recording.offset
            ));
        }
        self.tracks = Some(Tracks {
            video: recording.video(),
            stamps: recording.tracks.iter().position(is_stamped),
            reorders: recording.tracks.iter().any(Track::reorders),
        });
        self.expects_keyframe = true;
    }

    fn judge(&mut self, block: &Block, now_ns: u64, findings: &mut Findings) {
        // The segmenter gives no block before its recording.
        let Some(tracks) = self.tracks else { return };
        let ms = block.timestamp_ms;
        let is_video = tracks.video == Some(block.track);
        let opens_gop = self.is_cluster_new
            && match tracks.video {
                Some(_) => is_video && block.keyframe,
                None => true,
            };
        self.is_cluster_new = false;
        self.is_gop_new |= opens_gop;

        if is_video && std::mem::take(&mut self.expects_keyframe) && !block.keyframe {
            findings.fault(format!("the picture begins at {ms} ms without a keyframe"));
        }
        if let Some((last_ms, _)) = self.last
            && ms < last_ms
            && !tracks.reorders
        {
            findings.fault(format!("time goes back from {last_ms} to {ms} ms"));
        }
        let stamp = if tracks.stamps == Some(block.track) {
            Stamp::read(block.element.frame()).filter(|stamp| Some(stamp.run) == self.run)
        } else {
            None
        };
        // Without stamps, what came some time after it woke cannot have waited in its socket.
        let is_new = match (stamp, self.woke_ns) {
            (Some(stamp), Some(woke_ns)) => stamp.sent_ns >= woke_ns,
            (None, Some(woke_ns)) => now_ns > woke_ns + PATIENCE_NS / 3,
            (_, None) => false,
        };
        self.is_back |= is_new;
        match stamp {
            Some(stamp) => self.read_stamp(stamp, ms, now_ns, findings),
            None if self.run.is_some() && tracks.stamps.is_some() => {
                self.received.add(Tally::of(block.element.frame()));
            }
            // The publisher is not ours, or the server does not pass the stamps on.
            None => self.check_gap(ms, now_ns, opens_gop, findings),
        }
        self.is_skipping = false;
        self.last = Some((ms.max(self.last.map_or(ms, |(last_ms, _)| last_ms)), now_ns));
    }

    fn read_stamp(&mut self, stamp: Stamp, ms: i64, now_ns: u64, findings: &mut Findings) {
        let is_gop_new = std::mem::take(&mut self.is_gop_new);
        let received = std::mem::take(&mut self.received);
        if let Some(last) = self.last_stamp.replace(stamp) {
            let (from, to) = (last.sequence, stamp.sequence);
            let sent = stamp.sent.since(last.sent);
            if to == from + 1 && received.blocks != sent.blocks {
                findings.fault(format!(
                    "chunk {to} at {ms} ms came with {} of its {} blocks",
                    received.blocks, sent.blocks
                ));
            } else if to == from + 1 && received != sent {
                findings.fault(format!("chunk {to} at {ms} ms is not what was sent"));
            } else if to != from + 1 && !self.is_v1 && is_gop_new && to > from {
                findings.skips += 1;
            } else if to != from + 1 {
                findings.fault(format!(
                    "chunk {to} follows chunk {from} at {ms} ms, unannounced"
                ));
            }
        }
        let is_backlog = self
            .joined_ns
            .is_none_or(|joined_ns| stamp.sent_ns < joined_ns);
        if self.is_timely && !is_backlog {
            findings.delay(now_ns.saturating_sub(stamp.sent_ns));
        }
    }

    fn check_gap(&mut self, ms: i64, now_ns: u64, opens_gop: bool, findings: &mut Findings) {
        let Some((last_ms, last_ns)) = self.last else {
            return;
        };
        let passed_ms = (now_ns.saturating_sub(last_ns) / 1_000_000) as i64;
        let gap_ms = ms - last_ms;
        if self.is_skipping || gap_ms <= passed_ms + AHEAD_MS_MAX {
            return;
        }
        if !self.is_v1 && opens_gop {
            findings.skips += 1;
        } else {
            findings.fault(format!(
                "{gap_ms} ms are missing before {ms} ms, unannounced"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::clip::Playback;
    use super::super::synthetic;
    use super::*;

    const MS: u64 = 1_000_000;

    /// Chunks of 100 ms, each sent at its time plus 1 s. The first begins with the init segment, each
    /// twentieth with a keyframe.
    fn chunks(count: u64) -> Vec<Bytes> {
        let mut playback = Playback::new(Arc::new(synthetic::clip(500_000)), 9);
        (0..count)
            .map(|n| playback.take(n * 100 + 99, (1000 + n * 100) * MS))
            .collect()
    }

    /// A Cluster at 2 s before a chunk that has none of its own.
    fn in_cluster(chunk: &Bytes) -> Bytes {
        [b"\x1f\x43\xb6\x75\xff\xe7\x82\x07\xd0", &chunk[..]]
            .concat()
            .into()
    }

    /// Where in the first chunk the init segment ends.
    fn init_length(chunk: &Bytes) -> usize {
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(chunk.clone());
        match segmenter.poll() {
            Ok(Some(Event::Recording(recording))) => recording.init_length as usize,
            other => panic!("{other:?}"),
        }
    }

    fn skip() -> String {
        ToViewer::Skip {
            from_ms: 0,
            to_ms: 1,
        }
        .to_json()
    }

    fn init() -> String {
        ToViewer::Init {
            mime: String::new(),
            generation: 1,
            behind_ms: 0,
            backlog: None,
        }
        .to_json()
    }

    /// Chunks that come 5 ms after they were sent.
    fn show(judge: &mut Judge, chunks: &[Bytes], first: u64, findings: &mut Findings) {
        for (n, chunk) in (first..).zip(chunks) {
            judge.media(chunk.clone(), (1000 + n * 100 + 5) * MS, findings);
        }
    }

    #[test]
    fn whole_stream_is_valid_and_yields_delays() {
        let mut findings = Findings::default();
        let mut judge = Judge::new(true, Some(9), true);
        judge.text(&init(), &mut findings);
        show(&mut judge, &chunks(50), 0, &mut findings);
        assert_eq!((findings.invalid, findings.skips), (0, 0), "{findings:?}");
        // The first was sent before it joined.
        assert_eq!(findings.delays.len(), 49);
        let max_ms = findings.delays.percentiles().unwrap().max;
        assert!((4.99..=5.01).contains(&max_ms), "{max_ms}");
    }

    #[test]
    fn a_missing_chunk_is_a_fault_unless_a_skip_was_announced() {
        let all = chunks(50);
        let run = |text: Option<&str>, until: usize, from: usize, is_v1: bool| {
            let mut findings = Findings::default();
            let mut judge = Judge::new(is_v1, Some(9), true);
            judge.text(&init(), &mut findings);
            show(&mut judge, &all[..until], 0, &mut findings);
            if let Some(text) = text {
                judge.text(text, &mut findings);
            }
            let mut rest = all[from..].to_vec();
            if from > 20 {
                rest[0] = in_cluster(&rest[0]);
            }
            show(&mut judge, &rest, from as u64, &mut findings);
            (findings.invalid, findings.skips)
        };
        assert_eq!(run(None, 5, 6, true), (1, 0));
        assert_eq!(run(Some(&skip()), 5, 20, true), (0, 1));
        // It lands in the middle of a GOP.
        assert_eq!(run(Some(&skip()), 5, 21, true), (1, 1));
        // HTTP has no announcements: a jump to a keyframe is a skip, any other a hole.
        assert_eq!(run(None, 5, 20, false), (0, 1));
        assert_eq!(run(None, 5, 21, false), (1, 0));
    }

    /// The faults of a stream whose sixth chunk is not what was sent.
    fn faults_of(mend: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<String> {
        let mut all = chunks(60);
        all[5] = mend(all[5].to_vec()).into();
        let mut findings = Findings::default();
        let mut judge = Judge::new(false, Some(9), true);
        show(&mut judge, &all, 0, &mut findings);
        findings.reasons.invalid
    }

    #[test]
    fn a_block_that_is_missing_twice_there_or_changed_is_a_fault() {
        assert_eq!(faults_of(|chunk| chunk), Vec::<String>::new());
        // The first block of a chunk: ID, four bytes of size, payload.
        let first = |chunk: &[u8]| {
            let size = u32::from_be_bytes([chunk[1], chunk[2], chunk[3], chunk[4]]);
            5 + (size & 0x0fff_ffff) as usize
        };
        let missing = faults_of(|chunk| chunk[first(&chunk)..].to_vec());
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].starts_with("chunk 5 at ") && missing[0].contains(" came with "));
        let twice = faults_of(|chunk| [&chunk[..first(&chunk)], &chunk].concat());
        assert!(
            twice[0].contains(" came with 9 of its 8 blocks"),
            "{twice:?}"
        );
        let changed = faults_of(|mut chunk| {
            let at = first(&chunk) - 1;
            chunk[at] ^= 1;
            chunk
        });
        assert!(changed[0].ends_with(" is not what was sent"), "{changed:?}");
        let cut = faults_of(|chunk| chunk[..chunk.len() / 2].to_vec());
        assert!(!cut.is_empty());
    }

    #[test]
    fn woken_viewer_is_back_only_at_the_live_edge() {
        let all = chunks(60);
        // It has read five chunks, sleeps to 3 s, and then gets these.
        let run = |rest: std::ops::Range<usize>, until_ms: u64| {
            let mut findings = Findings::default();
            let mut judge = Judge::new(true, Some(9), false);
            judge.text(&init(), &mut findings);
            show(&mut judge, &all[..5], 0, &mut findings);
            assert_eq!(judge.is_back(), None);
            judge.wake(3000 * MS);
            if rest.start > 5 {
                judge.text(&skip(), &mut findings);
            }
            for n in rest {
                let chunk = match n {
                    20 | 40 => all[n].clone(),
                    _ => in_cluster(&all[n]),
                };
                judge.media(chunk, 3001.max(1005 + n as u64 * 100) * MS, &mut findings);
            }
            judge.end(until_ms * MS, &mut findings);
            (judge.is_back(), findings.reasons.invalid)
        };
        // Chunk 20 was sent when it woke.
        assert_eq!(run(20..22, 9000), (Some(true), Vec::new()));
        let lost = "it read on, and nothing new has come since";
        assert_eq!(run(5..8, 9000), (Some(false), vec![lost.to_owned()]));
        assert_eq!(run(5..8, 5000), (Some(false), Vec::new()));
        let (is_back, faults) = run(25..27, 9000);
        assert!(is_back == Some(true) && faults.len() == 1, "{faults:?}");
        assert!(faults[0].ends_with("without a keyframe"), "{faults:?}");
    }

    #[test]
    fn bytes_without_blocks_are_a_fault() {
        let mut findings = Findings::default();
        let mut judge = Judge::new(false, None, true);
        show(&mut judge, &chunks(5), 0, &mut findings);
        // A Void element that never ends.
        judge.media(
            Bytes::from_static(b"\xec\x18\0\0\0"),
            1500 * MS,
            &mut findings,
        );
        judge.media(Bytes::from_static(&[0; 1000]), 9000 * MS, &mut findings);
        judge.end(9000 * MS, &mut findings);
        assert_eq!(findings.reasons.invalid, ["bytes come, but no more blocks"]);
    }

    #[test]
    fn missing_stamps_are_replaced_by_the_clock() {
        let mut findings = Findings::default();
        let mut judge = Judge::new(false, Some(9), true);
        // Its codec, as another server might leave it out.
        let codec = b"D_WEBVTT/METADATA";
        let mut first = chunks(1)[0].to_vec();
        let at = first.windows(codec.len()).position(|part| part == codec);
        first[at.unwrap()] = b'X';
        judge.media(first.into(), 1000 * MS, &mut findings);
        judge.media(chunks(20)[19].clone(), 1100 * MS, &mut findings);
        assert!(
            findings.reasons.invalid[0].contains(" ms are missing before "),
            "{findings:?}"
        );
    }

    #[test]
    fn stream_of_another_publisher_is_judged_by_the_clock() {
        let all = chunks(80);
        let run = |from: usize, is_v1: bool| {
            let mut findings = Findings::default();
            let mut judge = Judge::new(is_v1, None, true);
            judge.text(&init(), &mut findings);
            show(&mut judge, &all[..5], 0, &mut findings);
            // Right behind the last.
            let first = match from {
                21..40 => in_cluster(&all[from]),
                _ => all[from].clone(),
            };
            judge.media(first, 1406 * MS, &mut findings);
            (findings.invalid, findings.skips, findings.delays.len())
        };
        assert_eq!(run(5, true), (0, 0, 0));
        assert_eq!(run(20, true), (1, 0, 0));
        assert_eq!(run(20, false), (0, 1, 0));
        assert_eq!(run(25, false), (1, 0, 0));
        // A publisher that was away so long is no hole.
        let mut findings = Findings::default();
        let mut judge = Judge::new(true, None, true);
        judge.text(&init(), &mut findings);
        show(&mut judge, &all[..5], 0, &mut findings);
        show(&mut judge, &all[40..], 40, &mut findings);
        assert_eq!(findings.invalid, 0, "{findings:?}");
    }

    #[test]
    fn a_stream_that_does_not_begin_as_one_is_invalid() {
        let all = chunks(3);
        let init_length = init_length(&all[0]);
        let faults = |first: Bytes, is_announced: bool| {
            let mut findings = Findings::default();
            let mut judge = Judge::new(is_announced, None, true);
            if is_announced {
                judge.text(&init(), &mut findings);
            }
            judge.media(first, 0, &mut findings);
            findings.reasons.invalid
        };
        assert_eq!(faults(all[0].clone(), true), Vec::<String>::new());
        let missing = faults(all[0].slice(init_length..), false);
        assert_eq!(missing, ["not WebM: expected EBML header at byte 0"]);
        let cluster = b"\x1f\x43\xb6\x75\xff\xe7\x81\x00";
        let mid_gop = [&all[0][..init_length], cluster, &all[1]].concat();
        let mid_gop = faults(mid_gop.into(), false);
        assert_eq!(mid_gop, ["the picture begins at 100 ms without a keyframe"]);
        let twice = [&all[0][..], &all[0]].concat();
        assert!(faults(twice.into(), false)[0].starts_with("a second init segment"));
    }

    #[test]
    fn time_that_goes_back_is_a_fault() {
        let all = chunks(45);
        let mut findings = Findings::default();
        let mut judge = Judge::new(false, None, true);
        show(&mut judge, &all[..45], 0, &mut findings);
        // Opens a Cluster of its own.
        judge.media(all[20].clone(), 99_999 * MS, &mut findings);
        assert!(
            findings.reasons.invalid[0].starts_with("time goes back from 44"),
            "{findings:?}"
        );
    }
}
