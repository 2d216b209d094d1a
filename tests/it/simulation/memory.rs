//! What the simulated hub holds: the bytes that the allocator gave it and has not back.
//!
//! It is the allocator's own figure, and no model of it: a model would agree with the hub's accounts where
//! they forget something, and could not fall within a turn, when the hub looks whether it has freed enough.
//! Counted is what is allocated while the hub runs on this thread, wherever it is freed; the simulated
//! sockets are the kernel's and do not count. A seed gives the same figures, but for some bytes of hash
//! maps, which std seeds anew for each process.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Once;
use tracking_allocator::{
    AllocationGroupId, AllocationGroupToken, AllocationRegistry, AllocationTracker,
};
use videostream::pages;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

struct Tracker;

impl AllocationTracker for Tracker {
    fn allocated(&self, _: usize, size: usize, _: usize, group: AllocationGroupId) {
        if group != AllocationGroupId::ROOT {
            HELD.set(HELD.get() + size);
        }
    }

    fn deallocated(
        &self,
        _: usize,
        size: usize,
        _: usize,
        source: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        if source != AllocationGroupId::ROOT {
            HELD.set(HELD.get().saturating_sub(size));
        }
    }
}

/// Counts what one hub holds.
pub struct Meter {
    group: AllocationGroupToken,
    /// What was held before the hub served anything.
    base: usize,
    readings: Rc<Readings>,
}

/// The least and the most that the hub has been told since they were last taken.
struct Readings {
    least: Cell<usize>,
    most: Cell<usize>,
}

impl Meter {
    pub fn new() -> Meter {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            AllocationRegistry::set_global_tracker(Tracker).expect("it is the only one");
            AllocationRegistry::enable_tracking();
            // The table of pages is made once in a process, and belongs to no hub.
            pages::page("home/home.html").expect("there is a home page");
        });
        Meter {
            group: AllocationGroupToken::register().expect("there are enough numbers"),
            base: 0,
            readings: Rc::new(Readings {
                least: Cell::new(usize::MAX),
                most: Cell::new(0),
            }),
        }
    }

    /// What the hub asks for the bytes that are allocated.
    pub fn allocated(&self) -> impl Fn() -> usize + 'static {
        let readings = self.readings.clone();
        move || {
            let held = HELD.get();
            readings.least.set(readings.least.get().min(held));
            readings.most.set(readings.most.get().max(held));
            held
        }
    }

    /// What is allocated meanwhile counts.
    pub fn count<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let _guard = self.group.enter();
        run()
    }

    /// What is allocated from now on counts for `--max-memory`.
    pub fn start(&mut self) {
        self.base = HELD.get();
    }

    pub fn held(&self) -> usize {
        HELD.get().saturating_sub(self.base)
    }

    /// The least and the most that the hub was told since this was last asked, less the base.
    pub fn take_readings(&self) -> (usize, usize) {
        let least = self.readings.least.replace(usize::MAX);
        let most = self.readings.most.replace(0);
        (
            least.saturating_sub(self.base),
            most.saturating_sub(self.base),
        )
    }
}

/// What this allocates does not count.
pub fn of_the_kernel<R>(run: impl FnOnce() -> R) -> R {
    AllocationRegistry::untracked(run)
}
