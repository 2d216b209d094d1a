//! What a figure is worth nothing without: the machine, and the day.

use std::fmt;
use std::fs;
use std::time::SystemTime;

/// The machine that measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    pub date: String,
}

impl Machine {
    pub fn here() -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Machine {
            cpu: cpu(&cpuinfo).unwrap_or("an unknown CPU").to_owned(),
            cores: cpuinfo.matches("processor\t").count(),
            memory_mib: memory_kib(&read("/proc/meminfo")).unwrap_or(0) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            date: date[..10].to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            cpu,
            cores,
            memory_mib,
            kernel,
            date,
        } = self;
        write!(
            f,
            "{cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, {date}"
        )
    }
}

fn cpu(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn memory_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_tells_cpu_and_memory() {
        assert_eq!(cpu("processor\t: 0\nmodel name\t: A CPU\n"), Some("A CPU"));
        assert_eq!(memory_kib("MemTotal:        2048 kB\n"), Some(2048));
        assert_eq!((cpu(""), memory_kib("")), (None, None));
    }

    #[test]
    fn the_date_is_a_day() {
        assert_eq!(Machine::here().date.len(), "2026-01-31".len());
    }
}
