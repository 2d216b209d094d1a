//! HTTP and WebSocket, as bytes.

pub mod framing;
