//! Promises about work and memory under floods and crowds. They measure a server that has work for a
//! whole core, so they run apart from `it`.

#[path = "../it/common/mod.rs"]
mod common;
mod crowd;
mod memory;
mod resources;
mod work_per_turn;
