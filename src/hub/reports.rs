//! Reports about streams, for programs that ask and for people who watch over the server.

use super::Hub;
use super::posters::poster_version;
use super::renderings::{Names, What};
use super::requests::Exchange;
use crate::access::Shown;
use crate::http::base_path::BasePath;
use crate::metrics::{Snapshot, StreamReport, TextFormat};
use crate::routes::Route;
use crate::session::Socket;
use crate::stream::StreamId;
use crate::stream_name::StreamName;
use crate::webm::TrackKind;
use crate::work;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// The body of `/api/streams`.
#[derive(Serialize)]
struct Listing {
    streams: Vec<StreamReport>,
    /// Whether a key would show more.
    locked: bool,
}

impl<S: Socket> Hub<S> {
    /// Answers with these streams, in the form that `route` names. `locked`: a key would show more.
    pub(super) fn respond_with_streams(
        &mut self,
        exchange: Exchange<'_>,
        route: &Route,
        names: Names,
        locked: bool,
    ) {
        let prefix = self.link_prefix(exchange.id, exchange.head);
        let (what, media_type) = match route {
            Route::Metrics => {
                let format = if exchange.head.accepts_openmetrics {
                    TextFormat::OpenMetrics
                } else {
                    TextFormat::Prometheus
                };
                (What::Metrics(format), format.media_type())
            }
            Route::Stream(_) => (What::Stream { prefix }, "application/json"),
            _ => (What::Streams { locked, prefix }, "application/json"),
        };
        let text = self.rendering(what, names);
        self.respond(exchange, |to| to.text(media_type, text));
    }

    /// The report about these streams: newly rendered, or shared with a request of just now.
    fn rendering(&mut self, what: What, names: Names) -> Bytes {
        if let Some(bytes) = self.books.renderings.find(&what, &names, self.clock.now()) {
            return bytes;
        }
        self.turn.reads.spend(names.len() as u64 * work::REPORT);
        let mut texts = self.books.renderings.take_texts();
        let text = match &what {
            What::Stream { prefix } => texts.json(&self.reports(&names, prefix).first()),
            What::Streams { locked, prefix } => texts.json(&Listing {
                streams: self.reports(&names, prefix),
                locked: *locked,
            }),
            What::Metrics(format) => {
                let streams = self.reports(&names, &self.settings.base_path);
                let (compat_listeners, compat_kept_bytes) = self.compat_figures();
                let usage = self.usage().unwrap_or_default();
                let (segments_waiting, segments_sending) = self.segment_figures();
                let snapshot = Snapshot {
                    counters: self.books.counters.clone(),
                    connections: self.sessions.len() as u64,
                    held_bytes: self.memory.held() as u64,
                    cpu: usage.cpu,
                    resident_bytes: usage.memory_bytes,
                    auth_waiting: self.pending_requests(),
                    segments_waiting,
                    segments_sending,
                    log_lines_lost: crate::log::lines_lost(),
                    compat_listeners,
                    compat_kept_bytes,
                    recordings: self.recording_figures(),
                    events: self.event_figures(),
                    nodes: self.node_figures(),
                    streams,
                };
                format.text(snapshot, &mut texts).as_bytes()
            }
        };
        let bytes = self
            .books
            .renderings
            .keep(what, names, text, self.clock.now());
        self.books.renderings.return_texts(texts);
        bytes
    }

    /// All live streams that a client with these keys or this token may watch.
    pub(super) fn visible(&self, shown: &Shown<'_>) -> Names {
        let live = self.streams.iter().filter(|(_, stream)| stream.is_live());
        let names = live.map(|(_, stream)| stream.name().clone()).collect();
        let mut names = self.with_names_elsewhere(names);
        names.retain(|name| {
            StreamName::try_from(&**name)
                .is_ok_and(|name| self.settings.access.may_watch(&name, shown))
        });
        names
    }

    pub(super) fn reports(&self, names: &Names, prefix: &BasePath) -> Vec<StreamReport> {
        let report = |name: &Arc<str>| match self.nodes {
            None => self.report(self.streams.find(name)?, prefix),
            Some(_) => self.report_of_service(name, prefix),
        };
        names.iter().filter_map(report).collect()
    }

    pub(super) fn report(&self, stream_id: StreamId, prefix: &BasePath) -> Option<StreamReport> {
        let stream = self.streams.stream(stream_id);
        let broadcast = self.streams.broadcast(stream_id)?;
        let recording = stream.init().map(|init| &init.recording);
        let video = recording.and_then(|recording| Some(&recording.tracks[recording.video()?]));
        let (viewers, traffic) = (broadcast.audience().counts(), broadcast.traffic());
        Some(StreamReport {
            name: stream.name().to_string(),
            node: None,
            live: stream.is_live(),
            mime: stream.init().map(|init| init.mime.to_string()),
            codecs: stream.init().map(|init| init.codecs.to_string()),
            width: video.map(|track| track.width),
            height: video.map(|track| track.height),
            audio: recording.is_some_and(|recording| {
                let mut tracks = recording.tracks.iter();
                tracks.any(|track| track.kind == TrackKind::Audio)
            }),
            poster: format!("{prefix}/live/{}/poster", stream.name()),
            poster_version: poster_version(stream, broadcast),
            viewers: broadcast.audience().len(),
            viewers_ws: viewers.websocket,
            viewers_http: viewers.http,
            viewers_peak: viewers.peak,
            uptime_s: broadcast.uptime(self.clock.now()).as_secs(),
            received_bytes: traffic.received_bytes(),
            sent_bytes: traffic.sent_bytes(),
            bitrate_bps: traffic.bitrate_bps(),
            keyframe_interval_ms: stream.keyframe_interval_ms(),
            ring_bytes: stream.ring().byte_len() as u64,
            ring_ms: stream.ring().span_ms(),
            back_ms: self.back_ms(stream_id),
            skips: traffic.skips(),
            publisher_restarts: stream.publisher_restarts(),
            recording: self.is_recording(stream.name()),
            viewers_behind: viewers.behind,
        })
    }

    /// Brings up to date how many viewers of a stream have full sockets: a look at each of them.
    pub(super) fn count_viewers_behind(&mut self, stream_id: StreamId) {
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            let audience = broadcast.audience().viewers().iter();
            let behind =
                audience.filter(|&&id| self.sessions[id].readiness().blocked_since().is_some());
            let behind = behind.count() as u64;
            broadcast.audience_mut().set_behind(behind);
        }
    }
}
