//! The promise: frames are handled to the letter of RFC 6455, on the viewer's socket and on the
//! publisher's, whole or a byte at a time.
//!
//! The sections are those of the Autobahn test suite (0 is the handshake before them), transposed:
//! it tests echo servers, and this server echoes no message. So each valid input is followed by a
//! ping, which must be answered, and a close, which must be echoed; see [`peer::Lab`].

mod peer;

mod s0_handshake;
mod s10_large;
mod s1_framing;
mod s2_pings;
mod s3_reserved_bits;
mod s4_opcodes;
mod s5_fragments;
mod s6_utf8;
mod s7_closing;
