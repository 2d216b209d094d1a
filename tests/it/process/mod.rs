//! The program as a process: commands, signals, service managers; the README and `docs/`.

mod cli;
mod load;
mod readme;
mod restart;
mod security;
mod service;
mod stop;
mod succession;
