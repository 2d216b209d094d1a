//! What happens in a simulation, by a seed: who comes when, with which link and habits, and what befalls
//! the server.

use super::guards::{Credential, GUARDS, Guard, Pass, Right};
use super::link::LinkSpec;
use super::media::{Books, Counts, Delays};
use super::peers::client::{Client, ClientSpec};
use super::peers::publisher::{How as PublishBy, Leave, Publisher, PublisherSpec};
use super::peers::stranger::{GREEDY, KINDS, Stranger, StrangerSpec};
use super::peers::viewer::{Habit, How as WatchBy, Viewer, ViewerSpec};
use super::world::{Address, HookMood, Naming, World, hook, settings_of};
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// How long the crowd comes; then everything ends.
const BUSY: Duration = Duration::from_secs(60);

/// By then the slowest link has brought everything.
const LAST_BYTES: Duration = Duration::from_secs(3000);

/// Longer than any deadline: what is left then is left for ever.
const AFTERMATH: Duration = Duration::from_secs(320);

/// An honest viewer's picture takes no longer than this, whatever the others do: two ways of 20 ms, the
/// quanta of both links, and what is left is the server's.
pub const DELAY_MAX: Duration = Duration::from_millis(75);

/// Streams that anybody publishes. `honest` has one publisher, and strangers who try.
const OTHERS: [&str; 3] = ["other", "another", "third"];

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
    lag: Duration,
    ring_bytes: usize,
    max_delay: Duration,
    publish_bits_per_s: Option<u64>,
    per_address: Option<usize>,
    hook: Option<HookMood>,
    guard: Guard,
    /// Before it stands a proxy, which names clients in this way.
    proxy: Option<Naming>,
    memory_bytes: Option<usize>,
    max_connections: Option<usize>,
    max_streams: Option<usize>,
    /// Whether streams are recorded.
    record: bool,
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
        let mut server = server(&mut chance);
        server.record = server.memory_bytes.is_none() && seed.is_multiple_of(2);
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
                what: what(&mut chance, &server),
            });
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
            What::Ask(..) | What::Annoy(_) => false,
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
        options.record = server.record.then(|| "recordings".into());
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
        let mut world = World::guarded(settings, server.guard, self.seed);
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
        for (index, action) in self.actions.iter().enumerate() {
            let wait = action.at.saturating_sub(world.elapsed());
            if !run_soundly(world, wait) {
                return;
            }
            begin(world, index, action.what, self.server.proxy);
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

fn begin(world: &mut World, index: usize, what: What, proxy: Option<Naming>) {
    let books: &Books = &world.books.clone();
    let from = |client: IpAddr| match proxy {
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
    fn lag(&self) -> Duration {
        match self.memory_bytes {
            None => self.lag,
            Some(_) => Duration::ZERO,
        }
    }
}

fn server(chance: &mut fastrand::Rng) -> Server {
    let ms = Duration::from_millis;
    let hooks = [
        HookMood::Quick,
        HookMood::Slow(ms(4000)),
        HookMood::Slow(ms(7000)),
        HookMood::Moody,
    ];
    Server {
        lag: [ms(600), ms(1000), ms(3000)][chance.usize(..3)],
        ring_bytes: [256 << 10, 1 << 20, 16 << 20][chance.usize(..3)],
        max_delay: [ms(0), ms(0), ms(100)][chance.usize(..3)],
        publish_bits_per_s: [None, None, Some(2_000_000)][chance.usize(..3)],
        per_address: [None, Some(4)][chance.usize(..2)],
        hook: match chance.u8(..3) {
            0 => Some(hooks[chance.usize(..hooks.len())]),
            _ => None,
        },
        guard: if chance.bool() {
            GUARDS[chance.usize(..GUARDS.len())]
        } else {
            Guard::Open
        },
        proxy: [None, None, Some(Naming::Field), Some(Naming::Header)][chance.usize(..4)],
        memory_bytes: [None, None, Some(768 << 10), Some(3 << 20)][chance.usize(..4)],
        max_connections: [None, None, None, Some(15)][chance.usize(..4)],
        max_streams: [None, None, Some(2)][chance.usize(..3)],
        record: false,
    }
}

fn what(chance: &mut fastrand::Rng, server: &Server) -> What {
    let seed = chance.u64(..);
    match chance.u8(..20) {
        0..3 => What::Publish(publisher(chance, server), link(chance)),
        3..11 => What::Watch(behind(viewer(chance, server), server, seed), link(chance)),
        11..14 => {
            let link = link(chance);
            let is_good = link == LinkSpec::good() && server.hook.is_none();
            let spec = ClientSpec {
                requests: chance.usize(1..20),
                pause: Duration::from_millis(chance.u64(..3000)),
                seed,
                patience: is_good.then_some(Duration::from_secs(1)),
                credential: any_credential(chance, server, Right::Watch, "honest"),
            };
            What::Ask(spec, link)
        }
        14..19 => {
            let is_greedy = server.memory_bytes.is_some() && chance.u8(..4) > 0;
            let kinds = if is_greedy { &GREEDY[..] } else { &KINDS };
            What::Annoy(StrangerSpec {
                kind: kinds[chance.usize(..kinds.len())],
                seed,
            })
        }
        _ if chance.bool() => What::StandStill(Duration::from_millis(chance.u64(1100..40_000))),
        // Tokens must expire when the simulation says.
        _ if matches!(server.guard, Guard::Tokens | Guard::KeysAndTokens) => {
            What::StandStill(Duration::from_millis(chance.u64(1100..5000)))
        }
        _ => What::SetWall([0, 1, 4_000_000_000, u64::MAX / 2][chance.usize(..4)]),
    }
}

fn any_credential(
    chance: &mut fastrand::Rng,
    server: &Server,
    right: Right,
    stream: &'static str,
) -> Credential {
    let pass = server.guard.any_pass(right, stream, chance);
    Credential::by(pass, chance)
}

fn publisher(chance: &mut fastrand::Rng, server: &Server) -> PublisherSpec {
    let leaves = [
        Leave::Closing,
        Leave::Resetting,
        Leave::Vanishing,
        Leave::Silently,
        Leave::Raving,
    ];
    let mut stream = OTHERS[chance.usize(..OTHERS.len())];
    let mut credential = any_credential(chance, server, Right::Publish, stream);
    // A usurper has a pass that is good for nothing, or none.
    let passes = [Pass::Nothing, Pass::WrongKey, Pass::WatchKey];
    if server.guard != Guard::Open && chance.u8(..3) == 0 {
        stream = "honest";
        credential = Credential::by(passes[chance.usize(..passes.len())], chance);
    }
    PublisherSpec {
        stream,
        credential,
        is_kept: false,
        how: [PublishBy::WebSocket, PublishBy::Body][chance.usize(..2)],
        has_sound: chance.u8(..4) > 0,
        mute: chance.u8(..8) == 0,
        restart_frames: (chance.u8(..4) == 0).then(|| chance.u32(5..200)),
        frame_every: Duration::from_millis([40, 40, 20, 150][chance.usize(..4)]),
        frame_bytes: chance.usize(30..3000),
        gop_frames: chance.u32(5..100),
        lasts: Duration::from_millis(chance.u64(500..30_000)),
        leave: leaves[chance.usize(..leaves.len())],
    }
}

fn viewer(chance: &mut fastrand::Rng, server: &Server) -> ViewerSpec {
    let streams = ["honest", "honest", OTHERS[0], OTHERS[1], OTHERS[2]];
    let hows = [
        WatchBy::V1,
        WatchBy::V1,
        WatchBy::WebSocket,
        WatchBy::Chunked,
        WatchBy::UntilClose,
    ];
    let habits = [
        Habit::Patient,
        Habit::Patient,
        Habit::Pausing(Duration::from_millis(chance.u64(500..40_000))),
        Habit::Resetting,
        Habit::Vanishing,
        Habit::Talking,
    ];
    let stream = streams[chance.usize(..streams.len())];
    ViewerSpec {
        stream,
        credential: any_credential(chance, server, Right::Watch, stream),
        how: hows[chance.usize(..hows.len())],
        habit: habits[chance.usize(..habits.len())],
        lasts: Duration::from_millis(chance.u64(200..50_000)),
        lag: server.lag(),
        back: Duration::ZERO,
        keeps: None,
    }
}

/// Some viewers begin behind live.
fn behind(spec: ViewerSpec, server: &Server, seed: u64) -> ViewerSpec {
    let mut chance = fastrand::Rng::with_seed(seed);
    if chance.u8(..3) > 0 {
        return spec;
    }
    // A ring that is short of bytes, or of memory, may lose anything.
    let is_large = server.ring_bytes >= 16 << 20 && server.memory_bytes.is_none();
    ViewerSpec {
        back: Duration::from_millis(chance.u64(500..70_000)),
        keeps: Some(Duration::from_secs(if is_large { 25 } else { 0 })),
        ..spec
    }
}

fn link(chance: &mut fastrand::Rng) -> LinkSpec {
    match chance.u8(..4) {
        0 => LinkSpec::slow(chance.u64(2_000..40_000)),
        1 => LinkSpec {
            latency: Duration::from_millis(chance.u64(1..400)),
            rate: chance.u64(20_000..10_000_000),
            send_buffer: chance.usize(4 << 10..400 << 10),
            receive_buffer: chance.usize(2 << 10..200 << 10),
            is_choppy: true,
        },
        _ => LinkSpec::good(),
    }
}
