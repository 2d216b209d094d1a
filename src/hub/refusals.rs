//! Refusals: each is counted by its cause and logged, and a flood of them is summed up.
//!
//! A refused client may come again at once, and many may: so at most [`LINES_MAX`] lines are written
//! in a second, of one client [`LINES_OF_CLIENT_MAX`], and one more says how many there were besides.

use super::Hub;
use crate::http::RequestHead;
use crate::http::forwarded::counted_as;
use crate::http::refusal::{Cause, Refusal};
use crate::session::{SessionId, Socket, State};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time for which lines are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Lines in a second: a reader keeps up, and 100 bytes each fill no disk.
const LINES_MAX: usize = 10;

/// Lines in a second about one client, so that the others are seen beside it.
const LINES_OF_CLIENT_MAX: usize = 3;

/// Characters of an address that are logged.
const ADDRESS_CHARS_MAX: usize = 100;

/// How many refusals have been logged lately, and how many have not.
#[derive(Debug, Default)]
pub struct RefusalLog {
    window: Option<Instant>,
    /// Clients of this window's lines, as they are counted. Invariant: at most [`LINES_MAX`].
    clients: Vec<IpAddr>,
    /// Refusals of this window without a line.
    unlogged: u64,
}

impl RefusalLog {
    /// Whether a refusal of this client is to have a line of its own.
    fn admit(&mut self, client: IpAddr, now: Instant) -> bool {
        if self.window.is_none() {
            self.window = Some(now);
        }
        let client = counted_as(client);
        let of_client = self
            .clients
            .iter()
            .filter(|&&other| other == client)
            .count();
        let is_logged = self.clients.len() < LINES_MAX && of_client < LINES_OF_CLIENT_MAX;
        if is_logged {
            self.clients.push(client)
        } else {
            self.unlogged += 1
        }
        is_logged
    }

    /// When the window ends, if there is something to sum up then.
    pub fn wake_at(&self) -> Option<Instant> {
        self.window
            .filter(|_| self.unlogged > 0)
            .map(|since| since + WINDOW)
    }

    /// Ends a window that is over. Returns how many refusals had no line in it.
    fn sum_up(&mut self, now: Instant) -> u64 {
        let is_over = self
            .window
            .is_some_and(|since| now.saturating_duration_since(since) >= WINDOW);
        if !is_over {
            return 0;
        }
        self.window = None;
        self.clients.clear();
        std::mem::take(&mut self.unlogged)
    }
}

impl<S: Socket> Hub<S> {
    /// Counts a refusal, and logs it. No key, token or query is in what is logged.
    pub(super) fn note_refusal(
        &mut self,
        id: SessionId,
        refusal: &Refusal,
        head: Option<&RequestHead>,
        stream: Option<&str>,
    ) {
        let peer = self.sessions[id].address();
        let client = match head {
            Some(head) => self
                .settings
                .proxies
                .client(peer, head.forwarded_for.as_deref()),
            None => peer,
        };
        let Some(cause) = refusal.cause else {
            return;
        };
        if !self.count_refusal(cause, client) {
            return;
        }
        // The client learns no more than that it showed no valid key or token.
        let has_shown = head.is_some_and(|head| !head.keys.is_empty() || head.token.is_some());
        let why = match cause {
            Cause::Key | Cause::Token if !has_shown => "no key and no token",
            Cause::Key => "the key is wrong",
            Cause::Token => "the token does not open this",
            _ => &*refusal.reason,
        };
        let (status, cause) = (refusal.status, cause.as_str());
        let stream = stream.map(tracing::field::display);
        let address = head.map(|head| {
            let path: String = head.path.chars().take(ADDRESS_CHARS_MAX).collect();
            tracing::field::debug(path)
        });
        tracing::warn!(%client, stream, address, status, reason = cause, "refused: {why}");
    }

    /// Counts a refusal. Returns whether it is to have a line in the log.
    pub(super) fn count_refusal(&mut self, cause: Cause, client: IpAddr) -> bool {
        self.books.counters.refusals.count(cause);
        self.sum_up_refusals();
        self.books.refusals.admit(client, self.clock.now())
    }

    /// Says how many refusals had no line, once the second is over.
    pub(super) fn sum_up_refusals(&mut self) {
        let more = self.books.refusals.sum_up(self.clock.now());
        if more > 0 {
            tracing::warn!(more, "refused {more} more");
        }
    }

    /// The stream that a connection is about, if it is about one.
    pub(super) fn stream_of(&self, id: SessionId) -> Option<String> {
        let stream_id = match self.sessions[id].state() {
            State::Posting(posting) => return Some(posting.name.to_string()),
            State::Publishing(publisher) => publisher.stream(),
            State::Viewing { viewer, .. } => viewer.stream(),
            _ => return None,
        };
        Some(self.streams.stream(stream_id).name().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn flood_of_one_client_leaves_lines_for_others() {
        let now = Instant::now();
        let mut log = RefusalLog::default();
        let lines = (0..1000).filter(|_| log.admit(client(1), now)).count();
        assert_eq!(lines, LINES_OF_CLIENT_MAX);
        assert!(log.admit(client(2), now));
        assert_eq!(log.wake_at(), Some(now + WINDOW));
        assert_eq!(log.sum_up(now + WINDOW / 2), 0);
        assert_eq!(log.sum_up(now + WINDOW), 1000 - LINES_OF_CLIENT_MAX as u64);
        assert_eq!((log.sum_up(now + WINDOW), log.wake_at()), (0, None));
        assert!(log.admit(client(1), now + WINDOW));
    }

    #[test]
    fn many_clients_together_get_a_bounded_number_of_lines() {
        let now = Instant::now();
        let mut log = RefusalLog::default();
        let lines = (0..=255)
            .filter(|&last| log.admit(client(last), now))
            .count();
        assert_eq!(lines, LINES_MAX);
        assert_eq!(log.sum_up(now + WINDOW), 256 - LINES_MAX as u64);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let now = Instant::now();
        let mut log = RefusalLog::default();
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let lines = (0..50)
            .filter(|&last| log.admit(address(last), now))
            .count();
        assert_eq!(lines, LINES_OF_CLIENT_MAX);
    }
}
