//! What the head of a recording's file says, for lists of recordings.

use super::Storage;
use super::window::Window;
use crate::webm::element::{ElementId, children};
use crate::webm::mime;
use crate::webm::tracks::{read_doc_type, read_tracks};
use crate::webm::vint::{read_float, read_uint};
use std::io;

/// Bytes of one element of the head that are read.
const ELEMENT_BYTES_MAX: u64 = 1 << 20;

/// Elements in front of Tracks: SeekHead, Info, Void.
const ELEMENTS_MAX: usize = 8;

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
    let mut window = Window::new(storage)?;
    let mut found = Description::default();
    let mut at = 0;
    let Some(header) = payload(&mut window, &mut at, ElementId::EBML)? else {
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
        let Some(payload) = payload(&mut window, &mut at, head.id)? else {
            return Ok(None);
        };
        match head.id {
            ElementId::INFO => read_info(&payload, &mut found),
            ElementId::TRACKS => {
                let Ok(tracks) = read_tracks(&payload, 0) else {
                    return Ok(None);
                };
                found.mime = mime::mime(doc_type, &tracks);
                return Ok(Some(found));
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
