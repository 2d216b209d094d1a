//! The loop.
//!
//! Events only mark sockets ready; work happens in phases, each with a budget, so that nobody
//! holds the others up: see [`Reactor::run`]. All that happens in a turn happens at one time; the
//! clock is read again only to tell how long things took.

use super::ServeError;
use super::inherited::Inherited;
use super::listener::{Listener, Service, connections_allowed};
use super::service_manager::ServiceManager;
use super::socket::Socket;
use super::successor::{Origin, Successor};
use super::tls::Acceptor;
use crate::config::{Limits, SelfSigned, Serve, Tls};
use crate::hub::asking::Porter;
use crate::hub::broadcast::Broadcast;
use crate::hub::clients::{Admission, Clients};
use crate::hub::deadlines::TICK;
use crate::hub::memory::Memory;
use crate::hub::refusals::RefusalLog;
use crate::hub::renderings::Renderings;
use crate::hub::write_queue::WriteQueue;
use crate::metrics::{Counters, Texts};
use crate::protocol::access::{Access, Secret};
use crate::protocol::base_path::BasePath;
use crate::protocol::date::{DateCache, HttpDate};
use crate::protocol::forwarded::TrustedProxies;
use crate::protocol::http::Method;
use crate::protocol::route::Refusal;
use crate::session::body::ReadBuffer;
use crate::session::viewer::Item;
use crate::session::{Connection, State};
use crate::stream::{self, Catalog, StreamId};
use crate::webm;
use crate::work::{Budget, Work};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{ClockId, clock_gettime};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook_mio::v1_0::Signals;
use slab::Slab;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

/// Tokens below are connections' slots.
const SIGNALS: Token = Token(usize::MAX - 1);
pub(crate) const SUCCESSOR: Token = Token(usize::MAX - 3);
const HOOK: Token = Token(usize::MAX - 2);
const LISTENERS: usize = usize::MAX / 2;

/// Events taken from the kernel in one call: 12 bytes each.
const EVENTS_MAX: usize = 1024;

/// When so much of a turn was neither work nor a wait that was asked for, the process or its machine
/// stood still.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Connections let go of in one turn: closing one takes some microseconds.
const FREED_MAX: usize = 512;

/// Connections beyond the limit that are told so, rather than dropped.
const REFUSED_MAX: usize = 32;

pub struct Reactor {
    pub(crate) poll: Poll,
    pub(crate) events: Events,
    pub(crate) signals: Signals,
    pub(crate) listeners: Vec<Listener>,
    /// How the encrypted ones of these are encrypted.
    tls: Option<(Tls, Acceptor)>,
    pub(crate) connections: Slab<Connection>,
    pub(crate) catalog: Catalog,
    /// Beside each stream of the catalog.
    pub(crate) broadcasts: BTreeMap<StreamId, Broadcast>,
    pub(crate) access: Access,
    /// To be handed on to the process that takes over.
    pub(crate) random_publish_key: Option<Secret>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) proxy_protocol: bool,
    /// Below which all addresses are, besides where they are anyway.
    pub(crate) base_path: BasePath,
    /// Asks the web hook, if there is one.
    pub(crate) porter: Option<Porter>,
    pub(crate) limits: Limits,
    pub(crate) connections_max: usize,
    pub(crate) clients: Clients,
    pub(crate) memory: Memory,
    pub(crate) renderings: Renderings,
    pub(crate) texts: Texts,
    pub(crate) counters: Counters,
    pub(crate) refusals: RefusalLog,
    dates: DateCache,
    pub(crate) started_at: Instant,
    /// When this turn began, by [`Reactor::clock`], as all times here are.
    pub(crate) now: Instant,
    /// Time for which the server stood still.
    stood_still: Duration,
    /// What the loop had worked when this turn began.
    worked: Duration,
    pub(crate) ticked_at: Instant,
    /// The slot at which looking at deadlines goes on, when one turn was too short.
    pub(crate) expiring: Option<usize>,
    pub(crate) told_viewers_at: Instant,
    /// Publishers to be read, others to be read, and whoever is to be written to for itself rather
    /// than in a sweep. Whoever is here has its flag set, so as not to be here twice; an entry that
    /// outlived its connection costs one look.
    pub(crate) feeding: VecDeque<usize>,
    pub(crate) readable: VecDeque<usize>,
    pub(crate) writable: WriteQueue,
    /// Publishers that were too fast, and when each is read again.
    pub(crate) resting: Vec<(Instant, usize)>,
    /// Publishers whose blocks wait for other tracks, or for the clock.
    pub(crate) waiting_media: Vec<usize>,
    /// Streams whose audience is being visited, or will be: each has its slice in turn.
    pub(crate) sweeping: VecDeque<StreamId>,
    /// Connections in state `Gone`.
    pub(crate) gone: Vec<usize>,
    /// When the server must be done with stopping, by the clock on the wall: whoever stops it has a
    /// deadline, too.
    pub(crate) stopping: Option<Instant>,
    /// The service manager that we may have.
    pub(crate) manager: ServiceManager,
    pub(crate) origin: Origin,
    /// The process that is to take over, while it starts.
    pub(crate) successor: Option<Successor>,
    /// When the last connections are closed, after another process has taken over.
    pub(crate) draining: Option<Instant>,
    pub(crate) read_buffer: ReadBuffer,
    /// What publishers may do in this turn.
    pub(crate) budget: Budget,
    /// What all others may ask for in this turn.
    pub(crate) reads: Work,
    /// Scratch space, kept for its memory.
    pub(crate) items: Vec<Item>,
    pub(crate) accepted: Vec<(TcpStream, IpAddr)>,
}

impl Reactor {
    /// `allocated` tells the bytes that the process has allocated.
    pub fn new(
        config: Serve,
        mut inherited: Inherited,
        allocated: fn() -> usize,
    ) -> Result<Reactor, ServeError> {
        let now = Instant::now();
        let limits = config.limits;
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR2])?;
        let tls = config.tls.map(|tls| {
            let acceptor = Acceptor::new(tls.config.clone());
            (tls, acceptor)
        });
        // Without a certificate it is a terminal that was closed, which ends us.
        if tls.is_some() {
            signals.add_signal(SIGHUP)?;
        }
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)?;
        let mut listeners = Vec::new();
        let service = match tls {
            None => Service::Plain,
            Some(_) => Service::Encrypted,
        };
        let served = config.listen.into_iter().map(|address| (address, service));
        let redirected = config.http_redirect.into_iter();
        let redirected = redirected.map(|address| (address, Service::Redirect));
        for ((address, service), index) in served.chain(redirected).zip(0..) {
            let mut listener = match inherited.take(address) {
                Some(socket) => Listener::adopt(address, socket, service)?,
                None => Listener::bind(address, service)?,
            };
            let token = Token(LISTENERS + index);
            poll.registry()
                .register(&mut listener.socket, token, Interest::READABLE)?;
            listeners.push(listener);
        }
        let porter = match &config.hook {
            Some(hook) => Some(Porter::new(hook, Waker::new(poll.registry(), HOOK)?)?),
            None => None,
        };
        let stream_limits = stream::Limits {
            webm: webm::Limits {
                init_bytes: limits.init_bytes,
                block_bytes: limits.block_bytes,
            },
            ring_bytes: limits.ring_bytes,
            ring_ms: limits.ring_ms,
            lag_ms: limits.lag_ms,
        };
        let allowed = connections_allowed();
        Ok(Reactor {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            signals,
            listeners,
            tls,
            connections: Slab::new(),
            catalog: Catalog::new(stream_limits),
            broadcasts: BTreeMap::new(),
            access: config.access,
            random_publish_key: config.random_publish_key,
            proxies: config.proxies,
            proxy_protocol: config.proxy_protocol,
            base_path: config.base_path,
            porter,
            connections_max: limits.max_connections.unwrap_or(allowed).min(allowed),
            clients: Clients::new(limits.max_connections_per_address),
            memory: Memory::new(allocated, limits.max_memory_bytes),
            renderings: Renderings::new(now),
            texts: Texts::default(),
            limits,
            counters: Counters::default(),
            refusals: RefusalLog::default(),
            dates: DateCache::default(),
            started_at: now,
            now,
            stood_still: Duration::ZERO,
            worked: cpu_time(),
            ticked_at: now,
            expiring: None,
            told_viewers_at: now,
            feeding: VecDeque::new(),
            readable: VecDeque::new(),
            writable: WriteQueue::default(),
            resting: Vec::new(),
            waiting_media: Vec::new(),
            sweeping: VecDeque::new(),
            gone: Vec::new(),
            stopping: None,
            manager: ServiceManager::new(now),
            origin: Origin::new(inherited.is_activated),
            successor: None,
            draining: None,
            read_buffer: ReadBuffer::new(),
            budget: Budget::new(0, 0, 0),
            reads: Work::new(0),
            items: Vec::new(),
            accepted: Vec::new(),
        })
    }

    pub fn addresses(&self) -> Vec<(Service, SocketAddr)> {
        self.listeners
            .iter()
            .map(|listener| (listener.service, listener.address))
            .collect()
    }

    pub fn run(&mut self) -> io::Result<()> {
        self.memory.start();
        while !self.is_done() {
            self.wait()?; // the only call that sleeps
            self.accept();
            self.hear_verdicts(); // requests that waited for the hook go on
            self.read(); // publishers' bytes become chunks
            self.fan_out(); // audiences with new chunks become due
            self.write();
            self.expire();
            self.sum_up_refusals();
            self.tend_successor();
            self.free_slots(); // nowhere else
            self.manager.tend(self.now);
        }
        Ok(())
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.stopping.is_none() && self.draining.is_none()
    }

    /// Seconds since 1970 by the clock on the wall, which may be set. Before 1970 it is the end of
    /// time: then no token is good, for they all have expired.
    pub(crate) fn since_1970() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(u64::MAX, |since| since.as_secs())
    }

    /// The date of what is answered now.
    pub(crate) fn date(&mut self) -> HttpDate {
        self.dates.at(Self::since_1970())
    }

    fn is_done(&self) -> bool {
        let is_over = self.stopping.is_some_and(|until| Instant::now() >= until);
        is_over || (!self.is_serving() && self.connections.is_empty())
    }

    /// The monotonic clock, which nobody can set, less the time for which the server stood still:
    /// nobody is late for that.
    pub(crate) fn clock(&self) -> Instant {
        Instant::now() - self.stood_still
    }

    fn wait(&mut self) -> io::Result<()> {
        let done = self.clock();
        self.counters
            .turns
            .record(done.saturating_duration_since(self.now));
        let timeout = self.timeout(done);
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        self.note_standstill(done, timeout);
        self.now = self.clock();
        self.catalog
            .set_clock(self.now.saturating_duration_since(self.started_at));
        let events = mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.mark(event);
        }
        self.events = events;
        Ok(())
    }

    /// Sees whether more time has passed than the turn worked, until `done`, and then may have waited.
    /// Nobody is late for a standstill; but a turn with much work is none, or deadlines would run slow.
    fn note_standstill(&mut self, done: Instant, timeout: Option<Duration>) {
        let worked = mem::replace(&mut self.worked, cpu_time());
        let Some(timeout) = timeout else {
            // No connections, and no deadlines.
            return;
        };
        let waited = self.clock().saturating_duration_since(done);
        let turn = done.saturating_duration_since(self.now);
        let worked = self.worked.saturating_sub(worked);
        if let Some(still) = standstill(waited, timeout, turn, worked)
            && !self.connections.is_empty()
        {
            tracing::warn!(time = ?still, "the server stood still");
            self.stood_still += still;
            self.manager.hurry(self.clock());
        }
    }

    /// Edge-triggered: a socket left before "would block" gets no second event, so while any
    /// remains on a list the next wait must not sleep.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        let has_work = !(self.feeding.is_empty()
            && self.readable.is_empty()
            && self.writable.is_empty()
            && self.gone.is_empty());
        if has_work || self.expiring.is_some() {
            return Some(Duration::ZERO);
        }
        let accept = self
            .listeners
            .iter()
            .filter_map(|listener| listener.wake_at(self.now))
            .min();
        let tick = (!self.connections.is_empty()).then(|| self.ticked_at + TICK);
        let rested = self.resting.iter().map(|&(until, _)| until).min();
        let manager = self.manager.wake_at();
        let successor = self.successor_wake_at();
        let refusals = self.refusals.wake_at();
        let media = self.media_at();
        let wake = [
            accept,
            tick,
            self.sweep_at(),
            rested,
            media,
            manager,
            successor,
            refusals,
        ]
        .into_iter()
        .flatten()
        .min()?;
        Some(wake.saturating_duration_since(now))
    }

    fn mark(&mut self, event: &Event) {
        match event.token() {
            SIGNALS => {
                let signals: Vec<i32> = self.signals.pending().collect();
                for signal in signals {
                    match signal {
                        SIGHUP => self.renew_certificate(),
                        SIGUSR2 => self.call_successor(),
                        _ => self.stop(),
                    }
                }
            }
            SUCCESSOR => self.hear_successor(),
            // Its answers are heard in a phase of their own.
            HOOK => {}
            Token(index) if index >= LISTENERS => {
                if let Some(listener) = self.listeners.get_mut(index - LISTENERS) {
                    listener.ready();
                }
            }
            // Slots are freed only in `free_slots`, so no event in this batch can name a newer
            // connection that took an old one's place.
            Token(id) => {
                let Some(connection) = self.connections.get_mut(id) else {
                    return;
                };
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    connection.can_read = true;
                    self.queue_read(id);
                }
                if event.is_writable() || event.is_write_closed() {
                    self.connections[id].can_write = true;
                    self.queue_write(id);
                }
            }
        }
    }

    pub(crate) fn queue_read(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if !connection.is_read_queued {
            connection.is_read_queued = true;
            match connection.state {
                State::Publishing(_) => self.feeding.push_back(id),
                _ => self.readable.push_back(id),
            }
        }
    }

    pub(crate) fn queue_write(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if connection.can_write && !connection.is_write_queued {
            connection.is_write_queued = true;
            self.writable.push(id, connection.outbox.byte_len());
        }
    }

    fn accept(&mut self) {
        let mut accepted = mem::take(&mut self.accepted);
        // The first listeners are the served ones: see `new`.
        let https_port = self.listeners.first().map(|served| served.address.port());
        for index in 0..self.listeners.len() {
            let listener = &mut self.listeners[index];
            listener.accept(self.now, &mut accepted);
            let service = listener.service;
            for (socket, peer) in accepted.drain(..) {
                let redirects_to = https_port.filter(|_| service == Service::Redirect);
                match (service, &self.tls) {
                    (Service::Encrypted, Some((_, acceptor))) => match acceptor.accept() {
                        Ok(tls) => self.admit(Socket::encrypted(socket, tls), peer, None),
                        Err(error) => tracing::warn!(%error, "TLS"),
                    },
                    _ => self.admit(socket.into(), peer, redirects_to),
                }
            }
        }
        self.accepted = accepted;
    }

    fn admit(&mut self, socket: Socket, peer: IpAddr, redirects_to: Option<u16>) {
        let is_full = self.connections.len() >= self.connections_max || self.memory.is_over();
        if is_full {
            self.counters.connections_refused += 1;
            if self.connections.len() >= self.connections_max + REFUSED_MAX {
                return;
            }
        }
        let is_direct = self.is_direct(peer);
        let admission = match is_direct {
            true => self.clients.come(peer),
            false => Admission::Welcome,
        };
        if admission != Admission::Welcome {
            self.counters.connections_refused += 1;
        }
        if admission == Admission::Dropped {
            return;
        }
        let entry = self.connections.vacant_entry();
        let id = entry.key();
        let connection = entry.insert(Connection::new(socket, peer, self.now));
        connection.is_counted = is_direct;
        connection.is_introduced = !self.proxy_protocol;
        connection.redirects_to = redirects_to;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered =
            self.poll
                .registry()
                .register(connection.socket.tcp_mut(), Token(id), interest);
        if registered.is_err() {
            self.drop_connection(id);
            return;
        }
        self.counters.connections_accepted += 1;
        if is_full {
            self.refuse(id, &Refusal::full(), Method::Other);
        } else if admission == Admission::Refused {
            self.refuse(id, &Refusal::too_many_connections(), Method::Other);
        }
        self.queue_read(id);
    }

    /// The certificate that was made at start.
    pub(crate) fn self_signed(&self) -> Option<&SelfSigned> {
        self.tls.as_ref().and_then(|(tls, _)| tls.made())
    }

    /// SIGHUP: who comes from now on is shown the certificate that is in the files now. Who is here
    /// stays as it is.
    fn renew_certificate(&mut self) {
        let Some((tls, acceptor)) = &mut self.tls else {
            return;
        };
        match tls.reread() {
            Ok(renewed) => {
                acceptor.renew(renewed.config.clone());
                *tls = renewed;
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }

    fn free_slots(&mut self) {
        let more = self.gone.split_off(self.gone.len().min(FREED_MAX));
        for id in mem::replace(&mut self.gone, more) {
            // Closing the descriptor takes it out of epoll.
            let connection = self.connections.remove(id);
            if connection.is_counted {
                self.clients.leave(connection.client);
            }
        }
        if self.connections.is_empty() {
            // No tick will come to see it.
            self.renderings = Renderings::new(self.now);
            self.texts = Texts::default();
        }
    }
}

/// Time that was neither work nor an asked-for wait, if it is long: of a wait, and of the turn before it.
fn standstill(
    waited: Duration,
    timeout: Duration,
    turn: Duration,
    worked: Duration,
) -> Option<Duration> {
    let still = waited.saturating_sub(timeout) + turn.saturating_sub(worked);
    (still > STANDSTILL).then_some(still)
}

/// What this thread has worked, whatever the clock says.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_turn_of_work_is_no_standstill() {
        let ms = Duration::from_millis;
        assert_eq!(standstill(ms(0), ms(0), ms(18_000), ms(17_500)), None);
        assert_eq!(standstill(ms(250), ms(250), ms(20), ms(20)), None);
        // Woken by an event before the time.
        assert_eq!(standstill(ms(3), ms(30_000), ms(20), ms(20)), None);
        // Stopped while it waited, and while it worked.
        assert_eq!(
            standstill(ms(4250), ms(250), ms(20), ms(20)),
            Some(ms(4000))
        );
        assert_eq!(standstill(ms(0), ms(0), ms(4020), ms(20)), Some(ms(4000)));
    }

    #[test]
    fn work_is_measured_by_the_time_on_the_processor() {
        let before = cpu_time();
        std::thread::sleep(Duration::from_millis(300));
        let asleep = cpu_time() - before;
        assert!(asleep < Duration::from_millis(150), "{asleep:?}");
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() - before < Duration::from_millis(2) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
