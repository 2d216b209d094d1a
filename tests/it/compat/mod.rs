//! The old protocol of node-videostream, beside an ordinary stream.

mod access;
mod hostile;
mod old;
mod relay;
mod stream;
mod time;
