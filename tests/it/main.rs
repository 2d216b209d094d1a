//! The promises of the server over real sockets: a folder for each kind of promise, a file for each
//! promise.

mod access;
mod common;
mod compat;
mod events;
mod faults;
mod http;
mod nodes;
mod process;
mod publish;
mod record;
mod simulation;
mod watch;

/// Tells the simulation what its hub holds.
#[global_allocator]
static ALLOCATOR: tracking_allocator::Allocator<std::alloc::System> =
    tracking_allocator::Allocator::system();
