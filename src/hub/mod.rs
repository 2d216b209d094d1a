//! All sessions and all streams.

pub(crate) mod answer;
pub(crate) mod asking;
pub(crate) mod broadcast;
pub(crate) mod candidate;
pub(crate) mod clients;
pub(crate) mod deadlines;
pub(crate) mod fan_in;
pub(crate) mod fan_out;
pub(crate) mod introduction;
pub(crate) mod media_clock;
pub(crate) mod memory;
pub(crate) mod posters;
pub(crate) mod refusals;
pub(crate) mod renderings;
pub(crate) mod reports;
pub(crate) mod requests;
pub(crate) mod resting;
pub(crate) mod roles;
pub(crate) mod stall;
pub(crate) mod sweep;
pub(crate) mod unsent;
pub(crate) mod verdicts;
pub(crate) mod waited;
pub(crate) mod write_queue;
