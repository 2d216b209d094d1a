//! The promise: requests are parsed to the letter of RFC 9112 at any cut, and a request that two
//! parsers could understand differently is refused before it has any effect.
//!
//! Section numbers are those of the standard.

mod talk;

mod s2_lines;
mod s3_targets;
mod s5_fields;
mod s6_bodies;
mod s7_chunks;
mod s9_connections;
