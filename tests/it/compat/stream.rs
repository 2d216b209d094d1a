//! The promise: what old pages send is an ordinary stream besides, and an ordinary publisher reaches old
//! listeners.

use super::old::{OldPage, OldServer, Port, message};
use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use bytes::Bytes;

#[test]
fn viewers_get_what_an_old_page_sends() {
    let server = OldServer::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = Viewer::v1(&server, "compat");
    let mut chunked = HttpViewer::open(&server, "compat");
    let mut page = OldPage::open(&server);
    // What a page has when it starts: the keyframe, so that all viewers begin with it.
    let opening = first.opening();
    page.blob(first.bytes.slice(..opening));
    viewer.watch(1);
    chunked.watch(1);
    for chunk in first.chunks_after(opening) {
        page.chunk(chunk);
    }
    // The recorder begins anew, as it does at intervals.
    page.record(&second.chunks);
    let frames = [first.all_frames(), second.all_frames()].concat();
    viewer.watch(frames.len());
    chunked.watch(frames.len());
    assert_frames(&viewer.screen.frames(), &frames);
    assert_frames(&chunked.screen.frames(), &frames);
    assert_eq!((viewer.screen.inits, chunked.screen.inits), (1, 1));
    let report = server.report("compat").unwrap();
    assert_eq!(report["publisher_restarts"], 1);
    let sent = first.bytes.len() + second.bytes.len();
    assert_eq!(report["received_bytes"], sent);
}

#[test]
fn recording_that_is_cut_off_by_the_next_blob_is_no_fault() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "compat");
    let mut page = OldPage::open(&server);
    page.blob(sample.bytes.slice(..sample.opening()));
    viewer.watch(1);
    // In the middle of a block.
    let cut = sample.end_of(&sample.blocks[30]) - 3;
    page.chunk(sample.bytes.slice(sample.opening()..cut));
    page.blob(sample.bytes.clone());
    let frames = [sample.frames(sample.shown(cut)), sample.all_frames()].concat();
    viewer.watch(frames.len());
    assert_frames(&viewer.screen.frames(), &frames);
    assert_eq!(server.metric("videostream_publishers_rejected_total"), 0);
}

#[test]
fn stream_has_the_name_that_was_asked_for() {
    let server = OldServer::with(&["--compat-stream", "old"]);
    let sample = Sample::read("chromium-restart-1");
    let mut page = OldPage::open(&server);
    page.record(&sample.chunks);
    server.report_when("old", |report| report["live"] == true);
    assert_eq!(server.report("compat"), None);
    assert_eq!(server.metric("videostream_compat_listeners"), 2);
    assert_eq!(server.metric("videostream_compat_blobs_total"), 1);
    let messages = server.metric("videostream_compat_messages_total");
    assert_eq!(messages, sample.chunks.len() as u64);
}

/// Sends an ordinary recording. Returns what two old listeners have in the end, each as one file: one is
/// there from the start, one comes in the middle.
fn listen(server: &OldServer, publisher: &mut Publisher, sample: &Sample) -> [Bytes; 2] {
    let mut blobs = server.open(Port::BlobsOut);
    let mut chunks = server.open(Port::ChunksOut);
    // The recording before, if there was one, is no part of the next.
    if server.metric("videostream_compat_blobs_total") > 0 {
        message(&mut chunks);
    }
    let mut early = Vec::new();
    publisher.open_stream(sample);
    early.extend_from_slice(&message(&mut blobs));
    let middle = sample.bytes.len() / 2;
    let cut = sample.bytes.slice(sample.opening()..middle);
    publisher.send(&cut);
    let seen = |file: &[u8]| Sample::parse(Bytes::copy_from_slice(file)).blocks.len();
    while seen(&early) < sample.shown(middle).len() {
        early.extend_from_slice(&message(&mut chunks));
    }
    let mut newcomer = server.open(Port::ChunksOut);
    let mut late = message(&mut newcomer).to_vec();
    publisher.send(&sample.bytes.slice(middle..));
    let all = sample.all_frames().len();
    while seen(&early) < all {
        early.extend_from_slice(&message(&mut chunks));
    }
    while seen(&late) < all {
        late.extend_from_slice(&message(&mut newcomer));
    }
    [early, late].map(Bytes::from)
}

#[test]
fn old_listeners_get_an_ordinary_publisher() {
    let server = OldServer::start();
    let mut publisher = Publisher::open(&server, "compat");
    for name in ["chromium-restart-1", "chromium-vp8-opus-100ms"] {
        let sample = Sample::read(name);
        for got in listen(&server, &mut publisher, &sample) {
            let got = Sample::parse(got);
            assert_frames(&got.all_frames(), &sample.all_frames());
        }
    }
}

#[test]
fn old_listeners_get_an_upload() {
    let server = OldServer::start();
    let sample = Sample::read("ffmpeg-live");
    let mut blobs = server.open(Port::BlobsOut);
    let mut chunks = server.open(Port::ChunksOut);
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/compat.webm", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&sample.bytes[..sample.opening()]);
    let mut file = message(&mut blobs).to_vec();
    http.send_chunk(&sample.bytes[sample.opening()..]);
    http.send("0\r\n\r\n");
    assert_eq!(http.answer("PUT").status, 200);
    let all = sample.all_frames();
    while Sample::parse(file.clone().into()).blocks.len() < all.len() {
        file.extend_from_slice(&message(&mut chunks));
    }
    let got = Sample::parse(file.into()).all_frames();
    // ffmpeg writes tracks out of order; the server puts them in order.
    assert_eq!(got.len(), all.len());
    // It stays for newcomers.
    server.wait_until_offline("compat");
    let mut late = server.open(Port::ChunksOut);
    assert_eq!(Sample::parse(message(&mut late)).blocks.len(), all.len());
}

#[test]
fn ordinary_publisher_takes_over_from_an_old_page_and_back() {
    let server = OldServer::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = Viewer::v1(&server, "compat");
    let mut page = OldPage::open(&server);
    page.blob(first.bytes.slice(..first.opening()));
    page.chunk(first.bytes.slice(first.opening()..));
    let frames = first.all_frames();
    viewer.watch(frames.len());

    let waiting = server.open(Port::BlobsIn);
    let mut publisher = Publisher::open(&server, "compat");
    publisher.open_stream(&second);
    let taken_over = (1000, "a newer publisher took the stream over".to_owned());
    assert_eq!(page.blobs.closed(), taken_over);
    assert_eq!(page.chunks.closed(), taken_over);
    let blob = Sample::parse(message(&mut page.blobs_out));
    // The chunk that opens the recording; what came with it follows.
    assert_frames(&blob.all_frames(), &second.frames(0..1));
    // A page that has sent nothing is left alone.
    let mut waiting = waiting;
    waiting.send(first.bytes.clone());
    assert!(message(&mut page.blobs_out) == first.bytes);
    publisher.client.text("replaced");
    assert_eq!(publisher.client.closed(), taken_over);
    let opening = second.frames(second.shown(second.opening()));
    let all = [frames.clone(), opening, frames].concat();
    viewer.watch(all.len());
    assert_frames(&viewer.screen.frames(), &all);
}

#[test]
fn chunks_of_a_replaced_page_do_not_reach_listeners() {
    let server = OldServer::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut chunks_out = server.open(Port::ChunksOut);
    let mut blobs_out = server.open(Port::BlobsOut);
    let mut publisher = Publisher::open(&server, "compat");
    publisher.open_stream(&second);
    message(&mut blobs_out);
    let mut late = server.open(Port::ChunksIn);
    late.send(first.bytes.clone());
    assert_eq!(late.closed().0, 1000);
    let rest = second.bytes.slice(second.opening()..);
    publisher.send(&rest);
    let message = message(&mut chunks_out);
    assert!(
        !first
            .bytes
            .windows(message.len())
            .any(|part| part == message)
    );
}
