//! WebSocket, as bytes (RFC 6455).
//!
//! - [`handshake`](mod@handshake), `client`: both ends of the opening handshake.
//! - `frames`: frames that are not media.
//! - [`frame_check`]: a client's frames, refused at the first wrong byte.
//! - [`messages`]: the text messages of the `videostream.v1` subprotocol.

mod client;
pub mod frame_check;
mod frames;
pub mod handshake;
pub mod messages;

pub use client::{HandshakeError, check_response, client_request, refusal_so_far};
pub use frames::{CloseCode, close_frame, media_head, ping_frame, text_frame};
pub use handshake::{Handshake, handshake, switching_protocols};
pub use messages::SUBPROTOCOL;
