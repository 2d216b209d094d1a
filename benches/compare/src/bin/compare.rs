//! Runs the servers one after the other on the same stream, and prints how they compare.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use videostream_compare::chart;
use videostream_compare::load::{self, Stream};
use videostream_compare::machine::Machine;
use videostream_compare::process::{Cores, Stop};
use videostream_compare::programs::Programs;
use videostream_compare::runs::{Run, Runs};
use videostream_compare::search::Search;
use videostream_compare::servers::{DESCRIPTORS_RESERVED, Kind, NAMES, Server, Stage};
use videostream_compare::table::table;

/// Measure videostream, its peers and the floor under all of them on the same stream.
///
/// Each server runs alone on one core, the load tester on the others, everything over loopback.
/// The result is a table in Markdown on standard output.
#[derive(Parser)]
struct Options {
    /// Which servers, in which order; floor:N sends N chunks at once [default: all that are there]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    servers: Vec<Server>,

    /// Numbers of viewers
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "100,1000,4000"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    viewers: Vec<u64>,

    #[command(flatten)]
    stream: Stream,

    /// Find how many viewers each server holds on its core
    #[arg(long)]
    hold: bool,

    /// Where to begin to look for that
    #[arg(long, value_name = "VIEWERS", default_value_t = 2000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    hold_from: u64,

    /// How precisely to find it
    #[arg(long, value_name = "VIEWERS", default_value_t = 1000)]
    hold_step: u64,

    /// Time after which the search for one server begins no further run
    #[arg(long, value_name = "DURATION", default_value = "4m")]
    #[arg(value_parser = humantime::parse_duration)]
    hold_limit: Duration,

    /// Argument for each videostream; may be given more than once
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    server_arg: Vec<String>,

    /// A further row for videostream with other arguments, such as 'patient=--max-delay 100ms'
    #[arg(long, value_name = "NAME=ARGS", value_parser = variant)]
    variant: Vec<Server>,

    /// Another build of videostream to measure [default: this clone's]
    #[arg(long, value_name = "PROGRAM")]
    videostream: Option<PathBuf>,

    /// The server's core [default: the last one]
    #[arg(long, value_name = "N")]
    server_core: Option<usize>,

    /// Fail when a viewer was refused, dropped or never measured, which a busy server may do
    #[arg(long)]
    strict: bool,

    /// Write a chart of viewers against server CPU
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// File that runs are kept in and taken from, so that a comparison can be made in parts
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let stop = Stop::on_signals()?;
    let programs = Programs::build()?;
    let stage = Stage {
        videostream: options
            .videostream
            .clone()
            .unwrap_or_else(|| programs.videostream.clone()),
        programs,
        cores: Cores::share(options.server_core)?,
        stop,
    };
    if cfg!(debug_assertions) {
        eprintln!("compare: without --release, figures mean nothing");
    }
    let mut runs = match &options.save {
        Some(path) => Runs::read(path, &options.stream)?,
        None => Runs::default(),
    };
    for server in options.servers() {
        if let Some(lack) = server.kind.lacks(&stage.stop)? {
            // What was asked for by name must be there.
            ensure!(options.servers.is_empty(), "{}: {lack}", server.name);
            eprintln!("{}: skipped: {lack}", server.name);
            continue;
        }
        options.measure(&stage, &server, &mut runs)?;
    }
    let counts = options.counts();
    let machine = Machine::here();
    println!("{machine}\n");
    print!("{}", table(&runs, &counts, options.hold));
    if let Some(path) = &options.svg {
        let title = format!("{}; {machine}", options.stream);
        chart::draw(&runs, &title, path)?;
    }
    Ok(())
}

impl Options {
    fn servers(&self) -> Vec<Server> {
        let mut servers = self.servers.clone();
        if servers.is_empty() {
            let all = NAMES.iter().map(|name| name.parse().expect("a known name"));
            servers.extend(all);
        }
        servers.extend(self.variant.iter().cloned());
        for server in &mut servers {
            if let Kind::Videostream { .. } = server.kind {
                server
                    .arguments
                    .splice(0..0, self.server_arg.iter().cloned());
            }
        }
        servers
    }

    /// Smallest first.
    fn counts(&self) -> Vec<u64> {
        let mut counts = self.viewers.clone();
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    fn measure(&self, stage: &Stage, server: &Server, runs: &mut Runs) -> anyhow::Result<()> {
        for viewers in self.counts() {
            self.run(stage, server, viewers, runs)?;
        }
        if !self.hold {
            return Ok(());
        }
        let most = rlimit::Resource::NOFILE
            .get_hard()?
            .saturating_sub(DESCRIPTORS_RESERVED);
        let mut search = Search::new(self.hold_from, self.hold_step, most);
        let until = Instant::now() + self.hold_limit;
        while let Some(viewers) = search.next()
            && Instant::now() < until
        {
            // Other work on the machine makes one run miss; a full server misses again.
            let held = self.run(stage, server, viewers, runs)?
                || self.run(stage, server, viewers, runs)?;
            search.tell(viewers, held);
        }
        if search.next().is_some() || search.is_open() {
            eprintln!(
                "{}: {} viewers at least; not searched to the end",
                server.name,
                search.held()
            );
        }
        Ok(())
    }

    /// One run of a server of its own. Whether the viewers were held.
    fn run(
        &self,
        stage: &Stage,
        server: &Server,
        viewers: u64,
        runs: &mut Runs,
    ) -> anyhow::Result<bool> {
        let running = stage.start(server, None)?;
        let (report, misses) = load::run(
            &stage.programs.videostream,
            &running.place,
            viewers,
            &self.stream,
            &stage.stop,
        )
        .with_context(|| format!("{}, {viewers} viewers", server.name))?;
        let run = Run {
            server: server.name.clone(),
            viewers,
            stream: self.stream.to_string(),
            report,
            misses,
        };
        eprintln!("{run}");
        let name = &server.name;
        ensure!(
            !self.strict || run.is_sound(),
            "{name}: viewers are missing"
        );
        if let Some(path) = &self.save {
            Runs::append(path, &run).with_context(|| path.display().to_string())?;
        }
        let held = run.is_held();
        runs.add(run);
        Ok(held)
    }
}

/// `NAME=ARGS`, the arguments parted by spaces.
fn variant(text: &str) -> Result<Server, String> {
    let (name, arguments) = text
        .split_once('=')
        .ok_or("expected NAME=ARGS, such as 'patient=--max-delay 100ms'")?;
    Ok(Server {
        name: format!("videostream, {}", name.trim()),
        kind: Kind::Videostream { http: false },
        arguments: arguments.split_whitespace().map(str::to_owned).collect(),
    })
}
