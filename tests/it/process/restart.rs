//! The promise: viewers stay when a publisher starts anew. With the same tracks they see one stream
//! that continues, with other tracks a new stream in its place.

use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use bytes::Bytes;

/// One viewer of each kind.
struct Audience {
    told: Viewer,
    plain: Viewer,
    chunked: HttpViewer,
    ancient: HttpViewer,
}

impl Audience {
    fn of(server: &Server) -> Audience {
        Audience {
            told: Viewer::v1(server, "demo"),
            plain: Viewer::plain(server, "demo"),
            chunked: HttpViewer::open(server, "demo"),
            ancient: HttpViewer::open_1_0(server, "demo"),
        }
    }

    fn watch(&mut self, frames: usize) {
        self.told.watch(frames);
        self.plain.watch(frames);
        self.chunked.watch(frames);
        self.ancient.watch(frames);
    }

    /// All have one stream of one init segment, with these samples' frames and no gap between.
    fn assert_one_stream(&self, parts: &[&[(videostream::webm::TrackKind, Bytes)]]) {
        for screen in [
            &self.told.screen,
            &self.plain.screen,
            &self.chunked.screen,
            &self.ancient.screen,
        ] {
            assert_frames(&screen.frames(), &parts.concat());
            assert_eq!(screen.inits, 1);
            assert!(screen.largest_step_ms() <= 100, "a gap");
        }
    }
}

/// Publishes a recording before the eyes of all.
fn publish(publisher: &mut Publisher, sample: &Sample, audience: &mut Audience) {
    publisher.open_stream(sample);
    audience.watch(1);
    publisher.go_on(sample);
}

/// Two recordings of one recorder; the order of their tracks differs.
fn twins() -> [Sample; 2] {
    ["chromium-restart-1", "chromium-restart-2"].map(Sample::read)
}

#[test]
fn second_recording_in_the_same_connection_goes_on() {
    let server = Server::start();
    let [first, second] = twins();
    let mut audience = Audience::of(&server);
    let mut publisher = Publisher::open(&server, "demo");
    publish(&mut publisher, &first, &mut audience);
    publisher.send_all(&second.chunks);
    let parts = [first.all_frames(), second.all_frames()];
    audience.watch(parts.concat().len());
    audience.assert_one_stream(&[&parts[0], &parts[1]]);
    assert_eq!(audience.told.told(), ["hello", "hello", "init"]);
    let report = server.report("demo").unwrap();
    assert_eq!(report["publisher_restarts"], 1);
}

#[test]
fn publisher_that_comes_back_goes_on() {
    let server = Server::start();
    let [first, second] = twins();
    let mut audience = Audience::of(&server);
    let mut publisher = Publisher::open(&server, "demo");
    publish(&mut publisher, &first, &mut audience);
    publisher.finish();
    audience.told.text("offline");
    assert_eq!(server.report("demo").unwrap()["live"], false);

    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&second.chunks);
    let parts = [first.all_frames(), second.all_frames()];
    audience.watch(parts.concat().len());
    audience.assert_one_stream(&[&parts[0], &parts[1]]);
    let told = audience.told.told();
    assert_eq!(told.iter().filter(|told| **told == "offline").count(), 1);
    assert_eq!(told.iter().filter(|told| **told == "hello").count(), 3);
}

#[test]
fn publisher_lost_in_the_middle_of_a_block_leaves_no_part_of_it() {
    let server = Server::start();
    let [first, second] = twins();
    let mut audience = Audience::of(&server);
    let mut publisher = Publisher::open(&server, "demo");
    let cut = first.end_of(&first.blocks[60]) - 5;
    publisher.open_stream(&first);
    audience.watch(1);
    publisher.send(&first.bytes.slice(first.opening()..cut));
    let parts = [first.frames(first.shown(cut)), second.all_frames()];
    audience.watch(parts[0].len());
    drop(publisher);
    audience.told.text("offline");

    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&second.chunks);
    audience.watch(parts.concat().len());
    audience.assert_one_stream(&[&parts[0], &parts[1]]);
}

#[test]
fn other_tracks_are_a_new_stream() {
    let server = Server::start();
    let before = Sample::read("chromium-vp8-opus-100ms");
    let after = Sample::read("chromium-vp8-only-100ms");
    let mut audience = Audience::of(&server);
    let mut publisher = Publisher::open(&server, "demo");
    publish(&mut publisher, &before, &mut audience);
    let count = before.all_frames().len();
    // In the same connection, before any viewer could watch.
    publisher.send_all(&after.chunks);

    assert_eq!(audience.plain.closed().0, 1000);
    audience.chunked.watch_to_end();
    audience.ancient.watch_to_end();
    for screen in [
        &audience.plain.screen,
        &audience.chunked.screen,
        &audience.ancient.screen,
    ] {
        assert_frames(&screen.frames(), &before.all_frames());
    }
    let told = &mut audience.told;
    told.watch(count + after.all_frames().len());
    let frames = [before.all_frames(), after.all_frames()].concat();
    assert_frames(&told.screen.frames(), &frames);
    assert_eq!(told.screen.inits, 2);
    assert_eq!(told.told(), ["hello", "hello", "init", "init"]);
    let inits = [&told.texts[2], &told.texts[3]];
    assert_eq!(
        (&inits[0]["generation"], &inits[1]["generation"]),
        (&1.into(), &2.into())
    );
    assert_eq!(inits[0]["mime"], before.recording.mime());
    assert_eq!(inits[1]["mime"], after.recording.mime());

    // A viewer that reconnects or joins now gets the new stream alone.
    let mut again = HttpViewer::open(&server, "demo");
    let gop = after.newest_gop(after.bytes.len());
    again.watch(gop.len());
    assert_frames(&again.screen.frames(), &after.frames(gop));
}

#[test]
fn slow_viewer_gets_the_type_of_each_recording_in_order() {
    let server = Server::start();
    let names = [
        "chromium-vp8-only-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-opus-only-100ms",
    ];
    let samples = names.map(Sample::read);
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&samples[0]);
    viewer.watch(1);
    // One message: the viewer is behind by two recordings when its turn comes.
    let all = samples.iter().flat_map(|sample| sample.bytes.to_vec());
    let rest: Bytes = all.skip(samples[0].opening()).collect();
    publisher.send(&rest);
    viewer.watch(samples.iter().map(|sample| sample.all_frames().len()).sum());
    let inits: Vec<_> = viewer
        .texts
        .iter()
        .filter(|text| text["type"] == "init")
        .map(|text| text["mime"].as_str().unwrap())
        .collect();
    assert_eq!(inits, samples.map(|sample| sample.recording.mime()));
}

#[test]
fn viewer_between_two_publishers_waits_for_the_second() {
    let server = Server::start();
    let [first, second] = twins();
    let mut early = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&first.chunks);
    publisher.finish();
    early.text("offline");

    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    assert_eq!(told.texts[0]["live"], false);
    server.report_when("demo", |report| report["viewers"] == 3);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&second);
    told.watch(1);
    chunked.watch(1);
    publisher.go_on(&second);
    let all = second.all_frames();
    told.watch(all.len());
    chunked.watch(all.len());
    assert_frames(&told.screen.frames(), &all);
    assert_frames(&chunked.screen.frames(), &all);
}
