//! Reads a file of ours that was never finished, and gives the writer that finishes it.
//!
//! Clusters whose size is known are jumped over, so that a long recording costs a read for each GOP.
//! The last seconds are read block by block, because there may be anything: a block that is cut, a
//! size that was half written, zeros that the disk never replaced. What is whole stays.

use super::cues::{CUES_BYTES_DEFAULT, Cue, Cues, known_size};
use super::head::{DURATION_LENGTH, Places, RESERVE_BYTES, SEEK_LENGTH};
use super::window::Window;
use super::writer::{CLUSTER_HEAD, FileWriter, Tracks, read_block};
use super::{Storage, write_all_at};
use crate::webm::block::RawBlock;
use crate::webm::element::{ElementHead, ElementId, HEAD_LENGTH_MAX};
use crate::webm::tracks::read_tracks;
use crate::webm::vint::read_uint;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::ops::RangeInclusive;

/// What a file turned out to be.
#[derive(Debug)]
pub enum CutOff<S> {
    /// It is whole, and seekable.
    Finished,
    /// It is not of this program.
    Foreign,
    /// It holds no block.
    Empty,
    /// This writer finishes it. So many bytes at its end were no whole element, and are gone.
    Unfinished {
        writer: Box<FileWriter<S>>,
        dropped_bytes: u64,
    },
}

/// Milliseconds at the end of a file that are read block by block: some times what `--record-sync`
/// leaves unwritten as a rule.
const TAIL_MS: u64 = 10_000;

/// Clusters among them at most.
const TAIL_CLUSTERS_MAX: usize = 4096;

/// Bytes of an EBML header of ours, and of SeekHead and Info.
const HEAD_BYTES_MAX: u64 = 4096;

/// Bytes of Tracks that are read.
const TRACKS_BYTES_MAX: u64 = 16 << 20;

/// Bytes of a block that are read to find what it is. What is in a longer one is not looked at.
const BLOCK_BYTES_READ: u64 = 16 << 20;

/// A Cluster that was jumped over.
#[derive(Debug, Clone, Copy)]
struct Found {
    at: u64,
    timestamp_ms: u64,
    is_cue: bool,
}

/// Looks at a file, and drops what is no whole element at its end.
pub fn cut_off<S: Storage>(mut storage: S) -> io::Result<CutOff<S>> {
    let mut window = Window::new(&mut storage)?;
    let size = window.size;
    let (places, mut tracks) = match read_file_head(&mut window)? {
        FileHead::Ours(places, tracks) => (places, tracks),
        FileHead::Finished => return Ok(CutOff::Finished),
        FileHead::Foreign => return Ok(CutOff::Foreign),
        FileHead::Cut => return Ok(CutOff::Empty),
    };
    let mut cues = Cues::new(CUES_BYTES_DEFAULT);
    let tail_at = jump(&mut window, &places, &tracks, &mut cues)?;
    let end = read_tail(&mut window, tail_at, &mut tracks, &mut cues)?;
    if end == places.clusters_at() {
        return Ok(CutOff::Empty);
    }
    storage.truncate(end)?;
    Ok(CutOff::Unfinished {
        writer: Box::new(FileWriter::resume_with(storage, places, tracks, cues, end)),
        dropped_bytes: size.saturating_sub(end),
    })
}

enum FileHead {
    Ours(Places, Tracks),
    Finished,
    Foreign,
    /// The file ends in it.
    Cut,
}

/// Reads up to the first Cluster. What finishing writes over may be half written.
fn read_file_head<S: Storage>(window: &mut Window<S>) -> io::Result<FileHead> {
    let size = window.size;
    let mut at = 0;
    // What it means that another element is here than the one of ours.
    let other = |at: u64| {
        if at + HEAD_LENGTH_MAX as u64 > size {
            Ok(FileHead::Cut)
        } else {
            Ok(FileHead::Foreign)
        }
    };
    let Some(ebml) = enter(window, &mut at, ElementId::EBML, 0..=HEAD_BYTES_MAX)? else {
        return other(at);
    };
    at += ebml;
    let segment = window.head(at)?;
    let is_ours =
        |head: &ElementHead| head.id == ElementId::SEGMENT && head.length as u64 == CLUSTER_HEAD;
    let Some(segment) = segment.filter(is_ours) else {
        return other(at);
    };
    let segment_size_at = at + 4;
    at += CLUSTER_HEAD;
    let is_finished = segment.size.and_then(|size| size.checked_add(at)) == Some(size);
    if is_finished {
        return Ok(FileHead::Finished);
    }
    let seek_heads = 3 * SEEK_LENGTH as u64;
    let Some(seek_head) = enter(
        window,
        &mut at,
        ElementId::SEEK_HEAD,
        seek_heads..=seek_heads,
    )?
    else {
        return other(at);
    };
    at += seek_head;
    let seek_cues_at = at - SEEK_LENGTH as u64;
    let least = DURATION_LENGTH as u64;
    let Some(info) = enter(window, &mut at, ElementId::INFO, least..=HEAD_BYTES_MAX)? else {
        return other(at);
    };
    at += info;
    let duration_at = at - least;
    let Some(length) = enter(window, &mut at, ElementId::TRACKS, 0..=TRACKS_BYTES_MAX)? else {
        return other(at);
    };
    let payload = window.peek(at, length as usize)?;
    if (payload.len() as u64) < length {
        return Ok(FileHead::Cut);
    }
    let Ok(tracks) = read_tracks(payload, at) else {
        return Ok(FileHead::Foreign);
    };
    let tracks = Tracks::new(&tracks);
    let reserve_at = at + length;
    let places = |reserve_bytes| Places {
        segment_size_at,
        seek_cues_at,
        duration_at,
        reserve_at,
        reserve_bytes,
    };
    // Where Cues are half written there, the reserve is as long as in every file of ours.
    let void = window.head(reserve_at)?;
    let void = void.filter(|head| head.id == ElementId::VOID);
    let declared = void.and_then(|head| head.size?.checked_add(head.length as u64));
    for reserve_bytes in declared.into_iter().chain([RESERVE_BYTES]) {
        let places = places(reserve_bytes);
        let at = reserve_at.checked_add(reserve_bytes);
        let is_there = at.is_some_and(|at| at <= window.size);
        if is_there && cluster_at(window, places.clusters_at(), &tracks)?.is_some() {
            return Ok(FileHead::Ours(places, tracks));
        }
    }
    // Nothing but the head, as far as it got.
    Ok(FileHead::Ours(places(RESERVE_BYTES), tracks))
}

/// Goes behind the head of the element at `at`, if it has this ID and a size in this range. Returns the
/// size.
fn enter<S: Storage>(
    window: &mut Window<S>,
    at: &mut u64,
    id: ElementId,
    sizes: RangeInclusive<u64>,
) -> io::Result<Option<u64>> {
    let head = window.head(*at)?.filter(|head| head.id == id);
    Ok(head.and_then(|head| {
        let size = head.size.filter(|size| sizes.contains(size))?;
        *at += head.length as u64;
        Some(size)
    }))
}

/// A Cluster and where its first block begins, if a Cluster of ours begins here.
fn cluster_at<S: Storage>(
    window: &mut Window<S>,
    at: u64,
    tracks: &Tracks,
) -> io::Result<Option<(Found, u64)>> {
    let is_ours =
        |head: &ElementHead| head.id == ElementId::CLUSTER && head.length as u64 == CLUSTER_HEAD;
    if window.head(at)?.filter(is_ours).is_none() {
        return Ok(None);
    }
    let at_timestamp = at + CLUSTER_HEAD;
    let Some((length, payload)) = window.head(at_timestamp)?.and_then(|head| {
        let is_timestamp = head.id == ElementId::TIMESTAMP;
        let size = head.size.filter(|&size| is_timestamp && size <= 8)?;
        Some((head.length, size))
    }) else {
        return Ok(None);
    };
    let whole = window.peek(at_timestamp, length + payload as usize)?;
    let timestamp_ms = whole.get(length..).and_then(read_uint);
    let is_whole = whole.len() == length + payload as usize;
    let Some(timestamp_ms) = timestamp_ms.filter(|_| is_whole) else {
        return Ok(None);
    };
    let blocks_at = at_timestamp + length as u64 + payload;
    let first = block_at(window, blocks_at, tracks)?;
    let found = Found {
        at,
        timestamp_ms,
        is_cue: first.is_some_and(|(block, _)| tracks.is_cue(&block)),
    };
    Ok(Some((found, blocks_at)))
}

/// A whole block, and where it ends, if one begins here.
fn block_at<S: Storage>(
    window: &mut Window<S>,
    at: u64,
    tracks: &Tracks,
) -> io::Result<Option<(RawBlock, u64)>> {
    let Some(head) = window.head(at)? else {
        return Ok(None);
    };
    let Some(length) = head
        .size
        .and_then(|size| size.checked_add(head.length as u64))
    else {
        return Ok(None);
    };
    let is_block = matches!(head.id, ElementId::SIMPLE_BLOCK | ElementId::BLOCK_GROUP);
    let end = at.checked_add(length).filter(|&end| end <= window.size);
    let Some(end) = end.filter(|_| is_block) else {
        return Ok(None);
    };
    /// What a SimpleBlock says of itself: its head, and four bytes of its payload.
    const SIMPLE_BYTES: u64 = 16;
    let read = match head.id {
        ElementId::SIMPLE_BLOCK => length.min(SIMPLE_BYTES),
        _ => length.min(BLOCK_BYTES_READ),
    };
    let element = Bytes::copy_from_slice(window.peek(at, read as usize)?);
    if (element.len() as u64) < read {
        return Ok(None);
    }
    let block = read_block(head.id, &element, head.length)
        .filter(|block| tracks.is_known(block.track_number));
    Ok(block.map(|block| (block, end)))
}

/// Jumps from Cluster to Cluster. Returns where the tail begins, which is not in `cues` yet.
fn jump<S: Storage>(
    window: &mut Window<S>,
    places: &Places,
    tracks: &Tracks,
    cues: &mut Cues,
) -> io::Result<u64> {
    let mut recent: VecDeque<Found> = VecDeque::new();
    let mut at = places.clusters_at();
    while let Some((found, _)) = cluster_at(window, at, tracks)? {
        recent.push_back(found);
        let is_tail = |cluster: &Found| cluster.timestamp_ms + TAIL_MS > found.timestamp_ms;
        while recent.len() > 1 && (recent.len() > TAIL_CLUSTERS_MAX || !is_tail(&recent[1])) {
            if let Some(old) = recent.pop_front()
                && old.is_cue
            {
                cues.push(cue(old));
            }
        }
        let size = window.head(at)?.and_then(|head| head.size);
        let next = size.and_then(|size| size.checked_add(at + CLUSTER_HEAD));
        match next.filter(|&next| next <= window.size) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(recent
        .front()
        .map_or(places.clusters_at(), |found| found.at))
}

fn cue(cluster: Found) -> Cue {
    Cue {
        timestamp_ms: cluster.timestamp_ms,
        offset: cluster.at,
    }
}

/// Reads block by block, and writes the sizes of Clusters that have none or a wrong one. Returns where
/// the last whole block ends.
fn read_tail<S: Storage>(
    window: &mut Window<S>,
    tail_at: u64,
    tracks: &mut Tracks,
    cues: &mut Cues,
) -> io::Result<u64> {
    let mut end = tail_at;
    while let Some((found, blocks_at)) = cluster_at(window, end, tracks)? {
        let declared = window.head(end)?.and_then(|head| head.size);
        let mut at = blocks_at;
        while let Some((block, block_end)) = block_at(window, at, tracks)? {
            tracks.note(&block, found.timestamp_ms);
            at = block_end;
        }
        if at == blocks_at {
            break;
        }
        let size = at - found.at - CLUSTER_HEAD;
        if declared != Some(size) {
            write_all_at(window.storage(), &known_size(size), found.at + 4)?;
        }
        if found.is_cue {
            cues.push(cue(found));
        }
        end = at;
    }
    Ok(end)
}
