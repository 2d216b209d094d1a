//! What the server costs: memory, time to start, size; and processor time while it has nothing to
//! do.
//!
//! `cargo bench --bench footprint` prints figures of `docs/benchmarks.md`, in three minutes.

#[path = "../fan_out/audience.rs"]
#[allow(dead_code, reason = "written for another bench")]
mod audience;
mod encrypted;
#[path = "../fan_out/feed.rs"]
mod feed;
mod idle;
#[path = "../server/mod.rs"]
mod server;
mod watching;
#[path = "../workload/mod.rs"]
mod workload;

use encrypted::Encrypted;
use idle::Crowd;
use server::{BINARY, Memory, Server};
use std::time::Duration;
use watching::Watching;

/// How much of everything.
struct Scale {
    starts: usize,
    few: usize,
    many: usize,
    /// Those of whose processor time the issue is, and how long it is counted.
    idlers: usize,
    idle_for: Duration,
    encrypted: Encrypted,
    watching: Watching,
}

const FULL: Scale = Scale {
    starts: 21,
    few: 100,
    many: 10_000,
    idlers: 1000,
    idle_for: Duration::from_secs(60),
    encrypted: Encrypted {
        few: 100,
        many: 2000,
    },
    watching: Watching {
        few: 50,
        many: 500,
        chunks: 160,
    },
};

/// Once, and small: `cargo bench -- --test`, or `cargo test --benches`.
const TEST: Scale = Scale {
    starts: 1,
    few: 10,
    many: 100,
    idlers: 50,
    idle_for: Duration::from_millis(300),
    encrypted: Encrypted { few: 5, many: 20 },
    watching: Watching {
        few: 2,
        many: 10,
        chunks: 10,
    },
};

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench")
        || std::env::args().any(|argument| argument == "--test");
    let scale = if is_test { TEST } else { FULL };
    rlimit::increase_nofile_limit(u64::MAX).expect("a higher limit of descriptors");

    let mut times: Vec<Duration> = (0..scale.starts)
        .map(|_| Server::start(&[]).start)
        .collect();
    times.sort();
    println!(
        "start to listening, median of {}: {:?}",
        scale.starts,
        times[scale.starts / 2]
    );

    let size = std::fs::metadata(BINARY).expect("the binary").len();
    println!("size of the binary: {:.2} MB", size as f64 / 1e6);

    let server = Server::start(&[]);
    let idle = server.memory();
    println!(
        "idle: {:.2} MiB resident, of which {:.2} MiB are not the binary's pages",
        mib(idle.resident),
        mib(idle.anonymous)
    );

    let mut crowd = Crowd::new();
    crowd.grow(&server, scale.few);
    let before = settled(&server, &mut crowd);
    crowd.grow(&server, scale.idlers);
    let share = idle_share(&server, &mut crowd, scale.idle_for);
    assert!(share < 0.005 || is_test, "idle, it takes {share}");
    crowd.grow(&server, scale.many);
    let after = settled(&server, &mut crowd);
    let slope = slope(before.resident, after.resident, scale.few, scale.many);
    println!(
        "idle WebSocket viewer: {slope:.0} bytes resident each, slope from {} to {} viewers",
        scale.few, scale.many
    );
    assert!(slope < 1024.0 || is_test, "a viewer costs {slope:.0} bytes");
    let share = idle_share(&server, &mut crowd, scale.idle_for);
    assert!(share < 0.01 || is_test, "idle, it takes {share}");

    let slope = scale.encrypted.measure();
    assert!(
        slope < 8192.0 || is_test,
        "an encrypted viewer costs {slope:.0} bytes"
    );

    scale.watching.measure();
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What each further viewer adds.
fn slope(before: u64, after: u64, few: usize, many: usize) -> f64 {
    after.saturating_sub(before) as f64 / (many - few) as f64
}

/// Memory once the server has read what was sent last.
fn settled(server: &Server, crowd: &mut Crowd) -> Memory {
    crowd.stay(Duration::from_millis(500));
    server.memory()
}

/// The part of one core that the server takes while nobody publishes.
fn idle_share(server: &Server, crowd: &mut Crowd, time: Duration) -> f64 {
    let before = server.cpu_time();
    crowd.stay(time);
    let share = (server.cpu_time() - before).as_secs_f64() / time.as_secs_f64();
    println!(
        "{} idle WebSocket viewers: {:.2} % of a core, over {time:?}",
        crowd.len(),
        share * 100.0
    );
    share
}
