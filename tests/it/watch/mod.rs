//! What viewers get, early or late, fast or slow.

mod batching;
mod late_join;
mod segmenter;
mod slow_viewer;
mod stream;
