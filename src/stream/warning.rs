//! What a publisher should hear about its media.

use std::collections::VecDeque;

/// Warnings that wait to be told. A publisher that earns more gets the first of them.
const WAITING_MAX: usize = 8;

/// The same warning is given this often at most, in milliseconds.
const PAUSE_MS: u64 = 10_000;

/// Something that viewers get other than the publisher sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// Warnings on their way to the publisher, each once in a while.
#[derive(Debug, Default)]
pub struct Warnings {
    waiting: VecDeque<Warning>,
    /// The newest of each code, and when it was given.
    given: Vec<(Warning, u64)>,
}

impl Warnings {
    pub fn push(&mut self, code: &'static str, message: impl Into<String>, now_ms: u64) {
        let warning = Warning {
            code,
            message: message.into(),
        };
        let is_repeated = self.given.iter().any(|(given, given_ms)| {
            *given == warning && now_ms.saturating_sub(*given_ms) < PAUSE_MS
        });
        if is_repeated || self.waiting.len() >= WAITING_MAX {
            return;
        }
        self.given.retain(|(given, _)| given.code != code);
        self.given.push((warning.clone(), now_ms));
        self.waiting.push_back(warning);
    }

    pub fn poll(&mut self) -> Option<Warning> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_warning_is_given_once_in_ten_seconds() {
        let mut warnings = Warnings::default();
        for now_ms in [0, 1, 9_999, 10_000] {
            warnings.push("timestamps", "they step", now_ms);
            warnings.push("tracks", format!("at {now_ms}"), now_ms);
        }
        let codes: Vec<_> = std::iter::from_fn(|| warnings.poll())
            .map(|warning| warning.code)
            .collect();
        let (once, more) = ("timestamps", "tracks");
        assert_eq!(codes, [once, more, more, more, once, more]);
    }

    #[test]
    fn only_so_many_warnings_wait() {
        let mut warnings = Warnings::default();
        for n in 0..1000 {
            warnings.push("tracks", n.to_string(), 0);
        }
        assert_eq!(std::iter::from_fn(|| warnings.poll()).count(), WAITING_MAX);
    }
}
