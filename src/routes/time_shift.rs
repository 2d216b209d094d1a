//! How far behind live a stream is asked for.

use crate::http::RequestHead;
use crate::http::refusal::Refusal;
use std::time::Duration;

/// `?t=-SECONDS` of a request. Zero without it.
pub fn how_far_back(head: &RequestHead) -> Result<Duration, Refusal> {
    let Some(text) = head.query.value("t") else {
        return Ok(Duration::ZERO);
    };
    let seconds = text.strip_prefix('-').unwrap_or(text);
    let is_number = seconds
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: Option<f64> = seconds.parse().ok().filter(|_| is_number);
    // Longer than any stream.
    let seconds = seconds.map(|seconds| seconds.min(1e9));
    match seconds.map(Duration::from_secs_f64) {
        Some(back) if back.is_zero() || text.starts_with('-') => Ok(back),
        _ => Err(Refusal::new(
            400,
            "t is how far back to begin: minus and seconds, as in ?t=-30",
        )),
    }
}
