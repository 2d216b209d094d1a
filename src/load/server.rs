//! What the server's process costs, as `/proc` tells it.

use std::fs;
use std::io;

/// CPU time and memory at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// In user and in kernel mode, all threads, since the process began.
    pub cpu_s: f64,
    pub rss_bytes: u64,
    /// Since the process began.
    pub rss_bytes_peak: u64,
}

impl Usage {
    pub fn of(pid: u32) -> io::Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let ticks_per_s = rustix::param::clock_ticks_per_second();
        parse(&stat, &status, ticks_per_s)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc is not as expected"))
    }
}

/// proc(5): utime and stime are the 14th and 15th field of `stat`. The second, the name, may hold
/// spaces and parentheses, so counting begins behind its last one.
fn parse(stat: &str, status: &str, ticks_per_s: u64) -> Option<Usage> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    // In KiB. A process that has ended, and was not waited for, has none.
    let memory = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        kib.unwrap_or(0u64) * 1024
    };
    Some(Usage {
        cpu_s: ticks as f64 / ticks_per_s.max(1) as f64,
        rss_bytes: memory("VmRSS:"),
        rss_bytes_peak: memory("VmHWM:"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_mislead() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 9 1 1";
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let usage = Usage {
            cpu_s: 2.0,
            rss_bytes: 1 << 20,
            rss_bytes_peak: 2 << 20,
        };
        assert_eq!(parse(stat, status, 100), Some(usage));
        assert_eq!(parse("7 (a) S 1", status, 100), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_memory() {
        assert!(Usage::of(std::process::id()).unwrap().rss_bytes > 0);
        assert!(Usage::of(u32::MAX).is_err());
    }
}
