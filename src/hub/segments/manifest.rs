//! `live.mpd`: the same for DASH players (ISO/IEC 23009-1, the live profile).
//!
//! One Period for each recording: between two of them time passes that timestamps do not tell of. A
//! Period begins when its first segment came, so that a player finds the live edge by the clock. Picture
//! and sound are in one Representation, as they are in the segments.

use crate::stream::{Segment, SegmentInit, Segments, Stream};
use bytes::Bytes;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

pub fn render(stream: &Stream) -> Bytes {
    let segments = stream.segments();
    let all: Vec<&Segment> = segments.finished().collect();
    let longest_ms = all.iter().map(|one| one.duration_ms).max().unwrap_or(1000);
    let depth_ms: u64 = all.iter().map(|one| one.duration_ms).sum();
    let newest = all.last();
    let published_ms = newest.map_or(segments.epoch_unix_ms(), |newest| {
        newest.came_unix_ms + newest.duration_ms
    });
    let mut text = String::with_capacity(2048);
    write(
        &mut text,
        format_args!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
             profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"dynamic\" \
             availabilityStartTime=\"{}\" publishTime=\"{}\" minimumUpdatePeriod=\"PT1S\" \
             minBufferTime=\"PT1S\" timeShiftBufferDepth=\"{}\" maxSegmentDuration=\"{}\" \
             suggestedPresentationDelay=\"{}\">\n",
            time(segments.epoch_unix_ms()),
            time(published_ms),
            period(depth_ms),
            period(longest_ms),
            // A segment is announced when it is whole, and the player looks once a second.
            period(longest_ms + 1500),
        ),
    );
    for recording in all.chunk_by(|one, next| one.recording == next.recording) {
        write_period(&mut text, stream, segments, recording);
    }
    text.push_str(
        "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-head:2014\" value=\"live.json\"/>\n</MPD>\n",
    );
    text.into()
}

fn write_period(text: &mut String, stream: &Stream, segments: &Segments, recording: &[&Segment]) {
    let Some(first) = recording.first() else {
        return;
    };
    let (Some(start), Some(init)) = (
        segments.recording(first.recording),
        segments.init(first.generation),
    ) else {
        return;
    };
    let begins_ms = start.came_unix_ms.saturating_sub(segments.epoch_unix_ms());
    let bits_per_s = recording
        .iter()
        .map(|one| one.bytes * 8 * 1000 / one.duration_ms.max(1))
        .max()
        .unwrap_or(0);
    write(
        text,
        format_args!(
            "<Period id=\"{}\" start=\"{}\">\n\
             <AdaptationSet {} segmentAlignment=\"true\" startWithSAP=\"1\">\n\
             <SegmentTemplate timescale=\"1000\" presentationTimeOffset=\"{}\" startNumber=\"{}\" \
             initialization=\"init-{}.webm\" media=\"$Number$.webm\">\n<SegmentTimeline>\n",
            first.recording,
            period(begins_ms),
            types(init),
            start.start_ms,
            first.number,
            first.generation,
        ),
    );
    for segment in recording {
        let (start_ms, duration_ms) = (segment.start_ms, segment.duration_ms);
        write(
            text,
            format_args!("<S t=\"{start_ms}\" d=\"{duration_ms}\"/>\n"),
        );
    }
    write(
        text,
        format_args!(
            "</SegmentTimeline>\n</SegmentTemplate>\n\
             <Representation id=\"live\" bandwidth=\"{bits_per_s}\"{}/>\n</AdaptationSet>\n</Period>\n",
            size(stream, init, segments),
        ),
    );
}

/// The type as attributes. The names of codecs that we do not know are the publisher's.
fn types(init: &SegmentInit) -> String {
    let (media_type, codecs) = init.mime.split_once(';').unwrap_or((&init.mime, ""));
    let codecs = codecs
        .trim_start_matches("codecs=")
        .trim_matches('"')
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let kind = media_type.split('/').next().unwrap_or_default();
    format!("contentType=\"{kind}\" mimeType=\"{media_type}\" codecs=\"{codecs}\"")
}

/// Known of the newest init segment alone.
fn size(stream: &Stream, init: &SegmentInit, segments: &Segments) -> String {
    let is_newest = segments
        .newest_init()
        .is_some_and(|newest| newest.generation == init.generation);
    let recording = stream.init().map(|init| &init.recording);
    let video = recording.and_then(|recording| Some(&recording.tracks[recording.video()?]));
    match video.filter(|_| is_newest) {
        Some(video) => format!(" width=\"{}\" height=\"{}\"", video.width, video.height),
        None => String::new(),
    }
}

fn time(unix_ms: u64) -> String {
    // The year 9999 is the last that is written so.
    let since = Duration::from_millis(unix_ms.min(253_402_300_799_000));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

fn period(ms: u64) -> String {
    format!("PT{}.{:03}S", ms / 1000, ms % 1000)
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("a String takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Framer;

    #[test]
    fn names_of_codecs_end_no_attribute() {
        let init = SegmentInit {
            generation: 0,
            framed: Framer::with_capacity(0).finish(),
            mime: "video/webm;codecs=\"a&b<c>'d\"".into(),
        };
        let expected =
            "contentType=\"video\" mimeType=\"video/webm\" codecs=\"a&amp;b&lt;c&gt;'d\"";
        assert_eq!(types(&init), expected);
    }

    #[test]
    fn times_are_written_as_xml_schema_has_them() {
        assert_eq!(time(1_000), "1970-01-01T00:00:01.000Z");
        assert_eq!(time(u64::MAX), "9999-12-31T23:59:59.000Z");
        assert_eq!(period(61_005), "PT61.005S");
    }
}
