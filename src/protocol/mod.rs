//! HTTP and WebSocket, as bytes.
//!
//! Nothing here opens a socket, reads a clock or knows a stream: bytes come in, and heads, routes,
//! refusals and more bytes come out. One request passes through in this order:
//!
//! ```text
//! bytes ─► http::parse_request ─► route::route ─► access::Access ─► response::ResponseHead ─► bytes
//!               RequestHead           Route         yes or no         or a Refusal
//! ```
//!
//! - [`http`]: request heads, and in `target` their addresses (RFC 9112).
//! - [`route`]: which address means what, and what is refused there.
//! - [`access`]: rules for publishing and watching: keys, and what goes before them.
//! - [`token`]: signed links; [`origin`]: what pages elsewhere may do here.
//! - [`base_path`]: the path prefix that all addresses may have; [`date`]: when an answer was made.
//! - [`redirect`]: from a plain address to its encrypted one.
//! - [`refusal`]: why a request is not served; [`response`]: response heads, and refusals as small plain-text responses.
//! - [`framing`]: media, framed once for every viewer.
//! - [`chunked`]: chunked request bodies, without a copy.
//! - [`forwarded`], [`proxy_header`]: client addresses that a proxy reports.
//! - [`websocket`]: both ends of the opening handshake; the frames that are not media (RFC 6455).
//! - [`frame_check`]: a client's frames, refused at the first wrong byte.
//! - [`control`]: the text messages of the `videostream.v1` subprotocol.

pub mod access;
pub mod base_path;
pub mod chunked;
pub mod control;
pub mod date;
pub mod forwarded;
pub mod frame_check;
pub mod framing;
pub mod host;
pub mod http;
pub mod origin;
pub mod proxy_header;
pub mod redirect;
pub mod refusal;
pub mod response;
pub mod route;
mod target;
pub mod token;
pub mod websocket;
