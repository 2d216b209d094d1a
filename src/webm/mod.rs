//! Bytes become blocks, and blocks become Clusters.
//!
//! WebM is a subset of Matroska (RFC 9559), which is written in EBML (RFC 8794): elements of ID,
//! size and payload, some of which hold others. These few are all that matter here:
//!
//! ```text
//! EBML header     DocType
//! Segment
//! ├─ Info         TimestampScale
//! ├─ Tracks
//! │  └─ TrackEntry   TrackNumber, TrackType, CodecID, CodecPrivate, Video, Audio
//! └─ Cluster
//!    ├─ Timestamp
//!    ├─ SimpleBlock  track, relative timestamp, keyframe?, frame
//!    └─ BlockGroup   Block, and ReferenceBlock unless it is a keyframe
//! ```
//!
//! [`Segmenter`] reads a publisher's bytes; [`Recording::init_segment`] and [`ClusterWriter`]
//! write what viewers receive. [`mod@file`] writes recordings.

mod block;
mod cluster;
mod element;
mod endless;
mod error;
mod event;
pub mod file;
mod intake;
mod keyframe;
mod mime;
mod opus;
mod segmenter;
mod still;
mod tracks;
mod vint;

pub use block::BlockElement;
pub use cluster::{CLUSTER_HEAD_MAX, ClusterWriter, Placement, write_cluster_head};
pub use element::ElementId;
pub use endless::with_endless_segment;
pub use error::WebmError;
pub use event::{Block, ClusterHead, Event};
pub use segmenter::{BLOCK_BYTES_DEFAULT, INIT_BYTES_DEFAULT, Limits, Segmenter, TIMESTAMP_MS_MAX};
pub use still::{first_frame, keyframe_size, webp};
pub use tracks::{DocType, Recording, TRACKS_MAX, Track, TrackKind};
