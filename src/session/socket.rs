//! What a session needs of its socket, real or simulated.

use std::io::{self, Read, Write};

/// A non-blocking byte stream. `read` and `write` return [`WouldBlock`](io::ErrorKind::WouldBlock) where
/// a blocking one would wait; the hub then leaves the socket alone until
/// [`Hub::ready`](crate::hub::Hub::ready) names it.
///
/// A write that takes less than it was offered means that the socket is full. So
/// [`write_vectored`](Write::write_vectored) has to take all slices it has room for: its default, which
/// takes the first alone, would look like a full socket.
///
/// The methods with a default are for encryption, where written bytes may wait above the kernel, and for
/// buffers of a real kernel. A simulated socket needs none of them. Dropping a socket closes it.
pub trait Socket: Read + Write {
    /// Of a session without a peer: a publisher whose media another node sends. Reads and writes fail.
    fn detached() -> Self
    where
        Self: Sized;

    /// Copies what could be read, below any encryption, and leaves it there. 0 at the end.
    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes `length` bytes that [`Socket::peek_raw`] has shown.
    fn discard_raw(&mut self, length: usize) -> io::Result<()>;

    /// Ends our half of the connection. Returns whether that is done; if not, last bytes wait for room.
    fn shut(&mut self) -> io::Result<bool>;

    /// The least number of bytes that can be read now, and that stay; 0 at the end of the
    /// connection.
    fn peek(&mut self) -> io::Result<usize> {
        self.peek_raw(&mut [0])
    }

    /// Sets how many bytes may wait here that are not on their way yet.
    fn limit_unsent(&mut self, _bytes: u32) {}

    fn is_encrypted(&self) -> bool {
        false
    }

    /// Whether nothing can be written yet.
    fn is_handshaking(&self) -> bool {
        false
    }

    /// Ends encryption for a peer that speaks plain HTTP, so that it can get an answer. Returns
    /// whether the socket can; the bytes that the peer sent are gone.
    fn fall_back(&mut self) -> bool {
        false
    }

    /// Bytes of memory that encryption holds for this connection.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Frees what encryption holds. Nothing is read or written afterwards.
    fn release(&mut self) {}

    /// Whether written bytes wait above the kernel.
    fn has_unsent(&self) -> bool {
        false
    }

    /// Sends more of what waits. Returns the number of bytes.
    fn flush_unsent(&mut self) -> io::Result<usize> {
        Ok(0)
    }
}
