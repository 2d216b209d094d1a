//! The promises of the server over real sockets: a folder for each kind of promise, a file for each
//! promise.

mod access;
mod common;
mod compat;
mod faults;
mod http;
mod process;
mod publish;
mod simulation;
mod watch;
