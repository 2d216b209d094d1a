//! How much memory the server holds for streams and peers, and whether there is room for more.
//!
//! Counted is what grows with what peers do: media in the rings, posters, and what waits to be
//! written, such as chunks that viewers have taken in part. What a connection costs anyhow is the
//! business of `--max-connections`, and what the kernel holds for a socket that of the kernel.

use super::reactor::Reactor;
use crate::protocol::route::Refusal;

impl Reactor {
    pub(super) fn held_bytes(&self) -> u64 {
        let streams = self.broadcasts.iter().map(|(&id, broadcast)| {
            let poster = broadcast.poster.as_ref();
            self.catalog.stream(id).ring().byte_len() + poster.map_or(0, |poster| poster.jpeg.len())
        });
        streams.sum::<usize>() as u64 + self.waiting_bytes
    }

    /// Refuses whoever would make the server hold more, when it holds enough.
    pub(super) fn check_room(&mut self) -> Result<(), Refusal> {
        match self.limits.max_memory_bytes {
            Some(most) if self.held_bytes() >= most as u64 => {
                self.counters.refused_for_memory += 1;
                Err(Refusal::full())
            }
            _ => Ok(()),
        }
    }
}
