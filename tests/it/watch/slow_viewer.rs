//! The promise: a viewer that is too slow skips to the newest GOP, and neither the other viewers
//! nor the server's memory feel it.

use crate::common::eventually;
use crate::common::http::{Http, connect_narrow};
use crate::common::media::{Sample, Screen};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Heard, Publisher};
use std::time::Duration;
use videostream::webm::TrackKind;
use videostream::websocket::SUBPROTOCOL;

const RING_BYTES: u64 = 512 << 10;
const SMALL_RING: [&str; 4] = ["--block-bytes", "64KiB", "--ring-bytes", "512KiB"];
/// Only the ring decides who is too slow, however long a test takes.
const ANY_LAG: [&str; 2] = ["--max-lag", "1h"];

/// A stream with one viewer who sees everything, and whose publisher never tires.
struct OnAir {
    fast: Viewer,
    publisher: Publisher,
    sample: Sample,
    rounds: usize,
    server: Server,
}

impl OnAir {
    fn new(options: &[&str]) -> OnAir {
        let server = Server::with(&[&SMALL_RING, options].concat());
        let sample = Sample::read("chromium-vp8-opus-100ms");
        let mut fast = Viewer::v1(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        fast.watch(1);
        publisher.go_on(&sample);
        fast.watch(sample.all_frames().len());
        OnAir {
            fast,
            publisher,
            sample,
            rounds: 1,
            server,
        }
    }

    /// Publishes the recording once more, before the eyes of the fast viewer.
    fn publish(&mut self) {
        self.publisher.send_all(&self.sample.chunks);
        self.rounds += 1;
        self.fast
            .watch(self.rounds * self.sample.all_frames().len());
        let report = self.server.report("demo").unwrap();
        let ring_bytes = report["ring_bytes"].as_u64().unwrap();
        assert!(ring_bytes <= RING_BYTES, "{ring_bytes} in the ring");
    }

    /// Publishes until the ring has overtaken the one viewer who does not read.
    fn overtake(&mut self) {
        let joined_at = self.fast.screen.bytes.len() as u64;
        for _ in 0..200 {
            self.publish();
            let published = self.fast.screen.bytes.len() as u64;
            let sent = self.server.report("demo").unwrap()["sent_bytes"].clone();
            // What is not the fast viewer's is the slow one's.
            let slow = sent.as_u64().unwrap().saturating_sub(published);
            if published - joined_at > slow + 2 * RING_BYTES {
                return;
            }
        }
        panic!("the slow viewer takes everything");
    }

    fn last_ms(&self) -> i64 {
        self.fast.screen.frames.last().unwrap().timestamp_ms
    }

    /// The slow viewer's stream is the fast one's, but for one jump to a keyframe. Returns the
    /// index of the frame it jumped to.
    fn assert_one_jump(&self, slow: &Screen) -> usize {
        let (slow, fast) = (&slow.frames, &self.fast.screen.frames);
        let same = |a: &crate::common::media::Shown, b: &crate::common::media::Shown| {
            (a.timestamp_ms, &a.bytes) == (b.timestamp_ms, &b.bytes)
        };
        let first = fast.iter().position(|frame| same(frame, &slow[0])).unwrap();
        let before = slow
            .iter()
            .zip(&fast[first..])
            .take_while(|(a, b)| same(a, b))
            .count();
        let after = slow.len() - before;
        assert!(after > 0 && first + before < fast.len() - after, "no jump");
        let rest = fast[fast.len() - after..].iter();
        assert!(slow[before..].iter().zip(rest).all(|(a, b)| same(a, b)));
        assert!(slow[before].kind == TrackKind::Video && slow[before].keyframe);
        before
    }

    fn assert_all_seen_by_the_fast(&self) {
        let all = self.sample.all_frames();
        let frames = self.fast.screen.frames();
        assert!(frames.chunks(all.len()).all(|round| round == all));
        assert_eq!(frames.len(), self.rounds * all.len());
        assert!(!self.fast.told().contains(&"skip"));
    }
}

#[test]
fn overtaken_viewer_is_told_and_goes_on_with_the_newest_gop() {
    let mut on_air = OnAir::new(&ANY_LAG);
    let stream = connect_narrow(on_air.server.address);
    let mut slow = Viewer::on(stream, &on_air.server, "demo", &[SUBPROTOCOL]);
    slow.watch(1);
    on_air.overtake();
    assert_eq!(on_air.server.report("demo").unwrap()["skips"], 0);

    // It reads again.
    while !slow.told().contains(&"skip") {
        slow.hear();
    }
    let before = slow.screen.frames.len();
    on_air.publish();
    while slow.screen.frames.last().unwrap().timestamp_ms < on_air.last_ms() {
        assert!(matches!(slow.hear(), Heard::Text(_) | Heard::Media(_)));
    }
    on_air.assert_all_seen_by_the_fast();
    assert_eq!(on_air.assert_one_jump(&slow.screen), before);
    assert_eq!(slow.screen.inits, 1);
    let skips: Vec<_> = slow
        .texts
        .iter()
        .filter(|text| text["type"] == "skip")
        .collect();
    assert_eq!(skips.len(), 1);
    let frames = &slow.screen.frames;
    assert_eq!(skips[0]["to_ms"], frames[before].timestamp_ms);
    assert!(skips[0]["from_ms"].as_i64().unwrap() <= frames[before - 1].timestamp_ms);
    assert_eq!(on_air.server.report("demo").unwrap()["skips"], 1);
}

#[test]
fn overtaken_plain_viewer_gets_a_valid_stream() {
    let mut on_air = OnAir::new(&ANY_LAG);
    let stream = connect_narrow(on_air.server.address);
    let mut slow = Viewer::on(stream, &on_air.server, "demo", &[]);
    slow.watch(1);
    on_air.overtake();
    while slow.screen.frames.last().unwrap().timestamp_ms < on_air.last_ms() {
        assert!(matches!(slow.hear(), Heard::Media(_)));
    }
    on_air.assert_all_seen_by_the_fast();
    on_air.assert_one_jump(&slow.screen);
    assert_eq!(on_air.server.report("demo").unwrap()["skips"], 1);
}

#[test]
fn overtaken_http_viewer_gets_a_valid_stream() {
    let mut on_air = OnAir::new(&ANY_LAG);
    let mut http = Http::from_stream(connect_narrow(on_air.server.address), &on_air.server);
    http.ask("GET", "/live/demo.webm", &[]);
    let mut slow = HttpViewer::new(http);
    slow.watch(1);
    on_air.overtake();
    while slow.screen.frames.last().unwrap().timestamp_ms < on_air.last_ms() {
        assert!(slow.take());
    }
    on_air.assert_all_seen_by_the_fast();
    on_air.assert_one_jump(&slow.screen);
    assert_eq!(on_air.server.report("demo").unwrap()["skips"], 1);
}

#[test]
fn viewer_skips_media_older_than_max_lag_that_the_ring_still_has() {
    let lag = Duration::from_millis(100);
    let options = ["--max-lag", "100ms", "--viewer-buffer", "16KiB"];
    let mut on_air = OnAir::new(&options);
    let stream = connect_narrow(on_air.server.address);
    let mut slow = Viewer::on(stream, &on_air.server, "demo", &[SUBPROTOCOL]);
    slow.watch(1);
    // More than the kernel holds for it, and less than the ring does.
    on_air.publish();
    std::thread::sleep(2 * lag);
    on_air.publish();
    let report = on_air.server.report("demo").unwrap();
    assert!(report["ring_bytes"].as_u64().unwrap() < RING_BYTES);
    while !slow.told().contains(&"skip") {
        slow.hear();
    }
    let before = slow.screen.frames.len();
    while slow.screen.frames.last().unwrap().timestamp_ms < on_air.last_ms() {
        assert!(matches!(slow.hear(), Heard::Text(_) | Heard::Media(_)));
    }
    on_air.assert_all_seen_by_the_fast();
    assert_eq!(on_air.assert_one_jump(&slow.screen), before);
}

#[test]
fn viewer_that_takes_nothing_for_too_long_is_closed() {
    let mut on_air = OnAir::new(&["--viewer-timeout", "300ms"]);
    let stream = connect_narrow(on_air.server.address);
    let mut stuck = Viewer::on(stream, &on_air.server, "demo", &[]);
    stuck.watch(1);
    // Until it is full it is not stuck: so more is published until it is gone.
    eventually("the stuck viewer is closed", || {
        on_air.publish();
        let report = on_air.server.report("demo").unwrap();
        (report["viewers"] == 1).then_some(())
    });
    on_air.assert_all_seen_by_the_fast();
    let metrics = Http::open(&on_air.server).get("/metrics").text();
    assert!(metrics.contains("viewers_timed_out_total 1\n"), "{metrics}");
}
