//! SIGINT and SIGTERM, for a client that has something to end in good order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The first signal asks for an end, the second one ends the program at once.
#[derive(Debug)]
pub(crate) struct Interrupt {
    is_asked: Arc<AtomicBool>,
    is_at_once: Arc<AtomicBool>,
}

impl Interrupt {
    /// From now on the first signal only asks for an end.
    pub fn register() -> io::Result<Interrupt> {
        let interrupt = Interrupt {
            is_asked: Arc::default(),
            is_at_once: Arc::default(),
        };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal arms what the second one meets.
            flag::register_conditional_default(signal, interrupt.is_at_once.clone())?;
            flag::register(signal, interrupt.is_at_once.clone())?;
            flag::register(signal, interrupt.is_asked.clone())?;
        }
        Ok(interrupt)
    }

    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }
}
