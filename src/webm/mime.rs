//! The MIME type that Media Source Extensions want, with every track's codec named
//! (RFC 6381; Chromium refuses a type that misses a track or names one that is not there).

use super::tracks::{DocType, Track, TrackKind};

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

/// The codecs of all sound and picture tracks, in track order, parted by commas.
pub fn codecs(tracks: &[Track]) -> String {
    let codecs: Vec<String> = tracks
        .iter()
        .filter(|track| track.is_played())
        .map(|track| codec(&track.codec_id, &track.codec_private))
        .collect();
    codecs.join(",")
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
            .to_ascii_lowercase()
            .replace(['"', ',', ';', '\\'], "_"),
    }
}

/// `vp09.PP.LL.DD` from the feature list that WebM keeps in CodecPrivate (ID, length, value
/// triples: 1 profile, 2 level, 3 bit depth).
fn vp9(private: &[u8]) -> Option<String> {
    let mut features = [None::<u8>; 4];
    let mut rest = private;
    while let [id, 1, value, after @ ..] = rest {
        if let Some(feature) = features.get_mut(usize::from(*id)) {
            *feature = Some(*value);
        }
        rest = after;
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
}
