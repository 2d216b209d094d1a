//! What happens in a simulation, by a seed: who comes when, with which link and habits, and what befalls
//! the server.

use super::disk::Mood;
use super::draw;
use super::guards::{Credential, Guard, Right};
use super::link::LinkSpec;
use super::media::{Books, Counts, Delays};
use super::old::{Log, Original};
use super::peers::client::{Client, ClientSpec};
use super::peers::download::{Download, DownloadSpec};
use super::peers::old::{ListenerSpec, OldListener, OldPublisher, PageSpec};
use super::peers::publisher::{Publisher, PublisherSpec};
use super::peers::segments::{SegmentReader, SegmentsSpec};
use super::peers::stranger::{Stranger, StrangerSpec};
use super::peers::viewer::{Habit, How as WatchBy, Viewer, ViewerSpec};
use super::world::{Address, HookMood, Naming, World, hook, settings_of};
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;
use videostream::compat::Port;

/// How long the crowd comes; then everything ends.
pub const BUSY: Duration = Duration::from_secs(60);

/// By then the slowest link has brought everything.
const LAST_BYTES: Duration = Duration::from_secs(3000);

/// Longer than any deadline: what is left then is left for ever.
const AFTERMATH: Duration = Duration::from_secs(320);

/// An honest viewer's picture takes no longer than this, whatever the others do: two ways of 20 ms, the
/// quanta of both links, and what is left is the server's.
pub const DELAY_MAX: Duration = Duration::from_millis(75);

/// Bytes that may wait for the disk.
const RECORD_QUEUE_BYTES: u64 = 128 << 10;

/// Streams that anybody publishes. `honest` has one publisher, and strangers who try.
pub const OTHERS: [&str; 3] = ["other", "another", "third"];

#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub seed: u64,
    pub server: Server,
    /// In the order of their times.
    pub actions: Vec<Action>,
}

/// What the options say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    pub lag: Duration,
    pub ring_bytes: usize,
    pub max_delay: Duration,
    pub publish_bits_per_s: Option<u64>,
    pub per_address: Option<usize>,
    pub hook: Option<HookMood>,
    pub guard: Guard,
    /// Before it stands a proxy, which names clients in this way.
    pub proxy: Option<Naming>,
    pub memory_bytes: Option<usize>,
    pub max_connections: Option<usize>,
    pub max_streams: Option<usize>,
    /// On which all is recorded.
    pub disk: Option<Mood>,
    /// Bytes kept for old listeners, where the old protocol is spoken.
    pub compat_bytes: Option<usize>,
}

/// The proxy of a simulation.
const PROXY: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);

/// What all strangers share.
const STRANGERS: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    pub at: Duration,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Publish(PublisherSpec, LinkSpec),
    Watch(ViewerSpec, LinkSpec),
    Ask(ClientSpec, LinkSpec),
    Annoy(StrangerSpec),
    /// A client that reads a recording.
    Download(DownloadSpec, LinkSpec),
    /// A reader of segments.
    Segments(SegmentsSpec, LinkSpec),
    /// A page of the old protocol.
    Page(PageSpec),
    /// A listener of the old protocol.
    Listen(ListenerSpec, LinkSpec),
    StandStill(Duration),
    SetWall(u64),
    /// A newer process takes over.
    HandOver,
    Stop,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    pub fault: Option<String>,
    pub simulated: Duration,
    pub turns: u64,
    pub counts: Counts,
    pub delays: Delays,
    /// By the hub's accounts, and by the allocator.
    pub most_held: usize,
    pub most_memory: usize,
}

impl Scenario {
    pub fn new(seed: u64) -> Scenario {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut server = draw::server(&mut chance);
        // Drawn by itself, so that the rest of a scenario stays what it was before there were recordings.
        let mut more = fastrand::Rng::with_seed(!seed);
        server.disk = draw::disk(&mut more);
        server.compat_bytes = [None, Some(16 << 20), Some(48 << 10)][more.usize(..3)];
        let honest_lasts = BUSY + Duration::from_secs(5);
        let honest = PublisherSpec {
            credential: Credential::by(
                server.guard.good_pass(Right::Publish, "honest"),
                &mut chance,
            ),
            is_kept: true,
            ..PublisherSpec::honest("honest", honest_lasts)
        };
        let ms = Duration::from_millis;
        let mut actions = vec![Action {
            at: ms(0),
            what: What::Publish(honest, LinkSpec::good()),
        }];
        for (index, how) in [
            WatchBy::V1,
            WatchBy::WebSocket,
            WatchBy::Chunked,
            WatchBy::UntilClose,
        ]
        .into_iter()
        .enumerate()
        {
            let spec = ViewerSpec {
                lag: server.lag(),
                credential: Credential::by(
                    server.guard.good_pass(Right::Watch, "honest"),
                    &mut chance,
                ),
                ..ViewerSpec::honest("honest", how, BUSY)
            };
            actions.push(Action {
                at: ms(500 + 300 * index as u64),
                what: What::Watch(spec, LinkSpec::good()),
            });
        }
        for _ in 0..chance.usize(20..70) {
            actions.push(Action {
                at: ms(chance.u64(..BUSY.as_millis() as u64)),
                what: draw::what(&mut chance, &server),
            });
        }
        if server.compat_bytes.is_some() {
            actions.extend(draw::old_peers(&mut more, &server));
        }
        if server.disk.is_some() {
            for _ in 0..more.usize(..7) {
                actions.push(draw::download(&mut more, &server));
            }
            actions.extend(draw::returning(&mut more, &server));
        }
        let mut more = fastrand::Rng::with_seed(seed.rotate_left(32));
        for _ in 0..more.usize(1..8) {
            actions.push(draw::segments(&mut more, &server));
        }
        let end = match chance.u8(..6) {
            0 => Some(What::Stop),
            1 | 2 => Some(What::HandOver),
            _ => None,
        };
        if let Some(what) = end {
            let at = BUSY - ms(chance.u64(..20_000));
            actions.push(Action { at, what });
        }
        actions.sort_by_key(|action| action.at);
        Scenario {
            seed,
            server,
            actions,
        }
    }

    /// The same without the crowd: the honest peers, and what befalls the server.
    pub fn without_crowd(&self) -> Scenario {
        let mut alone = self.clone();
        alone.actions.retain(|action| match action.what {
            What::Publish(spec, _) => spec.is_kept,
            What::Watch(spec, _) => spec.habit == Habit::Honest,
            What::Ask(..)
            | What::Annoy(_)
            | What::Page(_)
            | What::Listen(..)
            | What::Segments(..)
            | What::Download(..) => false,
            What::StandStill(_) | What::SetWall(_) | What::HandOver | What::Stop => true,
        });
        alone
    }

    /// Runs it to its end, or to its first fault.
    pub fn run(&self) -> Outcome {
        let mut world = self.world();
        let result = panic::catch_unwind(AssertUnwindSafe(|| self.play(&mut world)));
        let fault = match result {
            Ok(()) => world.fault(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
                let seconds = world.elapsed().as_secs_f64();
                let text = text.unwrap_or_default();
                Some(format!("after {seconds:.3} s: a panic: {text}"))
            }
        };
        Outcome {
            fault,
            simulated: world.elapsed(),
            turns: world.turns,
            counts: world.books.counts(),
            delays: world.books.delays(),
            most_held: world.checks.most_held,
            most_memory: world.checks.most_memory,
        }
    }

    fn world(&self) -> World {
        let server = self.server;
        let mut options = server.guard.options();
        options.max_connections = server.max_connections;
        if server.compat_bytes.is_some() {
            options.compat_node_videostream = Some("0".parse().expect("it is a port"));
        }
        if server.disk.is_some() {
            options.record = Some("recordings".into());
            options.record_grace = Some("4s".parse().expect("it is a period"));
        }
        if let Some(naming) = server.proxy {
            let network = "10.8.0.0/16".parse().expect("it is a network");
            options.trusted_proxy = Some(vec![network]);
            options.proxy_protocol = Some(naming == Naming::Header);
            // Else a random key would be made.
            options.publish_open = (server.guard == Guard::Open).then_some(true);
        }
        let mut settings = settings_of(options, |limits| {
            limits.max_memory_bytes = server.memory_bytes;
            limits.max_streams = server.max_streams.unwrap_or(limits.max_streams);
            limits.lag_ms = server.lag.as_millis() as u64;
            limits.ring_bytes = server.ring_bytes;
            limits.max_delay = server.max_delay;
            limits.max_publish_bits_per_s = server.publish_bits_per_s;
            limits.max_connections_per_address = server.per_address;
        });
        settings.hook = server.hook.map(|_| hook());
        if let Some(record) = &mut settings.record {
            // Such as a slow disk fills within the time of a scenario.
            record.record.queue_bytes = RECORD_QUEUE_BYTES;
        }
        if let (Some(compat), Some(bytes)) = (&mut settings.compat, server.compat_bytes) {
            compat.bytes = bytes;
        }
        let record = settings.record.clone();
        let mut world = World::guarded(settings, server.guard, self.seed);
        if let (Some(mood), Some(record)) = (server.disk, record) {
            world.set_disk(mood, &record);
        }
        if let Some(mood) = server.hook {
            world.set_hook(mood);
            world.books.set_hook();
        }
        let is_narrow = server.memory_bytes.is_some() || server.max_connections.is_some();
        if is_narrow {
            world.books.set_narrow();
        }
        world
    }

    fn play(&self, world: &mut World) {
        let books = world.books.clone();
        let original = Original::new(self.server.compat_bytes.unwrap_or(0));
        for (index, action) in self.actions.iter().enumerate() {
            let wait = action.at.saturating_sub(world.elapsed());
            if !run_soundly(world, wait) {
                return;
            }
            begin(world, index, action.what, (&self.server, &original));
        }
        let mut wait = BUSY.saturating_sub(world.elapsed());
        while world.elapsed() < LAST_BYTES && (wait > Duration::ZERO || world.has_unsent()) {
            if !run_soundly(world, wait.max(Duration::from_secs(1))) {
                return;
            }
            wait = Duration::ZERO;
        }
        if !run_soundly(world, AFTERMATH) {
            return;
        }
        let delay = books.delays().longest;
        let most = DELAY_MAX + self.server.max_delay;
        if delay > most {
            books.fault(format!("an honest viewer's picture takes {delay:?}"));
        }
        world.check_that_all_is_given_back();
    }
}

/// Lets time pass. Returns whether there was no fault.
fn run_soundly(world: &mut World, time: Duration) -> bool {
    let until = world.now + time;
    while world.now < until {
        world.step(until);
        if world.books.first_fault().is_some() {
            return false;
        }
    }
    true
}

fn begin(world: &mut World, index: usize, what: What, (server, original): (&Server, &Log)) {
    let books: &Books = &world.books.clone();
    let from = |client: IpAddr| match server.proxy {
        None => Address::client(client),
        // Some do not come through the proxy, and pretend to be the honest publisher.
        Some(naming) if index % 5 == 4 && index > 5 => Address::forged(client, naming, address(0)),
        Some(naming) => Address::proxy(PROXY.into(), naming, client),
    };
    let own = from(address(index));
    match what {
        What::Publish(spec, link) => {
            world.invite_from(link, own, Publisher::new(spec, books));
        }
        What::Watch(spec, link) => {
            world.invite_from(link, own, Viewer::new(spec, books));
        }
        What::Ask(spec, link) => {
            world.invite_from(link, own, Client::new(spec, books));
        }
        What::Annoy(spec) => {
            let shared = from(STRANGERS.into());
            world.invite_from(spec.link(), shared, Stranger::new(spec));
        }
        What::Download(spec, link) => {
            world.invite_from(link, own, Download::new(spec, books));
        }
        What::Segments(spec, link) => {
            world.invite_from(link, own, SegmentReader::new(spec, books));
        }
        What::Page(spec) => {
            let good = LinkSpec::good();
            for (port, place) in [Port::BlobsOut, Port::ChunksOut].into_iter().zip(1..) {
                let own = from(address(index + 1000 * place));
                let pass = server.guard.good_pass(Right::Watch, "compat");
                let spec = ListenerSpec {
                    port,
                    lasts: spec.lasts + Duration::from_secs(2),
                    pause: None,
                    is_quick: true,
                    is_own: true,
                    credential: Credential {
                        pass,
                        ..spec.credential
                    },
                };
                world.invite_old(good, own, port, OldListener::new(spec, books, original));
            }
            for (port, place) in [Port::BlobsIn, Port::ChunksIn].into_iter().zip(3..) {
                let own = from(address(index + 1000 * place));
                world.invite_old(
                    good,
                    own,
                    port,
                    OldPublisher::new(spec, port, books, original),
                );
            }
        }
        What::Listen(spec, link) => {
            let listener = OldListener::new(spec, books, original);
            world.invite_old(link, own, spec.port, listener);
        }
        What::StandStill(time) => world.stand_still(time),
        What::SetWall(wall_s) => world.set_wall_s(wall_s),
        What::HandOver => world.hand_over(),
        What::Stop => world.stop(),
    }
}

/// Strangers share an address, the others have their own.
fn address(index: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, (index / 250) as u8, (index % 250) as u8).into()
}

impl Server {
    /// What media have waited for before a viewer skips them. Where memory is short, rings are cut, and
    /// may overtake a viewer at any time.
    pub fn lag(&self) -> Duration {
        match self.memory_bytes {
            None => self.lag,
            Some(_) => Duration::ZERO,
        }
    }
}
