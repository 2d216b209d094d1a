//! What waits to be written to one socket: replies, control frames, the chunk half written.
//!
//! Media never queue here: a viewer is a cursor. But once a socket has taken a part of a chunk, the
//! remainder must follow before anything else, so it waits here, still in shared memory.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

/// Slices handed to the kernel in one call. More than the few dozen that a viewer can be behind
/// without being slow save nothing: a call costs about 5 us, a slice next to nothing.
pub const SLICES_MAX: usize = 64;

/// Bytes, first in, first out.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Bytes>,
    /// Bytes that have been written of the first in `queue`: its memory goes back with the last.
    written: usize,
}

impl Outbox {
    pub fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.queue.push_back(bytes);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Slices that wait: replies, and the one or two of a chunk half written.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of all slices that wait.
    pub fn byte_len(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum()
    }

    pub fn slices(&self) -> impl Iterator<Item = &Bytes> {
        self.queue.iter()
    }

    /// The slices that wait, each with the bytes of memory that it takes: also of what of it was written.
    pub fn held(&self) -> impl Iterator<Item = (&Bytes, usize)> {
        let written = std::iter::once(self.written).chain(std::iter::repeat(0));
        let slices = self.queue.iter().zip(written);
        slices.map(|(slice, written)| (slice, slice.len() + written))
    }

    /// Drops `length` bytes from the front: they have been written. Returns what of `length` was
    /// more than is here.
    pub fn advance(&mut self, mut length: usize) -> usize {
        while let Some(front) = self.queue.front_mut() {
            let step = length.min(front.len());
            front.advance(step);
            self.written += step;
            length -= step;
            if !front.is_empty() {
                return 0;
            }
            self.queue.pop_front();
            self.written = 0;
        }
        // The memory goes back with the last byte: idle connections are many.
        self.queue = VecDeque::new();
        length
    }

    /// Writes as much as the socket takes. Returns the number of bytes.
    pub fn write_to(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        while !self.is_empty() {
            let taken = write_slices(socket, self.slices())?;
            self.advance(taken.written);
            written += taken.written;
        }
        Ok(written)
    }
}

/// What one write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Bytes that the socket was offered in one call.
    pub offered: usize,
    /// Bytes that it took. Fewer than offered: it is full now.
    pub written: usize,
}

/// One write of up to [`SLICES_MAX`] slices; a plain one where there is only one.
pub fn write_slices<'a>(
    socket: &mut impl Write,
    slices: impl Iterator<Item = &'a Bytes>,
) -> io::Result<Taken> {
    let mut gathered = [IoSlice::new(&[]); SLICES_MAX];
    let mut count = 0;
    let mut offered = 0;
    for (place, slice) in gathered.iter_mut().zip(slices) {
        *place = IoSlice::new(slice);
        count += 1;
        offered += slice.len();
    }
    loop {
        let result = match &gathered[..count] {
            [one] => socket.write(one),
            several => socket.write_vectored(several),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) if offered > 0 => return Err(io::ErrorKind::WriteZero.into()),
            result => return result.map(|written| Taken { offered, written }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes and then blocks.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.room);
            if length == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= length;
            self.taken.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_go_out_in_order_over_any_narrow_socket() {
        let mut outbox = Outbox::default();
        for part in ["one ", "two ", "", "three"] {
            outbox.push(part.as_bytes());
        }
        let mut socket = Narrow {
            room: 0,
            taken: Vec::new(),
        };
        while !outbox.is_empty() {
            socket.room = 3;
            let _ = outbox.write_to(&mut socket);
            assert_eq!(outbox.byte_len() + socket.taken.len(), 13);
        }
        assert_eq!(socket.taken, b"one two three");
    }

    #[test]
    fn advance_returns_the_bytes_beyond_the_outbox() {
        let mut outbox = Outbox::default();
        outbox.push(&b"12345"[..]);
        assert_eq!(outbox.advance(3), 0);
        assert_eq!(outbox.advance(7), 5);
    }

    #[test]
    fn a_slice_is_held_whole_until_its_last_byte_is_written() {
        let mut outbox = Outbox::default();
        outbox.push(vec![1; 100]);
        outbox.push(vec![2; 50]);
        let held = |outbox: &Outbox| outbox.held().map(|(_, bytes)| bytes).collect::<Vec<_>>();
        outbox.advance(99);
        assert_eq!((outbox.byte_len(), held(&outbox)), (51, vec![100, 50]));
        outbox.advance(2);
        assert_eq!((outbox.byte_len(), held(&outbox)), (49, vec![50]));
        outbox.advance(49);
        outbox.push(vec![3; 10]);
        assert_eq!(held(&outbox), [10]);
    }
}
