//! A hub, the network, the peers, the hook and the clock.
//!
//! A step goes to the next moment at which something happens, and lets it happen: bytes move, peers act,
//! and where `epoll` would wake the process, the hub has a turn. What a turn costs is counted, not
//! measured: so a seed gives the whole run back.

use super::checks::{Checks, Moment};
use super::disk::{Disk, Mood};
use super::guards::Guard;
use super::link::{Line, LinkSpec, Plug, Wire};
use super::media::{Books, Ledger};
use super::memory::Meter;
use super::peers::Peer;
use super::shelf::Shelf;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use videostream::compat::Port;
use videostream::config::{Limits, Options, Serve};
use videostream::hub::{
    Audit, HookAnswer, HookSettings, Hub, Question, RecordSettings, Settings, Time,
};
use videostream::pages;
use videostream::record::News;
use videostream::session::{SessionId, Verdict};

/// What a call to a socket, and a byte read or written, cost: as `hub::write` has it.
const CALL_COST: Duration = Duration::from_micros(5);
const BYTES_PER_US: u64 = 7_000;

/// Seconds since 1970 when a simulation starts.
pub const UNIX_START: u64 = 1_700_000_000;

/// A process that stops ends after this long, whoever is left: as `net` has it.
const STOPPING: Duration = Duration::from_secs(3);

/// What a turn costs however little it does.
const TURN_COST: Duration = Duration::from_micros(2);

/// The hook's answers by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookMood {
    Quick,
    /// Answers after up to this long.
    Slow(Duration),
    /// Says no, or that it does not know, now and then.
    Moody,
    /// Answers nothing.
    Dead,
}

pub struct World {
    pub hub: Hub<Plug>,
    pub now: Instant,
    pub books: Books,
    pub checks: Checks,
    pub memory: Meter,
    started: Instant,
    /// For how long the process stood still: the hub's time is less by that.
    stood_still: Duration,
    /// Seconds since 1970 at the start, by a clock that may be set.
    wall_s: u64,
    seats: Vec<Seat>,
    hook: HookMood,
    asked: VecDeque<(Instant, HookAnswer)>,
    chance: fastrand::Rng,
    pub turns: u64,
    /// Turns in a row in which no socket was touched, though none had news.
    idle_turns: u32,
    /// Whether the hub slept after its last turn.
    slept: bool,
    drain_timeout: Duration,
    publish_bits_per_s: Option<u64>,
    /// When this process stops, since another has taken over.
    stops_at: Option<Instant>,
    /// When it ends, since it stops.
    ends_at: Option<Instant>,
    /// `None`: nothing is recorded.
    pub disk: Option<Disk>,
    pub shelf: Option<Shelf>,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address of the server's peer: the client, or a proxy.
    pub peer: IpAddr,
    /// The client that a field or a PROXY header names.
    pub named: Option<(Naming, IpAddr)>,
    /// The client that the connection counts for.
    pub client: IpAddr,
}

/// How a client is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `X-Forwarded-For`.
    Field,
    /// The PROXY protocol.
    Header,
}

impl Address {
    pub fn client(client: IpAddr) -> Address {
        Address {
            peer: client,
            named: None,
            client,
        }
    }

    pub fn local() -> Address {
        Address::client(Ipv4Addr::LOCALHOST.into())
    }

    /// Through a proxy that is trusted.
    pub fn proxy(proxy: IpAddr, naming: Naming, client: IpAddr) -> Address {
        Address {
            peer: proxy,
            named: Some((naming, client)),
            client,
        }
    }

    fn is_proxied(&self) -> bool {
        self.peer != self.client
    }

    /// A client that names another one, and is not trusted.
    pub fn forged(client: IpAddr, naming: Naming, named: IpAddr) -> Address {
        Address {
            peer: client,
            named: Some((naming, named)),
            client,
        }
    }
}

struct Seat {
    id: SessionId,
    from: Address,
    line: Line,
    peer: Option<Rc<RefCell<dyn Peer>>>,
    wake_at: Option<Instant>,
}

/// At most what an honest publisher sends: 25 pictures a second of 600 bytes, as many sounds, and their framing.
const HONEST_BITS_PER_S: f64 = 25.0 * 8.0 * 670.0;

/// The defaults, but for some limits.
pub fn settings(change: impl FnOnce(&mut Limits)) -> Settings {
    settings_of(Options::default(), change)
}

/// What these options come to, but for some limits.
pub fn settings_of(options: Options, change: impl FnOnce(&mut Limits)) -> Settings {
    let mut config = Serve::resolve(options).expect("the options are good");
    change(&mut config.limits);
    Settings::new(&config, 2000)
}

/// What these options come to, with so many connections.
pub fn settings_of_many(options: Options, connections: usize) -> Settings {
    let config = Serve::resolve(options).expect("the options are good");
    Settings::new(&config, connections)
}

impl World {
    pub fn new(settings: Settings, seed: u64) -> World {
        World::guarded(settings, Guard::Open, seed)
    }

    /// A server with these settings, which [`Guard::options`] have made.
    pub fn guarded(settings: Settings, guard: Guard, seed: u64) -> World {
        let now = Instant::now();
        let wall_s = UNIX_START;
        let time = Time {
            now,
            unix_ms: wall_s.saturating_mul(1000),
            steady_ms: wall_s * 1000,
        };
        let books: Books = Rc::new(Ledger::new(guard, wall_s));
        books.set_ring_bytes(settings.limits.ring_bytes);
        let checks = Checks::new(&settings, &books);
        let drain_timeout = settings.limits.drain_timeout;
        let publish_bits_per_s = settings.limits.max_publish_bits_per_s;
        pages::unpack_all();
        let mut memory = Meter::new();
        let allocated = memory.allocated();
        let mut hub = memory.count(|| Hub::new(settings, allocated, time));
        hub.count_memory_from_here();
        memory.start();
        World {
            checks,
            hub,
            memory,
            now,
            books,
            started: now,
            stood_still: Duration::ZERO,
            wall_s,
            seats: Vec::new(),
            hook: HookMood::Quick,
            asked: VecDeque::new(),
            chance: fastrand::Rng::with_seed(seed),
            turns: 0,
            idle_turns: 0,
            slept: true,
            drain_timeout,
            publish_bits_per_s,
            stops_at: None,
            ends_at: None,
            disk: None,
            shelf: None,
        }
    }

    /// Records on a disk like this. The settings must say that all is recorded.
    pub fn set_disk(&mut self, mood: Mood, settings: &RecordSettings) {
        let disk = Disk::new(mood, settings, self.now);
        self.shelf = Some(Shelf::new(disk.growing()));
        self.disk = Some(disk);
    }

    pub fn with(change: impl FnOnce(&mut Limits)) -> World {
        World::new(settings(change), 1)
    }

    pub fn set_hook(&mut self, mood: HookMood) {
        self.hook = mood;
    }

    /// For how long it has been simulated.
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.started)
    }

    fn hub_now(&self) -> Instant {
        self.now - self.stood_still
    }

    fn time(&self) -> Time {
        Time {
            now: self.hub_now(),
            unix_ms: (self.wall_s.saturating_mul(1000))
                .saturating_add(self.elapsed().as_millis() as u64),
            steady_ms: UNIX_START * 1000 + self.elapsed().as_millis() as u64,
        }
    }

    /// Sets the clock on the wall.
    pub fn set_wall_s(&mut self, wall_s: u64) {
        self.wall_s = wall_s;
    }

    /// The process is stopped for this long, and the world goes on. `net` sees that and takes it off the
    /// hub's time.
    pub fn stand_still(&mut self, time: Duration) {
        let from = self.now;
        let until = from + time;
        // Peers look at it meanwhile. What waits is sent within a moment, as far as the network takes it. What
        // honest publishers sent meanwhile is read at their limit, while they send more.
        let catch_up = self.publish_bits_per_s.map_or(Duration::ZERO, |limit| {
            time.mul_f64(HONEST_BITS_PER_S / (limit as f64 - HONEST_BITS_PER_S))
        });
        self.books
            .excuse(from, until + Duration::from_secs(3) + catch_up);
        while let Some(wake) = self.peers_wake().filter(|&wake| wake < until) {
            self.now = self.now.max(wake);
            self.let_world_act();
        }
        self.now = until;
        self.let_world_act();
        self.stood_still += time;
    }

    /// A connection whose other end is the test's own.
    pub fn connect(&mut self, link: LinkSpec) -> Line {
        self.seat(link, Address::local(), None)
    }

    /// The same, from elsewhere.
    pub fn connect_from(&mut self, link: LinkSpec, from: Address) -> Line {
        self.seat(link, from, None)
    }

    /// A connection with this peer at its other end.
    pub fn invite<P: Peer + 'static>(&mut self, link: LinkSpec, peer: P) -> Rc<RefCell<P>> {
        self.invite_from(link, Address::local(), peer)
    }

    /// The same, for a test that also changes the link.
    pub fn invite_line<P: Peer + 'static>(&mut self, link: LinkSpec, peer: P) -> Line {
        let peer = Rc::new(RefCell::new(peer));
        self.seat(link, Address::local(), Some(peer))
    }

    /// The same at a port of the old protocol.
    pub fn invite_old<P: Peer + 'static>(
        &mut self,
        link: LinkSpec,
        from: Address,
        port: Port,
        peer: P,
    ) {
        let peer = Rc::new(RefCell::new(peer));
        self.seat_at(Some(port), link, from, Some(peer));
    }

    pub fn invite_from<P: Peer + 'static>(
        &mut self,
        link: LinkSpec,
        from: Address,
        peer: P,
    ) -> Rc<RefCell<P>> {
        let peer = Rc::new(RefCell::new(peer));
        self.seat(link, from, Some(peer.clone()));
        peer
    }

    fn seat(&mut self, link: LinkSpec, from: Address, peer: Option<Rc<RefCell<dyn Peer>>>) -> Line {
        self.seat_at(None, link, from, peer)
    }

    fn seat_at(
        &mut self,
        port: Option<Port>,
        link: LinkSpec,
        from: Address,
        peer: Option<Rc<RefCell<dyn Peer>>>,
    ) -> Line {
        let line = Wire::new(link, self.chance.u64(..), self.now);
        match from.named {
            Some((Naming::Field, client)) => {
                let field = format!("X-Forwarded-For: {client}\r\n");
                line.borrow_mut().add_fields(field);
            }
            Some((Naming::Header, client)) => {
                let header = format!("PROXY TCP4 {client} 10.8.0.9 40000 443\r\n");
                line.borrow_mut().send(header.as_bytes());
            }
            None => {}
        }
        if !self.is_listening() {
            line.borrow_mut().reset();
            line.borrow_mut().is_dropped = true;
            return line;
        }
        let time = self.time();
        let admitted = self.memory.count(|| {
            self.hub.begin(time);
            let plug = Plug(line.clone());
            match port {
                Some(port) => self.hub.admit_old(plug, from.peer, port),
                None => self.hub.admit(plug, from.peer, None),
            }
        });
        // Else it is closed without an answer.
        if let Some(id) = admitted {
            self.seats.push(Seat {
                id,
                from,
                line: line.clone(),
                peer,
                wake_at: Some(self.now),
            });
        }
        line
    }

    /// Lets this much time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.step(until);
        }
    }

    /// Whether a slow link still brings what a peer has sent.
    pub fn has_unsent(&self) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.line.borrow().has_unsent())
    }

    /// The first fault that was seen.
    pub fn fault(&self) -> Option<String> {
        let fault = self.books.first_fault()?;
        let seconds = self.elapsed().as_secs_f64();
        Some(format!("after {seconds:.3} s: {fault}"))
    }

    /// # Panics
    ///
    /// When there was a fault.
    pub fn assert_sound(&self) {
        if let Some(fault) = self.fault() {
            panic!("{fault}");
        }
    }

    /// When bytes move, or a peer acts.
    fn peers_wake(&self) -> Option<Instant> {
        let seats = self.seats.iter().flat_map(|seat| {
            let moves = seat.line.borrow().wake_at(self.now);
            moves.into_iter().chain(seat.wake_at)
        });
        seats.min()
    }

    fn hub_wake(&self) -> Option<Instant> {
        self.hub.next_wake().map(|wake| wake + self.stood_still)
    }

    pub fn step(&mut self, limit: Instant) {
        let answered = self.asked.iter().map(|&(at, _)| at).min();
        let wakes = [
            self.peers_wake(),
            answered,
            self.hub_wake(),
            self.stops_at,
            self.ends_at,
            self.disk.as_ref().and_then(Disk::wake_at),
            self.shelf.as_ref().and_then(Shelf::wake_at),
            Some(limit),
        ];
        let wake = wakes.into_iter().flatten().min().unwrap_or(limit);
        self.now = self.now.max(wake);
        self.books.set_unix_s(self.time().unix_ms / 1000);
        self.let_world_act();
        let has_news = self.tell_hub();
        let is_due = self.hub_wake().is_some_and(|wake| wake <= self.now);
        if has_news || is_due {
            self.turn(has_news);
        }
        if self.stops_at.is_some_and(|at| at <= self.now) {
            self.stop();
        }
        if self.ends_at.is_some_and(|at| at <= self.now) {
            self.end();
        }
    }

    /// Whether new connections come to this process.
    pub fn is_listening(&self) -> bool {
        self.stops_at.is_none() && !self.books.is_stopping()
    }

    fn let_world_act(&mut self) {
        for seat in &mut self.seats {
            let mut wire = seat.line.borrow_mut();
            wire.advance(self.now);
            let is_time = seat.wake_at.is_some_and(|at| at <= self.now);
            let has_news = wire.has_come() || wire.is_ended();
            if let Some(peer) = &seat.peer
                && (is_time || has_news)
            {
                let mut peer = peer.borrow_mut();
                seat.wake_at = peer.act(&mut wire, self.now);
                if peer.is_done() && wire.is_dropped {
                    peer.check_at_the_end();
                }
                wire.advance(self.now);
            } else if seat.peer.is_none() {
                seat.wake_at = None;
            }
        }
        self.seats.retain(|seat| {
            let is_over = seat.line.borrow().is_dropped
                && seat
                    .peer
                    .as_ref()
                    .is_none_or(|peer| peer.borrow().is_done());
            !is_over
        });
    }

    /// What `epoll` and the hook's threads say. Returns whether they would wake the process.
    fn tell_hub(&mut self) -> bool {
        let time = self.time();
        self.memory.count(|| self.hub.begin(time));
        let mut has_news = false;
        for seat in &self.seats {
            let mut wire = seat.line.borrow_mut();
            if wire.is_dropped {
                continue;
            }
            let ready = wire.poll_ready();
            drop(wire);
            if let Some((readable, writable)) = ready {
                has_news = true;
                self.memory
                    .count(|| self.hub.ready(seat.id, readable, writable));
            }
        }
        while let Some(place) = self.asked.iter().position(|&(at, _)| at <= self.now) {
            if let Some((_, answer)) = self.asked.remove(place) {
                has_news = true;
                self.memory.count(|| self.hub.hook_answered(&answer));
            }
        }
        if let Some(disk) = &mut self.disk {
            let news = disk.act(self.now);
            has_news |= !news.is_empty();
            self.tell_of_recordings(news);
        }
        if let Some(shelf) = &mut self.shelf {
            for job in shelf.due(self.now) {
                has_news = true;
                self.memory
                    .count(|| self.hub.archive_answered(shelf.answer(job)));
            }
        }
        has_news
    }

    fn tell_of_recordings(&mut self, news: Vec<News>) {
        for news in news {
            self.memory.count(|| self.hub.recording_changed(news));
        }
    }

    /// What this turn has brought goes to the disk.
    fn record(&mut self, audit: &Audit) {
        let Some(disk) = &mut self.disk else {
            return;
        };
        let streams: Vec<_> = audit
            .streams
            .iter()
            .filter_map(|stream| self.hub.stream(&stream.name))
            .collect();
        disk.note_live(&streams, audit.gops_lost);
        let orders = self.memory.count(|| self.hub.poll_orders());
        disk.order(orders, self.now);
        disk.check_queue(&self.books);
    }

    /// All recordings are finished.
    fn finish_recordings(&mut self) {
        let audit = self.hub.audit();
        self.record(&audit);
        let news = self.disk.as_mut().map(|disk| disk.finish(self.now));
        self.tell_of_recordings(news.unwrap_or_default());
        let audit = self.hub.audit();
        if let Some(disk) = &self.disk {
            disk.check(&self.books, audit.gops_lost, audit.recordings_failed);
        }
    }

    fn turn(&mut self, has_news: bool) {
        self.turns += 1;
        let hub_now = self.hub_now();
        self.memory.count(|| self.hub.turn(&|| hub_now));
        while let Some(question) = self.memory.count(|| self.hub.poll_question()) {
            self.ask_hook(question);
        }
        if let Some(shelf) = &mut self.shelf {
            for job in self.memory.count(|| self.hub.poll_jobs()) {
                let delay = Duration::from_millis(self.chance.u64(..20));
                shelf.put(job, self.now + delay);
            }
        }
        let (mut calls, mut bytes) = (0, 0);
        for seat in &self.seats {
            let mut wire = seat.line.borrow_mut();
            calls += std::mem::take(&mut wire.calls);
            bytes += std::mem::take(&mut wire.bytes);
        }
        let audit = self.hub.audit();
        self.record(&audit);
        let work = audit.publishers_work + audit.reports_work;
        self.now += TURN_COST
            + CALL_COST * u32::try_from(calls).unwrap_or(u32::MAX)
            + Duration::from_micros(bytes / BYTES_PER_US)
            + Duration::from_nanos(work);
        let has_slept = self.slept;
        self.slept = self.hub.next_wake().is_none_or(|wake| wake > hub_now);
        self.idle_turns = if has_news || calls > 0 || has_slept {
            0
        } else {
            self.idle_turns + 1
        };
        if self.idle_turns > 200 {
            self.books
                .fault("the hub does not sleep, and does nothing".to_owned());
        }
        let clients = self.seats.iter().map(|seat| (seat.id, seat.from.client));
        let proxied = self.seats.iter();
        let proxied = proxied.filter(|seat| seat.from.is_proxied());
        let proxied = proxied.map(|seat| seat.id);
        let moment = Moment {
            now: hub_now,
            is_at_rest: self.slept,
            bytes,
            held: self.memory.held(),
            readings: self.memory.take_readings(),
            clients: clients.collect(),
            proxied: proxied.collect(),
        };
        self.checks.after_turn(&audit, &moment);
        if self.slept {
            let lines = self.seats.iter().map(|seat| (seat.id, &seat.line));
            self.checks.at_rest(&audit, lines);
        }
    }

    fn ask_hook(&mut self, question: Question) {
        let ms = Duration::from_millis;
        let is_honest = String::from_utf8_lossy(&question.body).contains("honest");
        let chance = self.chance.u8(..4);
        let (delay, verdict) = match self.hook {
            HookMood::Dead => return,
            _ if is_honest => (ms(30), Some(Verdict::Allowed)),
            HookMood::Quick => (ms(30), Some(Verdict::Allowed)),
            HookMood::Slow(most) => {
                let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
                (ms(self.chance.u64(..=most)), Some(Verdict::Allowed))
            }
            HookMood::Moody if chance == 0 => (ms(100), None),
            HookMood::Moody if chance == 1 => (ms(100), Some(Verdict::Forbidden)),
            HookMood::Moody if chance == 2 => (ms(100), Some(Verdict::Unauthorized)),
            HookMood::Moody => (ms(300), Some(Verdict::Allowed)),
        };
        let answer = HookAnswer {
            id: question.id,
            verdict,
            trouble: None,
        };
        self.asked.push_back((self.now + delay, answer));
    }

    /// The server stops: every session is closed.
    pub fn stop(&mut self) {
        if self.books.is_stopping() {
            return;
        }
        self.stops_at = None;
        self.ends_at = Some(self.now + STOPPING);
        self.books.stop();
        let time = self.time();
        self.checks.stop(&self.hub.audit(), self.hub_now());
        self.memory.count(|| {
            self.hub.begin(time);
            self.hub.stop();
        });
    }

    /// Another process has taken over: this one listens no more, serves its connections for a while, and
    /// stops.
    pub fn hand_over(&mut self) {
        if self.is_listening() {
            self.stops_at = Some(self.now + self.drain_timeout);
            self.books.count(|counts| counts.handovers += 1);
            self.books.drain(self.now);
            self.checks.drain(&self.hub.audit());
            self.memory.count(|| self.hub.drain());
        }
    }

    /// The process ends: what is left is closed by the kernel.
    fn end(&mut self) {
        self.ends_at = None;
        let ids: Vec<SessionId> = self.hub.audit().sessions.iter().map(|one| one.id).collect();
        for id in ids {
            self.memory.count(|| self.hub.abandon(id));
        }
    }

    /// All that were there have left or are gone, and nothing of them may be left.
    pub fn check_that_all_is_given_back(&mut self) {
        self.finish_recordings();
        let audit = self.hub.audit();
        self.checks.at_the_end(&audit, self.memory.held());
        if let Some(wake) = self.hub.next_wake() {
            let in_time = wake.saturating_duration_since(self.hub_now());
            self.books
                .fault(format!("nothing is left, and the hub wakes in {in_time:?}"));
        }
        for seat in &self.seats {
            if !seat.line.borrow().is_dropped {
                self.books.fault(format!("{:?} is kept for ever", seat.id));
            }
        }
    }
}

/// A web hook that the hub waits for.
pub fn hook() -> HookSettings {
    HookSettings {
        timeout: Duration::from_secs(5),
        cache: Duration::from_secs(10),
    }
}
