//! The slab of all sessions.
//!
//! Slots are freed by [`Sessions::free`] only, at the end of a turn. An id whose session is gone finds
//! nothing, even if a newer session has its slot.

use crate::session::{Client, IncomingHead, Session, SessionId};
use slab::Slab;
use std::ops::{Index, IndexMut};
use std::time::Instant;

#[derive(Debug)]
pub struct Sessions<S> {
    slots: Slab<Session<S>>,
    /// Of the next session. Wraps round after four billion.
    serial: u32,
    /// Sessions in state `Gone`, each once.
    gone: Vec<SessionId>,
}

impl<S> Sessions<S> {
    pub fn new() -> Sessions<S> {
        Sessions {
            slots: Slab::new(),
            serial: 0,
            gone: Vec::new(),
        }
    }

    pub fn insert(
        &mut self,
        socket: S,
        client: Client,
        head: IncomingHead,
        now: Instant,
    ) -> SessionId {
        let entry = self.slots.vacant_entry();
        let id = SessionId::new(entry.key(), self.serial);
        self.serial = self.serial.wrapping_add(1);
        entry.insert(Session::new(id, socket, client, head, now));
        id
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn get(&self, id: SessionId) -> Option<&Session<S>> {
        self.slots
            .get(id.slot())
            .filter(|session| session.id() == id)
    }

    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session<S>> {
        self.slots
            .get_mut(id.slot())
            .filter(|session| session.id() == id)
    }

    /// The session that has this slot now.
    pub fn at_slot(&self, slot: usize) -> Option<SessionId> {
        self.slots.get(slot).map(Session::id)
    }

    /// Slots that are or were in use.
    pub fn slots(&self) -> usize {
        self.slots.capacity()
    }

    /// Bytes of memory that the slots take.
    #[cfg(feature = "testing")]
    pub fn table_bytes(&self) -> usize {
        self.slots() * size_of::<Session<S>>()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Session<S>> {
        self.slots.iter().map(|(_, session)| session)
    }

    pub fn ids(&self) -> Vec<SessionId> {
        self.iter().map(Session::id).collect()
    }

    /// Notes a session that has just become `State::Gone`.
    pub fn gone(&mut self, id: SessionId) {
        debug_assert!(self[id].is_gone());
        self.gone.push(id);
    }

    pub fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Takes out gone sessions, up to `most` of them. Dropping one closes its socket.
    pub fn free(&mut self, most: usize, mut freed: impl FnMut(Session<S>)) {
        for id in self.gone.drain(..most.min(self.gone.len())) {
            if let Some(session) = self.slots.try_remove(id.slot()) {
                freed(session);
            }
        }
    }
}

/// # Panics
///
/// When the session is gone and its slot has been freed. Ids of this turn are safe; for an id that
/// was kept for longer, use [`Sessions::get`].
impl<S> Index<SessionId> for Sessions<S> {
    type Output = Session<S>;

    fn index(&self, id: SessionId) -> &Session<S> {
        self.get(id).expect("slots are freed at the end of a turn")
    }
}

impl<S> IndexMut<SessionId> for Sessions<S> {
    fn index_mut(&mut self, id: SessionId) -> &mut Session<S> {
        self.get_mut(id)
            .expect("slots are freed at the end of a turn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::State;
    use std::net::Ipv4Addr;

    #[test]
    fn id_of_a_freed_session_does_not_find_the_next_one_in_its_slot() {
        let mut sessions = Sessions::new();
        let now = Instant::now();
        let insert = |sessions: &mut Sessions<()>| {
            let client = Client::new(Ipv4Addr::LOCALHOST.into());
            sessions.insert((), client, IncomingHead::first(false, None), now)
        };
        let first = insert(&mut sessions);
        sessions[first].enter(State::Gone, now);
        sessions.gone(first);
        sessions.free(10, |session| assert_eq!(session.id(), first));
        let second = insert(&mut sessions);
        assert_eq!(first.slot(), second.slot());
        assert!(sessions.get(first).is_none() && sessions.get(second).is_some());
        assert_eq!(sessions.at_slot(second.slot()), Some(second));
    }
}
