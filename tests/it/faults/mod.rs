//! What goes wrong, at one peer or around the server, costs the others nothing.

mod bad_input;
mod clients;
mod clock;
mod log;
mod resets;
mod without_fault;
