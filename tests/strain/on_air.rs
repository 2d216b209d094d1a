//! A well-behaved publisher and its viewer, beside the load of a test.

use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use std::time::{Duration, Instant};

/// A stream on air, with one viewer at its live edge.
pub struct OnAir {
    pub publisher: Publisher,
    pub viewer: Viewer,
    pub sample: Sample,
    pub frames: usize,
}

impl OnAir {
    pub fn new(server: &Server, name: &str) -> OnAir {
        let sample = Sample::read("chromium-vp8-opus-100ms");
        let mut viewer = Viewer::v1(server, name);
        let mut publisher = Publisher::open(server, name);
        publisher.open_stream(&sample);
        viewer.watch(1);
        publisher.go_on(&sample);
        let frames = sample.all_frames().len();
        viewer.watch(frames);
        OnAir {
            publisher,
            viewer,
            sample,
            frames,
        }
    }

    /// Publishes the recording once more, and waits until it has been seen.
    pub fn go_on(&mut self) {
        self.publisher.send_all(&self.sample.chunks);
        self.frames += self.sample.all_frames().len();
        self.viewer.watch(self.frames);
    }

    /// The same, piece by piece. Returns the longest time from a piece to its sight.
    pub fn slowest_piece(&mut self) -> Duration {
        let before = self.frames;
        let mut slowest = Duration::ZERO;
        let mut sent = 0;
        for chunk in self.sample.chunks.clone() {
            let started = Instant::now();
            sent += chunk.len();
            self.publisher.send(&chunk);
            let whole = self.sample.blocks.iter();
            let whole = whole.filter(|block| self.sample.end_of(block) <= sent);
            // All but the last few, which wait for what they are interleaved with.
            self.viewer
                .watch((before + whole.count()).saturating_sub(10));
            slowest = slowest.max(started.elapsed());
        }
        self.frames += self.sample.all_frames().len();
        self.viewer.watch(self.frames);
        slowest
    }
}
