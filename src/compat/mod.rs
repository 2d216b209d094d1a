//! The old protocol of node-videostream, without sockets: four ports, and what is kept for newcomers.
//!
//! ```text
//! PORT    BlobsIn ──┐ each message is a blob          ┌─► BlobsOut   PORT+2
//! PORT+1  ChunksIn ─┤ each goes on with the blob      │   each blob, as it comes
//!                   ├──────────────► Kept ────────────┤
//! ordinary publisher┘ a blob at each recording        └─► ChunksOut  PORT+3
//!                                                         the blob so far, then each chunk
//! ```
//!
//! [`Kept`] has the newest messages, within a bound of bytes. Each listener is a [`Place`] in it, and
//! holds no message itself. All share one copy of each message.

mod kept;
mod place;
#[cfg(test)]
mod tests;

pub use kept::Kept;
pub use place::{Place, Taken};

/// Bytes of one frame of media to a listener: a message that is longer goes out in fragments, so that a
/// listener on a slow link moves on, and a control frame finds its place (RFC 6455, section 5.4).
pub const FRAGMENT_BYTES: usize = 256 << 10;

/// Bytes of messages that are kept for newcomers: two minutes at 1 Mbit/s, what an old page sends.
pub const KEPT_BYTES_DEFAULT: usize = 16 << 20;

/// What a connection is for. An old page opens two, and says nothing about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    BlobsIn,
    ChunksIn,
    BlobsOut,
    ChunksOut,
}

impl Port {
    /// In the order of their numbers.
    pub const ALL: [Port; 4] = [
        Port::BlobsIn,
        Port::ChunksIn,
        Port::BlobsOut,
        Port::ChunksOut,
    ];

    /// Whether a publisher opens it.
    pub fn publishes(self) -> bool {
        matches!(self, Port::BlobsIn | Port::ChunksIn)
    }

    /// As the greeting names it.
    pub fn name(self) -> &'static str {
        match self {
            Port::BlobsIn => "blobs in",
            Port::ChunksIn => "chunks in",
            Port::BlobsOut => "blobs out",
            Port::ChunksOut => "chunks out",
        }
    }
}
