use super::*;

#[test]
fn the_prometheus_text_names_every_stream() {
    let stream = StreamReport {
        name: "demo".into(),
        node: None,
        live: true,
        mime: None,
        codecs: None,
        width: None,
        height: None,
        audio: false,
        poster: "/live/demo/poster".to_owned(),
        poster_version: None,
        viewers: 3,
        viewers_ws: 2,
        viewers_http: 1,
        viewers_peak: 4,
        uptime_s: 9,
        received_bytes: 10,
        sent_bytes: 20,
        bitrate_bps: 32,
        keyframe_interval_ms: None,
        ring_bytes: 40,
        ring_ms: 50,
        back_ms: 50,
        skips: 5,
        publisher_restarts: 6,
        recording: true,
        viewers_behind: 1,
    };
    let mut counters = Counters {
        sent_bytes: 77,
        ..Counters::default()
    };
    counters.turns.record(Duration::from_millis(3));
    counters.write_bytes.record(31_250);
    let snapshot = Snapshot {
        counters,
        connections: 8,
        held_bytes: 90,
        cpu: Duration::from_millis(1500),
        resident_bytes: 91,
        auth_waiting: 2,
        segments_waiting: 3,
        segments_sending: 4,
        compat_listeners: 0,
        compat_kept_bytes: 0,
        log_lines_lost: 7,
        recordings: Recordings {
            open: 11,
            finished: 12,
            failed: 13,
            gops_lost: 14,
            written_bytes: 15,
            queued_bytes: 16,
        },
        nodes: Some(Nodes::default()),
        events: Events {
            delivered: 17,
            dropped: 18,
            failed_tries: 19,
            waiting: 20,
        },
        streams: vec![stream],
    };
    let mut texts = Texts::default();
    let text = TextFormat::Prometheus.text(snapshot.clone(), &mut texts);
    let text = text.to_owned();
    let openmetrics = TextFormat::OpenMetrics.text(snapshot, &mut texts);
    for line in [
        "videostream_sent_bytes_total 77",
        "videostream_connections 8",
        "videostream_held_bytes 90",
        "videostream_process_cpu_seconds_total 1.5",
        "videostream_process_resident_memory_bytes 91",
        "videostream_auth_waiting 2",
        "videostream_segments_waiting 3",
        "videostream_segments_sending 4",
        "videostream_log_lines_lost_total 7",
        "videostream_recordings_open 11",
        "videostream_recordings_finished_total 12",
        "videostream_recordings_failed_total 13",
        "videostream_recording_gops_lost_total 14",
        "videostream_recorded_bytes_total 15",
        "videostream_recording_queue_bytes 16",
        "videostream_events_delivered_total 17",
        "videostream_events_dropped_total 18",
        "videostream_event_tries_failed_total 19",
        "videostream_events_waiting 20",
        "videostream_stream_viewers{stream=\"demo\"} 3",
        "videostream_stream_skips_total{stream=\"demo\"} 5",
        "videostream_stream_viewers_behind{stream=\"demo\"} 1",
        "videostream_stream_ring_bytes{stream=\"demo\"} 40",
        "videostream_stream_ring_seconds{stream=\"demo\"} 0.05",
        "videostream_stream_received_bytes_per_second{stream=\"demo\"} 4",
        "videostream_turn_seconds_count 1",
        "videostream_turn_seconds_bucket{le=\"0.0025\"} 0",
        "videostream_turn_seconds_bucket{le=\"0.005\"} 1",
        "videostream_write_bytes_bucket{le=\"32768.0\"} 1",
        "videostream_turn_seconds_bucket{le=\"+Inf\"} 1",
        "videostream_sweep_seconds_count 0",
    ] {
        for text in [&text, openmetrics] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }
    let families = |text: &str, word: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(word));
        let families: Vec<String> = lines.map(str::to_owned).collect();
        families
    };
    assert!(families(&text, "# TYPE ").contains(&"videostream_sent_bytes_total counter".into()));
    assert!(families(openmetrics, "# TYPE ").contains(&"videostream_sent_bytes counter".into()));
    assert_eq!(
        families(&text, "# HELP ").len(),
        families(openmetrics, "# TYPE ").len()
    );
    for openmetrics_only in ["# UNIT ", "# EOF"] {
        assert!(families(&text, openmetrics_only).is_empty());
        assert!(!families(openmetrics, openmetrics_only).is_empty());
    }
    // All samples are the same.
    let samples = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(samples(&text), samples(openmetrics));
}
