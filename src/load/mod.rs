//! `videostream load`: many viewers, cheap enough that the server is what is measured.
//!
//! ```text
//! publishers ──► server ──► crowd: the kernel discards and counts (MSG_TRUNC); over TLS we do
//!  (clip, stamps)       └─► watched: frames, WebM, stamps taken apart and judged
//!                lead ◄───── news of both, a report at the end
//! ```
//!
//! - The question: `options`, `target`, `conditions`; the places of the viewers: `plan`.
//! - A viewer: `viewer` goes from its `socket` over the `answer` to the media, `unframe` and `judge`
//!   look at these, `crew` runs many; `wire` is what TLS makes of the socket.
//! - Our own publisher: `clip` (a file, or `synthetic`), `stamp`, `publisher`.
//! - The run: `parts` are threads and processes, `lead` tells them when to measure, `strain` whether
//!   they can keep up.
//! - The results: `findings` on their way, `timeline`, `report`, and for people `progress`, `table`
//!   and `page`.
//!
//! Delay is from just before the publisher's `send` to just after the viewer's `recv`, both by the
//! machine's monotonic clock, of the last block in each chunk. Delays and bytes are of the measured
//! time alone: from when all viewers are there. Joins, failures and faults count from the start.

mod answer;
mod clip;
mod conditions;
mod crew;
mod findings;
mod judge;
mod lead;
mod options;
mod page;
mod parts;
mod plan;
mod progress;
mod publisher;
mod report;
mod segments;
mod server;
mod socket;
mod stamp;
mod strain;
mod synthetic;
mod table;
mod target;
mod timeline;
mod unframe;
mod viewer;
mod wire;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use options::{Options, Protocol};
pub use parts::{WORKER_COMMAND, worker};
pub use report::Report;

use crate::client::TrustError;
use crate::config::BitRate;
use clip::{Clip, ClipError, Playback};
use conditions::Conditions;
use parts::{Processes, TooFew};
use plan::{Part, Plan};
use publisher::{Program, PublishError, Publisher};
use server::Usage;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{option}: {reason}")]
    Usage { option: String, reason: String },
    #[error("--publish {}: {error}", path.display())]
    Clip { path: PathBuf, error: ClipError },
    #[error("{url}: {source}")]
    Connect { url: String, source: io::Error },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("--viewers: {0}")]
    TooFew(#[from] TooFew),
    #[error("--html {}: {source}", path.display())]
    Page { path: PathBuf, source: io::Error },
    #[error("the viewers could not go on: {0}")]
    Parts(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl LoadError {
    /// Whether the command line was wrong.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            LoadError::Usage { .. } | LoadError::TooFew(_) | LoadError::Trust(_)
        )
    }
}

/// A load test that came to its end.
#[derive(Debug)]
pub struct Ended {
    pub report: Report,
    /// Why the exit code is not 0.
    pub failures: Vec<String>,
}

/// Runs a load test: opens the viewers, measures, and writes the page if one was asked for.
pub fn load(options: &Options) -> Result<Ended, LoadError> {
    check(options)?;
    // Before anything is opened: what it makes is made again where it is needed.
    options.trust.config_if(options.url.is_encrypted)?;
    let protocol = options.protocol.unwrap_or_else(|| options.url.protocol());
    let names = options.url.names(options.streams);
    let clip = open_film(options)?;
    let run = match clip {
        Some(_) => Some(getrandom::u64().map_err(io::Error::from)?),
        None => None,
    };
    let page = match &options.html {
        Some(path) => Some((path, open_page(path)?)),
        None => None,
    };
    let url = options.url.url(protocol);
    let plan = Plan {
        servers: find_servers(options, protocol)?,
        targets: options.url.watch(names.as_deref(), protocol),
        key: options.key.as_ref().map(|key| key.expose().to_owned()),
        protocol,
        viewers: options.viewers,
        ramp: options.ramp,
        churn: options.churn,
        stall: options.stall,
        stall_for: options.stall_for,
        slow: slow_viewers(options),
        slow_bits_per_s: options.slow.map_or(0, |BitRate(bits)| bits),
        sample: options.sample,
        run,
        tls: options.url.is_encrypted.then(|| plan::TlsPlan {
            server_name: options.url.server_name.clone(),
            trust: options.trust.clone(),
        }),
        part: Part::Watched,
    };
    let streams = names.as_ref().map_or(1, Vec::len) as u64;
    let publishing = if clip.is_some() { streams } else { 0 };
    let processes = Processes::choose(&plan, publishing, options.processes)?;
    let publishers = match (clip, run) {
        (Some(clip), Some(run)) => start_publishers(options, clip, names, run)?,
        _ => Vec::new(),
    };

    let (mut report, mut failures) = lead::run(&plan, processes, publishers, options)?;
    report.url = url;
    if report.connected == 0 {
        let reason = report.beside.reasons.failed.first();
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        failures.push(format!("{}: nothing could connect{reason}", report.url));
    }
    if let Some(Conditions(conditions)) = &options.fail_if {
        let held = conditions.iter().filter_map(|condition| {
            let comparison = condition.check(report.figure(condition.name))?;
            Some(format!("--fail-if {comparison}"))
        });
        failures.extend(held);
    }
    if let Some((path, mut file)) = page {
        file.write_all(page::page(&report).as_bytes())
            .map_err(|source| LoadError::Page {
                path: path.clone(),
                source,
            })?;
    }
    Ok(Ended { report, failures })
}

fn find_servers(options: &Options, protocol: Protocol) -> Result<Vec<plan::Server>, LoadError> {
    let targets = [&options.url].into_iter().chain(&options.also);
    let found = targets.map(|target| {
        let address = target.find_server();
        let address = address.map_err(|source| LoadError::Connect {
            url: target.url(protocol),
            source,
        });
        Ok(plan::Server {
            address: address?,
            host: target.authority.clone(),
        })
    });
    found.collect()
}

/// What no single option can know of itself.
fn check(options: &Options) -> Result<(), LoadError> {
    let refuse = |option: String, reason: &str| {
        Err(LoadError::Usage {
            option,
            reason: reason.into(),
        })
    };
    let has_publisher = options.publish.is_some() || options.publish_rate.is_some();
    let has_name = options.url.names(None).is_some();
    let finds_stream = has_name || options.publish_to.is_some();
    let mut all = [&options.url].into_iter().chain(&options.also);
    if !options.also.is_empty() && all.any(|target| target.is_encrypted) {
        let option = options.url.url(Protocol::Ws);
        return refuse(option, "of several URLs none may be encrypted");
    }
    if let Some(other) = options
        .also
        .iter()
        .find(|other| !other.is_same_stream(&options.url))
    {
        let option = other.url(Protocol::Ws);
        return refuse(option, "must name the same stream as the first URL");
    }
    if options.stall + slow_viewers(options) > options.viewers {
        let option = format!("--viewers {}", options.viewers);
        return refuse(option, "fewer than are to be stalled and slow");
    }
    if (has_publisher && !finds_stream) || (options.streams.is_some() && !has_name) {
        let option = if has_publisher {
            "--publish"
        } else {
            "--streams"
        };
        return refuse(option.into(), "the URL must end in /live/NAME for that");
    }
    if let Some(streams) = options.streams
        && streams > options.viewers
    {
        return refuse(
            format!("--streams {streams}"),
            "more than there are viewers",
        );
    }
    for condition in options
        .fail_if
        .iter()
        .flat_map(|Conditions(conditions)| conditions)
    {
        if condition.name.needs_publisher() && !has_publisher {
            let reason = "is not known without --publish or --publish-rate";
            return refuse(format!("--fail-if {condition}"), reason);
        }
        if condition.name.needs_pid() && options.pid.is_none() {
            return refuse(
                format!("--fail-if {condition}"),
                "is not known without --pid",
            );
        }
    }
    if let Some(pid) = options.pid
        && let Err(error) = Usage::of(pid)
    {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "no such process, or no /proc to see it in".into(),
            _ => error.to_string(),
        };
        return refuse(format!("--pid {pid}"), &reason);
    }
    Ok(())
}

fn slow_viewers(options: &Options) -> u64 {
    match (options.slow, options.slow_viewers) {
        (None, _) => 0,
        (Some(_), Some(count)) => count,
        (Some(_), None) => options.viewers.div_ceil(10),
    }
}

fn open_film(options: &Options) -> Result<Option<Clip>, LoadError> {
    match (&options.publish, options.publish_rate) {
        (Some(path), _) => match Clip::read(path) {
            Ok(clip) => Ok(Some(clip)),
            Err(error) => Err(LoadError::Clip {
                path: path.clone(),
                error,
            }),
        },
        (None, Some(BitRate(bits_per_s))) => Ok(Some(synthetic::clip(bits_per_s))),
        (None, None) => Ok(None),
    }
}

/// Before the test runs: better to fail now than at its end.
fn open_page(path: &Path) -> Result<File, LoadError> {
    File::create(path).map_err(|source| LoadError::Page {
        path: path.to_owned(),
        source,
    })
}

fn start_publishers(
    options: &Options,
    clip: Clip,
    names: Option<Vec<String>>,
    run: u64,
) -> Result<Vec<Publisher>, LoadError> {
    let addresses = match &options.publish_to {
        Some(address) => vec![address.clone()],
        None => {
            let names = names.unwrap_or_default();
            let addresses = names.iter().map(|name| options.url.publish(name));
            addresses
                .collect::<Result<_, _>>()
                .map_err(|error| LoadError::Usage {
                    option: options.url.url(Protocol::Ws),
                    reason: error.to_string(),
                })?
        }
    };
    let is_encrypted = addresses.iter().any(|address| address.is_encrypted);
    let tls = options.trust.config_if(is_encrypted)?;
    let clip = Arc::new(clip);
    let chunk = Duration::from_millis(options.chunk_ms);
    let mut publishers = Vec::with_capacity(addresses.len());
    for (n, address) in addresses.iter().enumerate() {
        let playback = Playback::new(clip.clone(), run);
        // Not all at once: one server gets their chunks one after another.
        let delay = chunk.mul_f64(n as f64 / addresses.len() as f64);
        let program = Program {
            playback,
            chunk,
            delay,
        };
        let key = options.key.as_ref();
        publishers.push(Publisher::start(address, tls.as_ref(), key, program)?);
    }
    Ok(publishers)
}
