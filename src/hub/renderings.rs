//! Texts that many clients ask for are rendered once, and clients with the same view share them.
//!
//! A rendering is good for a second. Within that second a newer one is made as long as that is
//! cheap: while the budget of work lasts, which occasional requests do not spend and a crowd soon
//! does, and while clients that do not read keep few old renderings alive.
//!
//! Pure: texts and the time come in.

use crate::http::base_path::BasePath;
use crate::metrics::{TextFormat, Texts};
use bytes::{Bytes, BytesMut};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a rendering is good.
const AGE_MAX: Duration = Duration::from_secs(1);

/// What one rendering costs beside its streams, counted in streams.
const BASE_COST: usize = 16;

/// Streams rendered in a second to keep reports up to date. One takes 8 us: this is an eighth of
/// the time.
const STREAMS_PER_SECOND: usize = 16_000;

/// Bytes of renderings that are not read yet, from which on they are shared for a second.
const UNREAD_BYTES: usize = 512 << 10;

/// Bytes of renderings that are kept for later requests. Clients with different keys may see many
/// different things.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// Renderings that are kept, so that looking for one stays cheap.
const KEPT_MAX: usize = 256;

/// What is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `/api/streams`.
    Streams {
        /// Whether a key would show more.
        locked: bool,
        /// Of the links in it.
        prefix: BasePath,
    },
    /// `/api/streams/NAME`.
    Stream { prefix: BasePath },
    /// `/metrics`.
    Metrics(TextFormat),
}

/// The names of the reported streams, in their order: clients that may see these streams see the
/// same.
pub type Names = Vec<Arc<str>>;

#[derive(Debug)]
struct Rendering {
    what: What,
    names: Names,
    bytes: Bytes,
    made_at: Instant,
}

#[derive(Debug)]
pub struct Renderings {
    /// Oldest first.
    kept: Vec<Rendering>,
    /// Older ones that clients may still hold.
    outdated: Vec<Bytes>,
    /// What may be spent on newer ones, in streams.
    budget: usize,
    earned_at: Instant,
    /// What texts are written in before they are kept.
    texts: Texts,
}

impl Renderings {
    pub fn new(now: Instant) -> Renderings {
        Renderings {
            kept: Vec::new(),
            outdated: Vec::new(),
            budget: STREAMS_PER_SECOND,
            earned_at: now,
            texts: Texts::default(),
        }
    }

    /// Memory to write a text in. [`Renderings::return_texts`] takes it back.
    pub fn take_texts(&mut self) -> Texts {
        mem::take(&mut self.texts)
    }

    pub fn return_texts(&mut self, texts: Texts) {
        self.texts = texts;
    }

    /// A rendering that is good enough; `None` when one is to be made, and given to
    /// [`Renderings::keep`].
    pub fn find(&mut self, what: &What, names: &Names, now: Instant) -> Option<Bytes> {
        self.earn(now);
        let cost = BASE_COST + names.len();
        let is_affordable = cost <= self.budget && self.unread_bytes() < UNREAD_BYTES;
        let kept = self
            .kept
            .iter()
            .find(|kept| kept.what == *what && kept.names == *names);
        let is_good = |kept: &&Rendering| now.saturating_duration_since(kept.made_at) < AGE_MAX;
        if !is_affordable && let Some(kept) = kept.filter(is_good) {
            return Some(kept.bytes.clone());
        }
        self.budget = self.budget.saturating_sub(cost);
        None
    }

    /// Keeps a rendering for later requests, and returns it. It reuses the memory of the previous
    /// one unless a client still holds that.
    pub fn keep(&mut self, what: What, names: Names, text: &[u8], now: Instant) -> Bytes {
        let is_replaced = |kept: &Rendering| kept.what == what && kept.names == names;
        let replaced = self.kept.iter().position(is_replaced);
        let mut room = BytesMut::new();
        if let Some(index) = replaced {
            match self.kept.remove(index).bytes.try_into_mut() {
                Ok(old) => room = old,
                Err(old) => self.outdated.push(old),
            }
        }
        if room.capacity() < text.len() {
            // Little more than the text needs: a client may hold it for long.
            room = BytesMut::with_capacity(text.len() + text.len() / 64);
        }
        room.clear();
        room.extend_from_slice(text);
        let bytes = room.freeze();
        self.kept.push(Rendering {
            what,
            names,
            bytes: bytes.clone(),
            made_at: now,
        });
        let mut kept_bytes: usize = self.kept.iter().map(|kept| kept.bytes.len()).sum();
        while self.kept.len() > KEPT_MAX || kept_bytes > KEPT_BYTES_MAX {
            let oldest = self.kept.remove(0).bytes;
            kept_bytes -= oldest.len();
            self.outdated.push(oldest);
        }
        bytes
    }

    /// Drops renderings that are too old. Returns the bytes that clients still hold of them.
    pub fn tend(&mut self, now: Instant) -> usize {
        let is_old = |kept: &mut Rendering| now.saturating_duration_since(kept.made_at) >= AGE_MAX;
        self.outdated
            .extend(self.kept.extract_if(.., is_old).map(|old| old.bytes));
        self.unread_bytes()
    }

    fn earn(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.earned_at);
        let earned = elapsed.as_secs_f64() * STREAMS_PER_SECOND as f64;
        // Less than one stream is earned with the next call.
        if earned >= 1.0 {
            self.budget = (self.budget + earned as usize).min(STREAMS_PER_SECOND);
            self.earned_at = now;
        }
    }

    /// Bytes of outdated renderings that clients still hold.
    fn unread_bytes(&mut self) -> usize {
        self.outdated.retain(|bytes| !bytes.is_unique());
        self.outdated.iter().map(Bytes::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: What = What::Metrics(TextFormat::Prometheus);

    fn streams() -> What {
        What::Streams {
            locked: false,
            prefix: BasePath::default(),
        }
    }

    fn names(count: usize) -> Names {
        (0..count).map(|index| format!("s{index}").into()).collect()
    }

    /// Asks, as the hub does. Returns the text, and whether it was made for this one.
    fn ask(renderings: &mut Renderings, what: What, names: &Names, now: Instant) -> (Bytes, bool) {
        if let Some(bytes) = renderings.find(&what, names, now) {
            return (bytes, false);
        }
        let text = vec![7; 1000 * names.len()];
        (renderings.keep(what, names.clone(), &text, now), true)
    }

    #[test]
    fn an_occasional_request_gets_a_rendering_of_its_own() {
        let start = Instant::now();
        let mut renderings = Renderings::new(start);
        for ms in 0..500 {
            let now = start + Duration::from_millis(ms * 10);
            assert!(ask(&mut renderings, METRICS, &names(2), now).1);
        }
    }

    #[test]
    fn a_crowd_shares_renderings_a_second_old_at_most() {
        let start = Instant::now();
        let mut renderings = Renderings::new(start);
        let mut made = 0;
        for ask_ms in 0..5000 {
            let now = start + Duration::from_millis(ask_ms);
            made += usize::from(ask(&mut renderings, METRICS, &names(256), now).1);
        }
        // A burst, and what five seconds earn.
        assert!((5..=6 * STREAMS_PER_SECOND / 256).contains(&made), "{made}");
    }

    #[test]
    fn answers_that_are_not_read_share_memory() {
        let start = Instant::now();
        let mut renderings = Renderings::new(start);
        let names = names(250);
        let mut held = Vec::new();
        for ask_ms in 0..500 {
            let now = start + Duration::from_millis(ask_ms);
            held.push(ask(&mut renderings, streams(), &names, now).0);
        }
        let mut ends: Vec<_> = held.iter().map(|bytes| bytes.as_ptr()).collect();
        ends.dedup();
        assert!(
            ends.len() * 250_000 < UNREAD_BYTES + 1_000_000,
            "{}",
            ends.len()
        );
        let later = start + Duration::from_secs(3);
        assert_eq!(renderings.tend(later), ends.len() * 250_000);
        drop(held);
        assert_eq!(renderings.tend(later), 0);
        assert!(renderings.kept.is_empty() && renderings.outdated.is_empty());
    }

    #[test]
    fn a_rendering_takes_the_memory_of_the_one_before() {
        let now = Instant::now();
        let mut renderings = Renderings::new(now);
        let names = names(2);
        let first = ask(&mut renderings, METRICS, &names, now).0;
        let place = first.as_ptr();
        // A client still reads the first one.
        let second = ask(&mut renderings, METRICS, &names, now).0;
        assert_ne!(second.as_ptr(), place);
        drop((first, second));
        assert_ne!(ask(&mut renderings, METRICS, &names, now).0.as_ptr(), place);
        let third = ask(&mut renderings, METRICS, &names, now).0.as_ptr();
        assert_eq!(ask(&mut renderings, METRICS, &names, now).0.as_ptr(), third);
    }

    #[test]
    fn clients_with_other_visible_streams_get_other_renderings() {
        let now = Instant::now();
        let mut renderings = Renderings::new(now);
        renderings.budget = 0;
        let (all, some) = (names(3), names(2));
        let first = ask(&mut renderings, METRICS, &all, now);
        assert!(first.1);
        assert!(ask(&mut renderings, METRICS, &some, now).1);
        assert!(ask(&mut renderings, streams(), &all, now).1);
        let below = What::Streams {
            locked: false,
            prefix: "/video".parse().unwrap(),
        };
        assert!(ask(&mut renderings, below, &all, now).1);
        assert_eq!(ask(&mut renderings, METRICS, &all, now), (first.0, false));
    }

    #[test]
    fn kept_renderings_are_bounded() {
        let now = Instant::now();
        let mut renderings = Renderings::new(now);
        for index in 0..1000 {
            let name = names(index % 100 + 1).into_iter().rev().collect();
            ask(&mut renderings, streams(), &name, now);
            let kept: usize = renderings.kept.iter().map(|kept| kept.bytes.len()).sum();
            assert!(renderings.kept.len() <= KEPT_MAX && kept <= KEPT_BYTES_MAX);
        }
        assert!(renderings.outdated.len() <= 1);
    }
}
