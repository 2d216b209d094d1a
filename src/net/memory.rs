//! How much memory the server holds for streams and peers, and whether there is room for more.
//!
//! Counted is what grows with what peers do: media in the rings, posters, requests not yet whole,
//! and what waits to be written. A chunk that a viewer has taken in part is the ring's for as long as
//! it is in there, and after that counted once, however many viewers hold it. What a connection costs
//! anyhow is the business of `--max-connections`, and what the kernel holds for it that of the kernel.
//! Not counted is what a publisher has sent of a message or block that is not whole yet, or waits for
//! its turn: see `--publisher-message-bytes` and `--block-bytes`. Streams that are here may grow to their
//! `--ring-bytes` whatever the limit says; it is newcomers who are refused.

use super::connection::State;
use super::reactor::Reactor;
use crate::protocol::route::Refusal;
use crate::stream::StreamId;
use std::collections::HashMap;

impl Reactor {
    pub(super) fn held_bytes(&self) -> u64 {
        self.media_bytes() + self.waiting_bytes
    }

    fn media_bytes(&self) -> u64 {
        let streams = self.broadcasts.iter().map(|(&id, broadcast)| {
            let poster = broadcast.poster.as_ref();
            self.catalog.stream(id).ring().byte_len() + poster.map_or(0, |poster| poster.jpeg.len())
        });
        streams.sum::<usize>() as u64
    }

    /// Bytes that wait in connections. A look at each of them: a few times a second at most.
    fn count_waiting(&self) -> u64 {
        let mut waiting = 0;
        let mut pinned: HashMap<(StreamId, u64), u64> = HashMap::new();
        for (_, connection) in &self.connections {
            let bytes = connection.waiting_bytes();
            waiting += connection.socket.held_bytes() as u64;
            let State::Viewing { viewer, .. } = &connection.state else {
                waiting += bytes;
                continue;
            };
            if bytes == 0 {
                continue;
            }
            let oldest = self.catalog.stream(viewer.stream).ring().oldest();
            match viewer.cursor.taken() {
                Some(sequence) if sequence >= oldest => {}
                Some(sequence) => {
                    let rest = pinned.entry((viewer.stream, sequence)).or_default();
                    *rest = bytes.max(*rest);
                }
                None => waiting += bytes,
            }
        }
        waiting + pinned.values().sum::<u64>()
    }

    /// Brings up to date what is not looked up at once.
    pub(super) fn tend_memory(&mut self) {
        self.waiting_bytes = self.count_waiting();
    }

    /// Refuses whoever would make the server hold more, when it holds enough.
    pub(super) fn check_room(&mut self) -> Result<(), Refusal> {
        match self.limits.max_memory_bytes {
            Some(most) if self.media_bytes() + self.waiting_bytes >= most as u64 => {
                self.counters.refused_for_memory += 1;
                Err(Refusal::full())
            }
            _ => Ok(()),
        }
    }
}
