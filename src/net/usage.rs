//! What this process has used, as the kernel tells it.

use crate::hub::Usage;
use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::time::Duration;

/// Two system calls, and the few for a file of `/proc`: some 10 us. Memory is 0 where there is no
/// `/proc`.
pub fn of_this_process() -> Usage {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    Usage {
        cpu: Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs() as u32),
        memory_bytes: resident_pages(&statm).unwrap_or(0) * page_size() as u64,
    }
}

/// proc(5): the second figure of `statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_pages_are_the_second_figure() {
        assert_eq!(resident_pages("12345 678 90 1 0 2 0\n"), Some(678));
        assert_eq!(resident_pages(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory_and_time() {
        let before = of_this_process();
        assert!(before.memory_bytes > 100_000 && !before.cpu.is_zero());
        assert!(of_this_process().cpu >= before.cpu);
    }
}
