//! The promise: requests are read to the letter of RFC 9112, cut anywhere, and whatever two readers
//! could understand differently is refused before anybody acts on it.
//!
//! Section numbers are those of the standard.

mod talk;

mod s2_lines;
mod s3_targets;
mod s5_fields;
mod s6_bodies;
mod s7_chunks;
mod s9_connections;
