//! What is told about streams: to programs that ask, and to those who watch over the server.

use super::broadcast::Broadcast;
use super::reactor::Reactor;
use crate::metrics::{Snapshot, StreamReport, prometheus};
use crate::protocol::access::Shown;
use crate::protocol::http::RequestHead;
use crate::protocol::route::{Route, StreamName};
use crate::stream::StreamId;
use crate::webm::TrackKind;
use bytes::BytesMut;
use serde::Serialize;

/// What `/api/streams` tells.
#[derive(Serialize)]
struct Listing {
    streams: Vec<StreamReport>,
    /// Whether a key would show more.
    locked: bool,
}

impl Reactor {
    /// Answers with these streams, as `route` has them told. `locked`: a key would show more.
    pub(super) fn tell_streams(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        route: &Route,
        streams: Vec<StreamReport>,
        locked: bool,
    ) {
        if *route == Route::Metrics {
            let text = prometheus(Snapshot {
                counters: self.counters.clone(),
                connections: self.connections.len() as u64,
                held_bytes: self.held_bytes(),
                auth_waiting: self.waiters(),
                streams,
            });
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            self.respond(id, head, rest, |asked| asked.text(media_type, text));
        } else {
            let listing = Listing { streams, locked };
            self.respond(id, head, rest, |asked| asked.json(&listing));
        }
    }

    /// All streams that may be watched by whoever shows this.
    pub(super) fn reports(&self, shown: &Shown<'_>) -> Vec<StreamReport> {
        self.catalog
            .iter()
            .filter(|(_, stream)| {
                StreamName::try_from(&**stream.name())
                    .is_ok_and(|name| self.access.may_watch(&name, shown))
            })
            .map(|(id, _)| self.report(id))
            .filter(|report| report.live)
            .collect()
    }

    pub(super) fn report(&self, stream_id: StreamId) -> StreamReport {
        let stream = self.catalog.stream(stream_id);
        let broadcast = &self.broadcasts[&stream_id];
        let recording = stream.init().map(|init| &init.recording);
        let video = recording.and_then(|recording| Some(&recording.tracks[recording.video()?]));
        StreamReport {
            name: stream.name().to_string(),
            live: stream.is_live(),
            mime: stream.init().map(|init| init.mime.to_string()),
            codecs: recording.map(|recording| recording.codecs()),
            width: video.map(|track| track.width),
            height: video.map(|track| track.height),
            audio: recording.is_some_and(|recording| {
                let mut tracks = recording.tracks.iter();
                tracks.any(|track| track.kind == TrackKind::Audio)
            }),
            poster: broadcast.poster.is_some(),
            viewers: broadcast.viewers(),
            viewers_ws: broadcast.viewers_ws,
            viewers_http: broadcast.viewers_http,
            viewers_peak: broadcast.viewers_peak,
            uptime_s: broadcast.uptime(self.now).as_secs(),
            received_bytes: broadcast.received_bytes,
            sent_bytes: broadcast.sent_bytes,
            bitrate_bps: broadcast.bitrate_bps,
            keyframe_interval_ms: stream.keyframe_interval_ms(),
            ring_bytes: stream.ring().byte_len() as u64,
            ring_ms: stream.ring().span_ms(),
            skips: broadcast.skips,
            publisher_restarts: stream.publisher_restarts(),
            viewers_behind: self.viewers_behind(broadcast),
        }
    }

    fn viewers_behind(&self, broadcast: &Broadcast) -> u64 {
        let audience = broadcast.audience.iter();
        let behind = audience.filter(|&&id| self.connections[id].blocked_since.is_some());
        behind.count() as u64
    }
}
