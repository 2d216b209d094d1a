//! Picks a command; errors become exit codes.

fn main() {}
