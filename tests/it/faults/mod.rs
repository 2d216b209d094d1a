//! A fault of one peer, or around the server, costs other clients nothing.

mod bad_input;
mod clients;
mod clock;
mod log;
mod resets;
mod without_fault;
