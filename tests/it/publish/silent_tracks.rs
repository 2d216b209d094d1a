//! The promise: the server does not wait for a track without blocks, and warns its publisher.

use crate::common::http::Http;
use crate::common::media::{Sample, path};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use bytes::{Bytes, BytesMut};
use std::time::{Duration, Instant};
use videostream::webm::{ClusterWriter, Placement};

fn read(name: &str) -> Bytes {
    std::fs::read(path(name)).unwrap().into()
}

#[test]
fn silent_publishers_first_picture_is_shown_after_a_second() {
    let server = Server::start();
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    let started = Instant::now();
    // A keyframe and some frames, and then nothing: sound was promised.
    publisher.send(&read("audio-track-without-blocks").slice(..9000));
    viewer.watch(1);
    let waited = started.elapsed();
    assert!(waited > Duration::from_millis(900), "{waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let init = viewer.texts.iter().find(|text| text["type"] == "init");
    assert_eq!(init.unwrap()["mime"], r#"video/webm;codecs="vp8""#);

    let warning = publisher.client.text("warning");
    assert_eq!(warning["code"], "tracks");
    let message = warning["message"].as_str().unwrap();
    assert!(
        message.starts_with("Track 2 (audio, opus) sends nothing"),
        "{message}"
    );
}

#[test]
fn silent_track_is_not_waited_for_again_in_the_next_recording() {
    let server = Server::start();
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    let recording = read("audio-track-without-blocks");
    publisher.send(&recording);
    // The viewer begins at the newest keyframe, the last of the 16 blocks.
    viewer.watch(1);
    for times in 1..4 {
        let started = Instant::now();
        publisher.send(&recording);
        viewer.watch(1 + 16 * times);
        let waited = started.elapsed();
        assert!(waited < Duration::from_millis(700), "{waited:?}");
    }
    let inits = viewer.texts.iter().filter(|text| text["type"] == "init");
    assert_eq!(inits.count(), 1);
}

#[test]
fn timestamp_step_is_warned_and_counted() {
    let server = Server::start();
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send(&read("timestamps-back-60s"));
    let warning = publisher.client.text("warning");
    assert_eq!(warning["code"], "timestamps");
    let mut http = Http::open(&server);
    let metrics = String::from_utf8(http.get("/metrics").body.to_vec()).unwrap();
    let line = "videostream_timestamp_steps_total 1";
    assert!(metrics.lines().any(|other| other == line), "{metrics}");
}

#[test]
fn last_blocks_of_a_silent_publisher_are_shown_in_half_a_second() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let keyframe = sample.keyframes()[0];
    let mut blocks = sample.blocks[keyframe..keyframe + 20].to_vec();
    let video = sample.recording.video();
    // As a file that writes its tracks apart: 200 ms of picture, then the sound of that time.
    let begin_ms = blocks[0].timestamp_ms;
    blocks.sort_by_key(|block| {
        let is_sound = Some(block.track) != video;
        ((block.timestamp_ms - begin_ms) / 200, is_sound)
    });
    let mut out = BytesMut::from(&sample.recording.init_segment()[..]);
    let mut writer = ClusterWriter::new();
    for block in &blocks {
        let at_ms = block.timestamp_ms.unsigned_abs();
        let placement = Placement {
            track_number: block.track as u8 + 1,
            timestamp_ms: at_ms,
            opens_cluster: false,
        };
        writer.write(&mut out, &block.element, placement);
    }
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    let started = Instant::now();
    publisher.send(&out.freeze());
    viewer.watch(20);
    let waited = started.elapsed();
    assert!(waited > Duration::from_millis(450), "{waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}
