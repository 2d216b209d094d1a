//! What the head of a recording's file says, for lists of recordings.

use super::Storage;
use super::window::Window;
use crate::webm::element::{ElementId, children};
use crate::webm::mime;
use crate::webm::still::{STILL_BYTES_MAX, first_frame};
use crate::webm::tracks::{Track, TrackKind, read_doc_type, read_tracks};
use crate::webm::vint::{read_float, read_uint};
use std::io;

/// Bytes of one element of the head that are read.
const ELEMENT_BYTES_MAX: u64 = 1 << 20;

/// Elements in front of Tracks: SeekHead, Info, Void.
const ELEMENTS_MAX: usize = 8;

/// Bytes of the first Cluster that are read for its picture, with the sound that came before it.
const FIRST_BYTES: usize = 128 << 10;

/// Between 1970 and 2001, where Matroska's dates begin, in milliseconds.
const EPOCH_MS: i64 = 978_307_200_000;

/// A recording, as its head tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    pub mime: String,
    /// `None` while it grows.
    pub duration_ms: Option<u64>,
    /// When its first block came, in milliseconds since 1970.
    pub began_unix_ms: Option<u64>,
    /// Whether the size of the Segment is known.
    pub is_finished: bool,
}

/// Reads the head. `None`: it is not WebM, or not as this program writes it.
pub fn describe(storage: &mut impl Storage) -> io::Result<Option<Description>> {
    let head = read_file_head(&mut Window::new(storage)?)?;
    Ok(head.map(|head| head.description))
}

/// The first frame of a recording of VP8; `None` where its picture is in another codec, or does not
/// begin near its front.
pub fn first_keyframe(storage: &mut impl Storage) -> io::Result<Option<Vec<u8>>> {
    let mut window = Window::new(storage)?;
    let Some(FileHead { tracks, end, .. }) = read_file_head(&mut window)? else {
        return Ok(None);
    };
    let video = tracks.iter().find(|track| track.kind == TrackKind::Video);
    let Some(video) = video.filter(|track| track.codec_id == "V_VP8") else {
        return Ok(None);
    };
    let mut at = end;
    // Void or Cues are in front of the first Cluster.
    for _ in 0..ELEMENTS_MAX {
        let Some(head) = window.head(at)? else {
            return Ok(None);
        };
        if head.id == ElementId::CLUSTER {
            break;
        }
        let behind = head.size.and_then(|size| at.checked_add(size));
        let Some(behind) = behind.and_then(|at| at.checked_add(head.length as u64)) else {
            return Ok(None);
        };
        at = behind;
    }
    // Few pictures are longer than the first of these.
    for length in [FIRST_BYTES, FIRST_BYTES + STILL_BYTES_MAX] {
        let begin = window.peek(at, length)?;
        if let Some(frame) = first_frame(begin, video.number) {
            return Ok(Some(frame.to_vec()));
        }
    }
    Ok(None)
}

/// The head of a file, up to the end of Tracks.
struct FileHead {
    description: Description,
    tracks: Vec<Track>,
    end: u64,
}

fn read_file_head<S: Storage>(window: &mut Window<S>) -> io::Result<Option<FileHead>> {
    let mut found = Description::default();
    let mut at = 0;
    let Some(header) = payload(window, &mut at, ElementId::EBML)? else {
        return Ok(None);
    };
    let Ok(doc_type) = read_doc_type(&header, 0) else {
        return Ok(None);
    };
    let segment = window.head(at)?;
    let Some(segment) = segment.filter(|head| head.id == ElementId::SEGMENT) else {
        return Ok(None);
    };
    found.is_finished = segment.size.is_some();
    at += segment.length as u64;
    for _ in 0..ELEMENTS_MAX {
        let Some(head) = window.head(at)? else {
            return Ok(None);
        };
        let Some(payload) = payload(window, &mut at, head.id)? else {
            return Ok(None);
        };
        match head.id {
            ElementId::INFO => read_info(&payload, &mut found),
            ElementId::TRACKS => {
                let Ok(tracks) = read_tracks(&payload, 0) else {
                    return Ok(None);
                };
                found.mime = mime::mime(doc_type, &tracks);
                return Ok(Some(FileHead {
                    description: found,
                    tracks,
                    end: at,
                }));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The payload of the element at `at`, which then is behind it; `None` if it is another or too large.
fn payload<S: Storage>(
    window: &mut Window<S>,
    at: &mut u64,
    id: ElementId,
) -> io::Result<Option<Vec<u8>>> {
    let head = window.head(*at)?.filter(|head| head.id == id);
    let Some((head, size)) = head.and_then(|head| Some((head, head.size?))) else {
        return Ok(None);
    };
    if size > ELEMENT_BYTES_MAX {
        return Ok(None);
    }
    let begin = *at + head.length as u64;
    let bytes = window.peek(begin, size as usize)?.to_vec();
    *at = begin + size;
    Ok((bytes.len() as u64 == size).then_some(bytes))
}

/// Of our own files: a tick is a millisecond.
fn read_info(payload: &[u8], found: &mut Description) {
    for child in children(payload).flatten() {
        match child.id {
            ElementId::DURATION => {
                let duration = read_float(child.payload);
                found.duration_ms = duration.filter(|ms| *ms >= 0.0).map(|ms| ms as u64);
            }
            ElementId::DATE_UTC => {
                let since = read_uint(child.payload).map(|ns| ns as i64 / 1_000_000);
                let unix_ms = since.and_then(|ms| ms.checked_add(EPOCH_MS));
                found.began_unix_ms = unix_ms.and_then(|ms| u64::try_from(ms).ok());
            }
            _ => {}
        }
    }
}
