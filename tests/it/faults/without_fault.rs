//! The promise: ffmpeg and ffprobe find no fault in the stream of any recorder, and every frame in
//! it.

use crate::common::ffmpeg::{Folder, Found, end_viewers};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use videostream::webm::Block;

#[test]
fn recordings_of_browsers_come_out_without_fault() {
    let folder = Folder::new();
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-vp8-only-100ms",
        "chromium-opus-only-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        "ffmpeg-finished",
    ] {
        let server = Server::start();
        let sample = Sample::read(name);
        let mut early = HttpViewer::open(&server, "demo");
        let mut told = Viewer::v1(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        early.watch(1);
        told.watch(1);
        publisher.go_on(&sample);
        early.watch(sample.all_frames().len());
        told.watch(sample.all_frames().len());
        let mut late = HttpViewer::open(&server, "demo");
        let gop = sample.newest_gop(sample.bytes.len());
        late.watch(1);
        publisher.finish();
        server.signal(Signal::TERM);
        early.watch_to_end();
        late.watch_to_end();
        assert_eq!(told.closed().0, 1001);

        let count = |blocks: &[Block]| {
            let video = sample.recording.video();
            let is_picture = |block: &&Block| Some(block.track) == video;
            let pictures = blocks.iter().filter(is_picture).count();
            Found {
                pictures,
                sounds: blocks.len() - pictures,
            }
        };
        let all = count(&sample.blocks[sample.shown(sample.bytes.len())]);
        assert_eq!(folder.judge(name, &early.screen.bytes), all, "{name}");
        assert!(told.screen.bytes == early.screen.bytes, "{name}");
        let newest = count(&sample.blocks[gop.clone()]);
        let got = folder.judge(name, &late.screen.bytes);
        match sample.recording.video() {
            Some(_) => assert_eq!(got, newest, "{name}"),
            // Sound alone can be joined at a few of its blocks only.
            None => assert!(got.sounds >= newest.sounds, "{name}"),
        }
    }
}

#[test]
fn recordings_one_after_the_other_are_one_stream() {
    let server = Server::start();
    let samples = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&samples[0]);
    viewer.watch(1);
    publisher.go_on(&samples[0]);
    publisher.send_all(&samples[1].chunks);
    let frames: usize = samples.iter().map(|sample| sample.all_frames().len()).sum();
    viewer.watch(frames);
    publisher.finish();
    end_viewers(&server, "demo");
    viewer.watch_to_end();
    let found = Folder::new().judge("both", &viewer.screen.bytes);
    assert_eq!(found.pictures, 120);
    assert_eq!(found.pictures + found.sounds, frames);
}

#[test]
fn laced_audio_is_split() {
    let server = Server::start();
    let sample = Sample::read("chromium-opus-only-100ms");
    let mut viewer = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    let (opening, rest) = laced(&sample);
    publisher.send(&opening.into());
    viewer.watch(3);
    publisher.send(&rest.into());
    viewer.watch(sample.blocks.len());
    publisher.finish();
    server.signal(Signal::TERM);
    viewer.watch_to_end();
    // Chromium's frames are of 60 ms.
    let steps = viewer.screen.frames.windows(2);
    assert!(
        steps
            .into_iter()
            .all(|two| two[1].timestamp_ms - two[0].timestamp_ms == 60)
    );
    let got: Vec<_> = viewer
        .screen
        .frames()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    let sent: Vec<_> = sample
        .all_frames()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    assert_eq!(got, sent);
    let found = Folder::new().judge("unlaced", &viewer.screen.bytes);
    assert_eq!((found.pictures, found.sounds), (0, sample.blocks.len()));
}

/// The recording with three frames to a block, in Xiph's lacing: up to the first block, and the
/// rest.
fn laced(sample: &Sample) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = sample.bytes[..sample.recording.init_length as usize].to_vec();
    // One Cluster of unknown size, from 0 on.
    bytes.extend(b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x81\x00");
    let mut opening = None;
    for blocks in sample.blocks.chunks(3) {
        let frames: Vec<&[u8]> = blocks.iter().map(|block| block.element.frame()).collect();
        let timestamp = i16::try_from(blocks[0].timestamp_ms).unwrap().to_be_bytes();
        // Track 1, keyframe, Xiph lacing; all lengths but the last.
        let mut payload = vec![
            0x81,
            timestamp[0],
            timestamp[1],
            0x82,
            frames.len() as u8 - 1,
        ];
        for frame in &frames[..frames.len() - 1] {
            payload.extend(vec![0xff; frame.len() / 255]);
            payload.push((frame.len() % 255) as u8);
        }
        payload.extend(frames.concat());
        bytes.push(0xa3);
        bytes.extend((payload.len() as u32 | 1 << 28).to_be_bytes());
        bytes.extend(payload);
        if opening.is_none() {
            opening = Some(std::mem::take(&mut bytes));
        }
    }
    (opening.unwrap(), bytes)
}
