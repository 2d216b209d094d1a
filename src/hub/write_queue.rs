//! Sessions to write to by themselves, rather than in a sweep: a reply waits, a viewer joins, a
//! full socket has room again.
//!
//! Short replies go first, so that a new client does not wait for all the large answers before its
//! own. One long reply has its turn after some short ones, so that neither kind starves.

use crate::session::SessionId;
use std::collections::VecDeque;

/// Bytes of a short reply, at most. The kernel takes these in one write.
const SHORT_BYTES_MAX: usize = 16 << 10;

/// Short replies written for each long one: they take about as long.
const SHORTS_PER_LONG: usize = 16;

/// Sessions, by what waits for them.
#[derive(Debug, Default)]
pub struct WriteQueue {
    short: VecDeque<SessionId>,
    long: VecDeque<SessionId>,
    /// Short ones taken since the last long one.
    shorts: usize,
}

impl WriteQueue {
    /// Adds a connection for which `waiting_bytes` wait.
    pub fn push(&mut self, id: SessionId, waiting_bytes: usize) {
        if waiting_bytes <= SHORT_BYTES_MAX {
            self.short.push_back(id);
        } else {
            self.long.push_back(id);
        }
    }

    pub fn pop(&mut self) -> Option<SessionId> {
        let is_long = self.short.is_empty() || self.shorts >= SHORTS_PER_LONG;
        if is_long && let Some(id) = self.long.pop_front() {
            self.shorts = 0;
            return Some(id);
        }
        self.shorts += 1;
        self.short.pop_front()
    }

    pub fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(slot: usize) -> SessionId {
        SessionId::new(slot, 0)
    }

    fn order(queue: &mut WriteQueue) -> Vec<usize> {
        let ids = std::iter::from_fn(|| queue.pop());
        ids.map(SessionId::slot).collect()
    }

    #[test]
    fn short_reply_does_not_wait_for_long_ones() {
        let mut queue = WriteQueue::default();
        for id in 0..4000 {
            queue.push(session(id), 1 << 20);
        }
        queue.push(session(4000), 100);
        assert_eq!(queue.pop(), Some(session(4000)));
        assert_eq!(order(&mut queue), (0..4000).collect::<Vec<_>>());
    }

    #[test]
    fn long_reply_waits_for_a_few_short_ones_at_most() {
        let mut queue = WriteQueue::default();
        queue.push(session(0), 1 << 20);
        for id in 1..=100 {
            queue.push(session(id), 100);
        }
        let place = order(&mut queue).iter().position(|&id| id == 0);
        assert_eq!(place, Some(SHORTS_PER_LONG));
    }

    #[test]
    fn each_session_is_taken_once_in_the_order_of_its_kind() {
        let mut queue = WriteQueue::default();
        for id in 0..100 {
            queue.push(session(id), if id % 2 == 0 { 1 } else { 1 << 20 });
        }
        assert_eq!(queue.len(), 100);
        let order = order(&mut queue);
        let even: Vec<_> = order.iter().copied().filter(|id| id % 2 == 0).collect();
        let odd: Vec<_> = order.iter().copied().filter(|id| id % 2 == 1).collect();
        assert!(even.is_sorted() && odd.is_sorted() && queue.is_empty());
        assert_eq!((even.len(), odd.len()), (50, 50));
    }
}
