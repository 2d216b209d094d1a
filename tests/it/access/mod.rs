//! Which request may do what, and what a refusal shows.

mod auth_hook;
mod cors;
mod guards;
mod keys;
mod refusals;
mod secrets;
mod token;
