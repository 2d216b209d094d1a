//! HTTP requests and responses, as bytes (RFC 9110, RFC 9112).
//!
//! Nothing here opens a socket or reads a clock. [`parse_request`] makes a [`RequestHead`] of bytes;
//! [`response`] makes bytes of an answer.
//!
//! - `request`: request heads. Of their parts, `target` is the address, `fields` the field lines,
//!   `body` the length of the body, `credentials` the key, `fetch_metadata` what a browser reports,
//!   `accept` what a client prefers.
//! - [`chunked`]: chunked request bodies, without a copy.
//! - [`response`]: response heads; [`refusal`]: why a request is not served; [`redirect`]: from a
//!   plain address to its encrypted one; [`date`]: when an answer was made.
//! - [`host`]: a host and its port; [`base_path`]: the path prefix that all addresses may have.
//! - [`forwarded`], [`proxy_header`]: client addresses that a proxy reports.

mod accept;
pub mod base_path;
mod body;
pub mod chunked;
mod credentials;
pub mod date;
mod error;
mod fetch_metadata;
mod fields;
pub mod forwarded;
pub mod host;
mod method;
pub mod proxy_header;
pub mod redirect;
pub mod refusal;
mod request;
pub mod response;
#[cfg(test)]
pub(crate) mod sample;
mod target;

pub use body::Body;
pub use error::HttpError;
pub use method::{Method, Version};
pub use request::{FIELDS_MAX, HEAD_BYTES_DEFAULT, RequestHead, parse_request};
pub use target::{Query, RawQuery};
