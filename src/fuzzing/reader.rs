//! A strict reader of what viewers get, written for that alone: it shares nothing with `webm`, and
//! knows no element that the server has no business to pass on.

/// A frame as this reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub track_number: u64,
    pub timestamp_ms: i64,
    pub is_keyframe: bool,
    pub bytes: Vec<u8>,
}

/// One init segment and all that follows it.
#[derive(Debug, Default)]
pub struct Clip {
    /// Numbers of the video tracks.
    pub pictures: Vec<u64>,
    pub reorders: bool,
    /// Each Cluster's timestamp and frames.
    pub clusters: Vec<(i64, Vec<Frame>)>,
}

const EBML: u64 = 0x1a45_dfa3;
const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_a966;
const TRACKS: u64 = 0x1654_ae6b;
const CLUSTER: u64 = 0x1f43_b675;

/// # Panics
///
/// When the bytes are anything but whole init segments, Clusters and blocks in their order.
pub fn read(mut bytes: &[u8]) -> Vec<Clip> {
    let mut clips: Vec<Clip> = Vec::new();
    while !bytes.is_empty() {
        let id = id(&mut bytes);
        match id {
            EBML => {
                let header = sized(&mut bytes);
                assert!(children(header).iter().any(|(id, _)| *id == 0x4282));
                assert_eq!(self::id(&mut bytes), SEGMENT);
                unknown_size(&mut bytes);
                assert_eq!(self::id(&mut bytes), INFO);
                let info = children(sized(&mut bytes));
                let scale = info
                    .iter()
                    .find(|(id, _)| *id == 0x2a_d7b1)
                    .expect("a scale");
                assert_eq!(number(scale.1), 1_000_000, "timestamps in milliseconds");
                assert_eq!(self::id(&mut bytes), TRACKS);
                clips.push(clip(sized(&mut bytes)));
            }
            CLUSTER => {
                unknown_size(&mut bytes);
                assert_eq!(self::id(&mut bytes), 0xe7, "a Cluster begins with its time");
                let timestamp_ms = number(sized(&mut bytes)) as i64;
                let clip = clips.last_mut().expect("an init segment first");
                clip.clusters.push((timestamp_ms, Vec::new()));
            }
            0xa3 | 0xa0 => {
                let payload = sized(&mut bytes);
                let clip = clips.last_mut().expect("an init segment first");
                let (cluster_ms, frames) = clip.clusters.last_mut().expect("a Cluster first");
                frames.push(match id {
                    0xa3 => block(payload, None, *cluster_ms),
                    _ => group(payload, *cluster_ms),
                });
            }
            other => panic!("element {other:x} has no place here"),
        }
    }
    clips.iter().for_each(Clip::check);
    clips
}

impl Clip {
    /// Each Cluster opens on a picture's keyframe, unless it goes on where 16 bits of time end; and
    /// time never goes back. There is one picture at most.
    fn check(&self) {
        assert!(self.pictures.len() <= 1, "two pictures");
        let mut latest_ms = i64::MIN;
        let mut cluster_before_ms = None;
        for (cluster_ms, frames) in &self.clusters {
            let first = frames.first().expect("a Cluster holds a frame");
            let is_far = cluster_before_ms.is_some_and(|before_ms: i64| {
                i16::try_from(first.timestamp_ms - before_ms).is_err()
            });
            let opens = |frame: &Frame| {
                self.pictures.first() == Some(&frame.track_number) && frame.is_keyframe
            };
            assert!(
                self.pictures.is_empty() || opens(first) || is_far,
                "no GOP begins here"
            );
            assert!(
                !frames[1..].iter().any(opens),
                "a GOP begins inside a Cluster"
            );
            for frame in frames {
                assert!(
                    self.reorders || frame.timestamp_ms >= latest_ms,
                    "time goes back"
                );
                latest_ms = latest_ms.max(frame.timestamp_ms);
            }
            cluster_before_ms = Some(*cluster_ms);
        }
    }
}

fn clip(tracks: &[u8]) -> Clip {
    let mut clip = Clip::default();
    for ((id, entry), index) in children(tracks).into_iter().zip(1..) {
        assert_eq!(id, 0xae, "a TrackEntry");
        let entry = children(entry);
        // The last, as players take it, though there should be only one.
        let of = |id: u64| entry.iter().rev().find(|(other, _)| *other == id);
        let track_number = of(0xd7).map(|(_, payload)| number(payload));
        assert_eq!(track_number, Some(index), "tracks are numbered from 1");
        if of(0x83).is_some_and(|(_, payload)| number(payload) == 1) {
            clip.pictures.push(index);
            let codec_id = of(0x86).map_or(&[][..], |(_, payload)| *payload);
            let is_forward = [&b"V_VP8"[..], b"V_VP9", b"V_AV1"].contains(&codec_id);
            clip.reorders |= !is_forward;
        }
    }
    clip
}

fn group(payload: &[u8], cluster_ms: i64) -> Frame {
    let children = children(payload);
    let is_keyframe = !children.iter().any(|(id, _)| *id == 0xfb);
    let has_padding = children.iter().any(|(id, _)| *id == 0x75a2);
    assert!(!has_padding, "a live stream goes on");
    let mut blocks = children.iter().filter(|(id, _)| *id == 0xa1);
    let (_, inner) = blocks.next().expect("a BlockGroup has a Block");
    assert!(blocks.next().is_none());
    block(inner, Some(is_keyframe), cluster_ms)
}

fn block(payload: &[u8], is_keyframe: Option<bool>, cluster_ms: i64) -> Frame {
    let [track_number, high, low, flags, bytes @ ..] = payload else {
        panic!("half the head of a block");
    };
    assert!(track_number & 0x80 != 0, "a track number of one byte");
    assert!(flags & 0x06 == 0, "a lace");
    Frame {
        track_number: u64::from(track_number & 0x7f),
        timestamp_ms: cluster_ms + i64::from(i16::from_be_bytes([*high, *low])),
        is_keyframe: is_keyframe.unwrap_or(flags & 0x80 != 0),
        bytes: bytes.to_vec(),
    }
}

fn children(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut children = Vec::new();
    while !bytes.is_empty() {
        children.push((id(&mut bytes), sized(&mut bytes)));
    }
    children
}

/// As many bytes as the first one's leading zeros say, and one.
fn vint<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let first = bytes.first().expect("an element that is whole");
    let length = 1 + first.leading_zeros() as usize;
    assert!(length <= most);
    take(bytes, length as u64)
}

fn id(bytes: &mut &[u8]) -> u64 {
    number(vint(bytes, 4))
}

fn size(bytes: &mut &[u8]) -> Option<u64> {
    let vint = vint(bytes, 8);
    let all = (1 << (7 * vint.len())) - 1;
    Some(number(vint) & all).filter(|&size| size != all)
}

fn sized<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let size = size(bytes).expect("a known size");
    take(bytes, size)
}

fn unknown_size(bytes: &mut &[u8]) {
    assert_eq!(size(bytes), None, "a live element has no size");
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> &'a [u8] {
    let (taken, rest) = bytes
        .split_at_checked(length as usize)
        .expect("an element that is whole");
    *bytes = rest;
    taken
}

fn number(bytes: &[u8]) -> u64 {
    assert!(bytes.len() <= 8);
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}
