//! What early and late, fast and slow viewers get.

mod batching;
mod late_join;
mod segmenter;
mod segments;
mod slow_viewer;
mod stream;
