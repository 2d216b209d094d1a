//! A limit of memory for one server, and what the kernel holds for it.
//!
//! - By cgroup v2: the process, kernel objects such as sockets, and TCP buffers, all together.
//! - By cgroup v1: the process and kernel objects. TCP buffers have a limit of their own, which
//!   kernels exceed rather than fail a send; setting it makes them count.
//! - By `ulimit -d`, where there is neither: the data of the process alone.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::Context;

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// Ends, and frees its group, when it is dropped: after the server.
#[derive(Debug)]
pub struct Limit {
    mib: u64,
    by: By,
}

#[derive(Debug)]
enum By {
    V1(PathBuf),
    V2(PathBuf),
    Ulimit,
}

/// What the kernel holds for the server, in bytes; with cgroup v1 the most that it ever held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Sockets, descriptors, epoll's entries.
    pub objects: u64,
    /// What is sent and not yet acknowledged.
    pub tcp: u64,
}

/// How often the limit was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    pub memory: u64,
    pub tcp: u64,
    pub kills: u64,
}

impl Limit {
    pub fn new(mib: u64) -> anyhow::Result<Limit> {
        let bytes = (mib << 20).to_string();
        let name = format!("videostream-compare-{}", process::id());
        let by = if Path::new(V1).join("memory.limit_in_bytes").exists() {
            By::V1(Path::new(V1).join(name))
        } else if Path::new(V2).join("cgroup.controllers").exists() {
            By::V2(Path::new(V2).join(name))
        } else {
            By::Ulimit
        };
        let limit = Limit { mib, by };
        let files: &[&str] = match &limit.by {
            By::V1(_) => &["memory.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes"],
            By::V2(_) => &["memory.max"],
            By::Ulimit => &[],
        };
        if let Some(folder) = limit.folder() {
            let told = || format!("{}: as root, please", folder.display());
            fs::create_dir(folder).with_context(told)?;
            for file in files {
                fs::write(folder.join(file), &bytes).with_context(told)?;
            }
        }
        Ok(limit)
    }

    fn folder(&self) -> Option<&Path> {
        match &self.by {
            By::V1(folder) | By::V2(folder) => Some(folder),
            By::Ulimit => None,
        }
    }

    /// The same command, under the limit from its first instruction. It keeps its process.
    pub fn around(&self, command: &Command) -> Command {
        let script = match self.folder() {
            Some(folder) => format!("echo $$ > {}/cgroup.procs", folder.display()),
            None => format!("ulimit -d {}", self.mib << 10),
        };
        let mut around = Command::new("sh");
        around.args(["-c", &format!("{script} && exec \"$@\""), "sh"]);
        around.arg(command.get_program()).args(command.get_args());
        around
    }

    pub fn kernel(&self) -> Kernel {
        match &self.by {
            By::V1(folder) => Kernel {
                objects: number(folder, "memory.kmem.max_usage_in_bytes"),
                tcp: number(folder, "memory.kmem.tcp.max_usage_in_bytes"),
            },
            By::V2(folder) => {
                let stat = read(folder, "memory.stat");
                Kernel {
                    objects: field(&stat, "kernel"),
                    tcp: field(&stat, "sock"),
                }
            }
            By::Ulimit => Kernel::default(),
        }
    }

    pub fn hits(&self) -> Hits {
        match &self.by {
            By::V1(folder) => Hits {
                memory: number(folder, "memory.failcnt"),
                tcp: number(folder, "memory.kmem.tcp.failcnt"),
                kills: field(&read(folder, "memory.oom_control"), "oom_kill"),
            },
            By::V2(folder) => {
                let events = read(folder, "memory.events");
                Hits {
                    memory: field(&events, "max"),
                    tcp: 0,
                    kills: field(&events, "oom_kill"),
                }
            }
            By::Ulimit => Hits::default(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let covers = match self.by {
            By::V1(_) => {
                "cgroup v1: process and kernel objects; TCP buffers are counted, hardly limited"
            }
            By::V2(_) => "cgroup v2: process, kernel objects and TCP buffers together",
            By::Ulimit => "ulimit -d: the data of the process alone",
        };
        f.write_str(covers)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Some(folder) = self.folder()
            && let Err(error) = fs::remove_dir(folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            eprintln!("{}: {error}", folder.display());
        }
    }
}

/// Bytes of TCP buffers on this machine, the load tester's among them.
pub fn tcp_of_machine() -> u64 {
    let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    tcp_pages(&sockstat).unwrap_or(0) * rustix::param::page_size() as u64
}

fn tcp_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|&word| word == "mem")?;
    words.next()?.parse().ok()
}

/// A file that this kernel does not have counts nothing.
fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_default()
}

fn number(folder: &Path, file: &str) -> u64 {
    read(folder, file).trim().parse().unwrap_or(0)
}

fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| {
        let (field, value) = line.split_once(' ')?;
        (field == name).then(|| value.parse().ok())?
    });
    value.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!((field(text, "oom_kill"), field(text, "oom")), (3, 0));
        let sockstat = "sockets: used 9\nTCP: inuse 5 orphan 0 tw 1 alloc 5 mem 11\nUDP: mem 3\n";
        assert_eq!(tcp_pages(sockstat), Some(11));
    }

    #[test]
    fn a_command_is_wrapped_whole() {
        let limit = Limit {
            mib: 32,
            by: By::Ulimit,
        };
        let mut command = Command::new("echo");
        command.args(["a b", "c"]);
        let output = limit.around(&command).output().unwrap();
        assert_eq!(output.stdout, b"a b c\n");
    }
}
