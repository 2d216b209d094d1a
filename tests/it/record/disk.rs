//! The promise: a full disk ends the recording with a valid file, tells the publisher, and costs no
//! viewer anything.

use super::*;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use rustix::process::Signal;

/// A small file system in memory; `None` where the tests may not mount one.
struct Mounted(TempDir);

impl Mounted {
    fn new(size: &str) -> Option<Mounted> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .output();
        mount
            .is_ok_and(|mount| mount.status.success())
            .then_some(Mounted(dir))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn full_disk_ends_the_recording_and_live_goes_on() {
    let Some(mounted) = Mounted::new("96k") else {
        // The same with a file in memory: `record::tests`.
        eprintln!("not root: no small disk to fill");
        return;
    };
    let dir = mounted.0.path();
    let server = server_on(dir, &[]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    publisher.go_on(&sample);
    let all = sample.all_frames();
    viewer.watch(all.len());
    assert_frames(&viewer.screen.frames(), &all);
    let warning = publisher.client.text("warning");
    assert_eq!(warning["code"], "recording");
    assert_eq!(
        warning["message"],
        "The recording has stopped: the disk is full. The stream goes on. The next try is in a minute."
    );
    server.report_when("demo", |report| report["recording"] == false);
    assert_eq!(server.metric("videostream_recordings_failed_total"), 1);
    let file = recording(dir, "demo");
    assert_finished(&file);
    let frames = film(&file).frames;
    assert!(!frames.is_empty() && frames.len() < all.len());
    assert_frames(&frames, &all[..frames.len()]);
    assert!(server.end(Signal::TERM).status.success());
}
