//! The name of a session.

/// Names one session: its slot in the hub's slab, and a number that the next session in that slot does
/// not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    slot: u32,
    serial: u32,
}

impl SessionId {
    /// # Panics
    ///
    /// When `slot` is above four billion: no process has so many descriptors.
    pub fn new(slot: usize, serial: u32) -> SessionId {
        SessionId {
            slot: u32::try_from(slot).expect("descriptors are numbered by i32"),
            serial,
        }
    }

    pub fn slot(self) -> usize {
        self.slot as usize
    }
}
