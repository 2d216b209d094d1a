//! Promises about work and memory under floods and crowds. Each test keeps a whole core busy, so
//! they run apart from `it`.

#[path = "../it/common/mod.rs"]
mod common;
mod crowd;
mod memory;
mod on_air;
mod resources;
mod work_per_turn;
