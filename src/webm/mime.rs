//! The MIME type that Media Source Extensions want, with every track's codec named
//! (RFC 6381; Chromium refuses a type that misses a track or names one that is not there).

use super::tracks::{DocType, Track, TrackKind};

/// Bytes of one codec's name, where we make it of the CodecID. The longest registered has about 30.
const CODEC_BYTES_MAX: usize = 32;

/// Bytes of all of them together: nine times the longest that we know. Tracks beyond are not named.
const CODECS_BYTES_MAX: usize = 256;

/// Features that a VP9 CodecPrivate may have (WebM container guidelines): profile, level, bit depth,
/// chroma subsampling. Others are passed over, as many as these.
const VP9_FEATURES_MAX: usize = 8;

/// For example `video/webm;codecs="vp8,opus"`.
pub fn mime(doc_type: DocType, tracks: &[Track]) -> String {
    let kind = if tracks.iter().any(|track| track.kind == TrackKind::Video) {
        "video"
    } else {
        "audio"
    };
    let container = match doc_type {
        DocType::Webm => "webm",
        DocType::Matroska => "x-matroska",
    };
    format!("{kind}/{container};codecs=\"{}\"", codecs(tracks))
}

/// The codecs of all sound and picture tracks, in track order, parted by commas. A short text of
/// visible ASCII whatever the tracks say, so that it can stand in JSON, HTTP and a MIME type.
pub fn codecs(tracks: &[Track]) -> String {
    let mut codecs = String::new();
    for track in tracks.iter().filter(|track| track.is_played()) {
        let codec = codec(&track.codec_id, &track.codec_private);
        if codecs.len() + 1 + codec.len() > CODECS_BYTES_MAX {
            break;
        }
        if !codecs.is_empty() {
            codecs.push(',');
        }
        codecs += &codec;
    }
    codecs
}

/// One track's codec, from its CodecID and CodecPrivate.
pub fn codec(codec_id: &str, private: &[u8]) -> String {
    match codec_id {
        "V_VP8" => "vp8".into(),
        "V_VP9" => vp9(private).unwrap_or_else(|| "vp9".into()),
        "V_AV1" => av1(private).unwrap_or_else(|| "av01".into()),
        "V_MPEG4/ISO/AVC" => avc(private).unwrap_or_else(|| "avc1".into()),
        "V_MPEGH/ISO/HEVC" => "hvc1".into(),
        "A_OPUS" => "opus".into(),
        "A_VORBIS" => "vorbis".into(),
        "A_FLAC" => "flac".into(),
        "A_MPEG/L3" => "mp3".into(),
        "A_PCM/INT/LIT" | "A_PCM/FLOAT/IEEE" => "pcm".into(),
        id if id.starts_with("A_AAC") => "mp4a.40.2".into(),
        id => id
            .trim_start_matches("V_")
            .trim_start_matches("A_")
            .chars()
            .take(CODEC_BYTES_MAX)
            .map(visible)
            .collect(),
    }
}

/// A letter of a codec's name: what means something in a MIME type, or cannot be seen, is none.
fn visible(letter: char) -> char {
    match letter {
        '"' | ',' | ';' | '\\' => '_',
        '!'..='~' => letter.to_ascii_lowercase(),
        _ => '_',
    }
}

/// `vp09.PP.LL.DD` from the feature list that WebM keeps in CodecPrivate (ID, length, value
/// triples: 1 profile, 2 level, 3 bit depth).
fn vp9(private: &[u8]) -> Option<String> {
    let mut features = [None::<u8>; 4];
    for triple in private.chunks_exact(3).take(VP9_FEATURES_MAX) {
        let &[id, 1, value] = triple else {
            break;
        };
        if let Some(feature) = features.get_mut(usize::from(id)) {
            *feature = Some(value);
        }
    }
    let [_, profile, level, depth] = features;
    let depth = depth.unwrap_or(8);
    Some(format!("vp09.{:02}.{:02}.{depth:02}", profile?, level?))
}

/// `av01.P.LLT.DD` from bytes 1 and 2 of the AV1CodecConfigurationRecord (AV1 in ISOBMFF,
/// section 2.3): profile and level, then tier and bit depth.
fn av1(private: &[u8]) -> Option<String> {
    let &[_, profile_level, flags, ..] = private else {
        return None;
    };
    let tier = if flags & 0x80 != 0 { 'H' } else { 'M' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    let (profile, level) = (profile_level >> 5, profile_level & 0x1f);
    Some(format!("av01.{profile}.{level:02}{tier}.{depth:02}"))
}

/// `avc1.PPCCLL` from bytes 1 to 3 of the AVCDecoderConfigurationRecord (ISO/IEC 14496-15).
fn avc(private: &[u8]) -> Option<String> {
    let &[1, profile, constraints, level, ..] = private else {
        return None;
    };
    Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_named_as_players_want_them() {
        assert_eq!(codec("V_VP8", &[]), "vp8");
        assert_eq!(codec("V_VP9", &[]), "vp9");
        assert_eq!(
            codec("V_VP9", &[1, 1, 0, 2, 1, 31, 3, 1, 8, 4, 1, 1]),
            "vp09.00.31.08"
        );
        assert_eq!(codec("V_AV1", &[0x81, 0x04, 0x0c, 0x00]), "av01.0.04M.08");
        assert_eq!(
            codec("V_MPEG4/ISO/AVC", &[1, 0x42, 0xc0, 0x1e]),
            "avc1.42C01E"
        );
        assert_eq!(codec("V_MPEG4/ISO/AVC", &[]), "avc1");
        assert_eq!(codec("A_OPUS", b"OpusHead"), "opus");
        assert_eq!(codec("V_\"odd,", &[]), "_odd_");
    }

    fn track(codec_id: &str, kind: TrackKind) -> Track {
        let kind = if kind == TrackKind::Video { 1 } else { 2 };
        let head = [0xd7, 0x81, 1, 0x83, 0x81, kind, 0x86];
        let size = [0x80 | codec_id.len() as u8];
        Track::read(&[&head, &size[..], codec_id.as_bytes()].concat()).unwrap()
    }

    #[test]
    fn codecs_are_short_visible_text_for_any_tracks() {
        let is_harmless = |text: &str| {
            let mut bytes = text.bytes();
            bytes.all(|byte| byte.is_ascii_graphic() && !b"\"\\;".contains(&byte))
        };
        for id in [
            "V_\u{1}\u{7f}\u{e9} \"\\;,X",
            &"V_\u{1}".repeat(20),
            &"X".repeat(64),
        ] {
            let codec = codec(id, &[]);
            assert!(is_harmless(&codec) && !codec.contains(','), "{codec}");
            assert!(codec.len() <= CODEC_BYTES_MAX, "{codec}");
        }
        let odd = vec![track(&"\u{1}".repeat(62), TrackKind::Video); 32];
        let text = mime(DocType::Webm, &odd);
        assert!(is_harmless(&codecs(&odd)), "{text}");
        assert!(text.len() < CODECS_BYTES_MAX + 32, "{text}");
        // As many as there may be of what players know.
        let usual = vec![track("A_OPUS", TrackKind::Audio); 32];
        assert_eq!(codecs(&usual), vec!["opus"; 32].join(","));
    }

    #[test]
    fn a_vp9_codec_private_of_a_megabyte_is_not_walked() {
        let start = [1, 1, 0, 2, 1, 31, 3, 1, 8];
        let long = [&start[..], &[1, 1, 2].repeat(350_000)].concat();
        let started = std::time::Instant::now();
        for _ in 0..1000 {
            // The last of those looked at counts.
            assert_eq!(codec("V_VP9", &long), "vp09.02.31.08");
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
    }
}
