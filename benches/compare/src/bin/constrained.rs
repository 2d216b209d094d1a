//! How many viewers videostream holds on one core and in little memory.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use videostream_compare::cell::{self, Cell, Trial};
use videostream_compare::limit::{Kernel, Limit, tcp_of_machine};
use videostream_compare::load::{self, Stream};
use videostream_compare::machine::Machine;
use videostream_compare::process::{Cores, Stop};
use videostream_compare::programs::Programs;
use videostream_compare::search::Search;
use videostream_compare::servers::{DESCRIPTORS_RESERVED, Kind, Server, Stage};

/// How often the kernel's memory is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

/// Find how many viewers videostream holds on one core under limits of memory.
///
/// They are held while each gets 97 % of the bytes, p99 of the delay is under 1 s and none is
/// dropped. The result is a table in Markdown on standard output.
#[derive(Parser)]
struct Options {
    /// Bits a second that are published
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "0.5M,1M,2.5M,5M"
    )]
    rates: Vec<String>,

    /// Limits of memory, in MiB
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "32,64"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(4..=1_000_000))]
    memory: Vec<u64>,

    /// How viewers watch
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "ws,http"
    )]
    protocols: Vec<Protocol>,

    /// Milliseconds of media that the publisher sends at once
    #[arg(long, value_name = "MS", default_value_t = 100)]
    chunk_ms: u64,

    /// Time that each run measures, once all viewers are there
    #[arg(long, value_name = "DURATION", default_value = "8s")]
    #[arg(value_parser = humantime::parse_duration)]
    duration: Duration,

    /// Time after which the search for one row begins no further run
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    #[arg(value_parser = humantime::parse_duration)]
    limit: Duration,

    /// Argument for videostream; may be given more than once
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    server_arg: Vec<String>,

    /// Another build of videostream to measure [default: this clone's]
    #[arg(long, value_name = "PROGRAM")]
    videostream: Option<PathBuf>,

    /// The server's core [default: the last one]
    #[arg(long, value_name = "N")]
    server_core: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Protocol {
    Ws,
    Http,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let stop = Stop::on_signals()?;
    let programs = Programs::build()?;
    let videostream = options.videostream.clone();
    let stage = Stage {
        videostream: videostream.unwrap_or_else(|| programs.videostream.clone()),
        programs,
        cores: Cores::share(options.server_core)?,
        stop,
    };
    let mut is_begun = false;
    for rate in &options.rates {
        for &protocol in &options.protocols {
            for &mib in &options.memory {
                if !is_begun {
                    print!(
                        "{}. {}\n\n{}",
                        Machine::here(),
                        Limit::new(mib)?,
                        cell::head()
                    );
                    is_begun = true;
                }
                print!("{}", options.search(&stage, rate, protocol, mib)?.row());
            }
        }
    }
    Ok(())
}

impl Options {
    fn search(
        &self,
        stage: &Stage,
        rate: &str,
        protocol: Protocol,
        mib: u64,
    ) -> anyhow::Result<Cell> {
        let bits_per_s = cell::bits_per_s(rate).with_context(|| format!("--rates: '{rate}'"))?;
        let from = cell::first_guess(bits_per_s);
        let most = rlimit::Resource::NOFILE
            .get_hard()?
            .saturating_sub(DESCRIPTORS_RESERVED);
        let mut search = Search::new(from, from / 4, most);
        let mut cell = Cell {
            rate: rate.to_owned(),
            protocol: match protocol {
                Protocol::Ws => "ws",
                Protocol::Http => "http",
            },
            mib,
            trials: Vec::new(),
            is_cut_short: false,
        };
        let until = Instant::now() + self.limit;
        while let Some(viewers) = search.next() {
            if Instant::now() >= until {
                cell.is_cut_short = true;
                break;
            }
            let trial = self.trial(stage, (rate, protocol), mib, viewers)?;
            let (kernel, misses) = (trial.kernel, trial.misses.join("; "));
            eprintln!(
                "{rate} {} {mib} MiB, {viewers} viewers: {kernel:?} {misses}",
                cell.protocol
            );
            search.tell(viewers, trial.is_held());
            cell.trials.push(trial);
        }
        Ok(cell)
    }

    /// One run, of a server of its own under a limit of its own.
    fn trial(
        &self,
        stage: &Stage,
        (rate, protocol): (&str, Protocol),
        mib: u64,
        viewers: u64,
    ) -> anyhow::Result<Trial> {
        let server = Server {
            name: "videostream".into(),
            kind: Kind::Videostream {
                http: matches!(protocol, Protocol::Http),
            },
            arguments: self.server_arg.clone(),
        };
        let stream = Stream {
            rate: rate.to_owned(),
            chunk_ms: self.chunk_ms,
            duration: self.duration,
        };
        let limit = Limit::new(mib)?;
        let running = stage.start(&server, Some(&limit))?;
        let is_over = AtomicBool::new(false);
        let (outcome, (kernel, tcp_of_machine)) = thread::scope(|scope| {
            let sampler = scope.spawn(|| sample(&limit, &is_over));
            let program = &stage.programs.videostream;
            let outcome = load::run(program, &running.place, viewers, &stream, &stage.stop);
            is_over.store(true, Ordering::Relaxed);
            (outcome, sampler.join().expect("looking does not panic"))
        });
        let (report, misses) = outcome.with_context(|| format!("{viewers} viewers of {rate}"))?;
        Ok(Trial {
            viewers,
            report,
            misses,
            kernel,
            tcp_of_machine,
            hits: limit.hits(),
        })
    }
}

/// The most that the kernel held for the server, and in TCP buffers for everybody.
fn sample(limit: &Limit, is_over: &AtomicBool) -> (Kernel, u64) {
    let (mut most, mut tcp_most) = (Kernel::default(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let kernel = limit.kernel();
        most.objects = most.objects.max(kernel.objects);
        most.tcp = most.tcp.max(kernel.tcp);
        tcp_most = tcp_most.max(tcp_of_machine());
        thread::sleep(SAMPLE_INTERVAL);
    }
    (most, tcp_most)
}
