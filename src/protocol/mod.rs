//! HTTP and WebSocket, as bytes.
//!
//! - [`control`]: the text messages of the `videostream.v1` subprotocol.

pub mod control;
