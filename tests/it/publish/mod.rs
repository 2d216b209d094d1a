//! Any input of a publisher becomes a stream or a refusal.

mod ffmpeg;
mod http_publish;
mod interleaving;
mod lying_media;
mod offline;
mod publish_rate;
mod push;
mod push_to_server;
mod silence;
mod silent_tracks;
mod stalled;
mod takeover;
mod text_publisher;
