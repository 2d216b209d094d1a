//! The loop that drives the hub: `epoll`, listening sockets, signals, the hook's threads, and the clock.
//!
//! Events only mark sockets ready; the work is done by [`Hub::turn`].

use super::ServeError;
use super::events::EventThreads;
use super::handover::{Handover, Launch};
use super::hook::HookThreads;
use super::inherited::Inherited;
use super::listener::{Listener, Service, connections_allowed};
use super::recording::Recording;
use super::service_bus::ServiceBus;
use super::service_manager::ServiceManager;
use super::socket::TcpSocket;
use super::tls::Acceptor;
use super::usage;
use crate::compat::Port;
use crate::config::{SelfSigned, Serve, Tls};
use crate::hub::{Hub, Settings, Time};
use crate::record::Folder;
use crate::session::SessionId;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{ClockId, clock_gettime};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook_mio::v1_0::Signals;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Tokens below these are slots of sessions.
const SIGNALS: Token = Token(usize::MAX - 1);
pub(super) const SUCCESSOR: Token = Token(usize::MAX - 3);
const WAKER: Token = Token(usize::MAX - 2);
const LISTENERS: usize = usize::MAX / 2;

/// Events taken from the kernel in one call: 12 bytes each.
const EVENTS_MAX: usize = 1024;

/// When so much of a turn was neither work nor a wait that was asked for, the process or its machine
/// stood still.
const STANDSTILL: Duration = Duration::from_secs(1);

/// How long peers have for the closing handshake when the server stops.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(3);

pub struct Reactor {
    hub: Hub<TcpSocket>,
    pub(super) poll: Poll,
    events: Events,
    signals: Signals,
    pub(super) doors: Doors,
    /// `None` without a web hook.
    hook: Option<HookThreads>,
    /// `None` without `--record`.
    recording: Option<Recording>,
    /// `None` without `--event-url`.
    event_threads: Option<EventThreads>,
    bus: ServiceBus,
    pub(super) clock: LoopClock,
    /// When the server must be done with stopping, by the clock on the wall: the service manager that
    /// stops it has a deadline, too.
    stopping: Option<Instant>,
    pub(super) manager: ServiceManager,
    pub(super) handover: Handover,
    drain_timeout: Duration,
}

/// Listening sockets, and how the encrypted ones are encrypted.
pub(super) struct Doors {
    pub(super) listeners: Vec<Listener>,
    tls: Option<(Tls, Acceptor)>,
    /// Kept for its memory.
    accepted: Vec<(TcpStream, IpAddr)>,
}

impl Reactor {
    /// `allocated` returns the bytes that the process has allocated.
    pub fn new(
        config: Serve,
        mut inherited: Inherited,
        folder: Option<Folder>,
        allocated: fn() -> usize,
    ) -> Result<Reactor, ServeError> {
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR2])?;
        let tls = config.tls.clone().map(|tls| {
            let acceptor = Acceptor::new(tls.config.clone());
            (tls, acceptor)
        });
        // Without a certificate SIGHUP means that the terminal was closed, which ends the process.
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
        let served = config
            .listen
            .iter()
            .copied()
            .map(|address| (address, service));
        let redirected = config.http_redirect.iter().copied();
        let redirected = redirected.map(|address| (address, Service::Redirect));
        let is_encrypted = service == Service::Encrypted;
        let old = config.compat.iter().flat_map(|compat| compat.addresses);
        let old = old.zip(Port::ALL).map(|(address, port)| {
            let service = Service::Old { port, is_encrypted };
            (address, service)
        });
        for ((address, service), index) in served.chain(redirected).chain(old).zip(0..) {
            let mut listener = match inherited.take(address) {
                Some(socket) => Listener::adopt(address, socket, service)?,
                None => Listener::bind(address, service, config.reuse_port)?,
            };
            let token = Token(LISTENERS + index);
            poll.registry()
                .register(&mut listener.socket, token, Interest::READABLE)?;
            listeners.push(listener);
        }
        // One for all threads: `mio` has no more for each `Poll`.
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let hook = match &config.hook {
            Some(hook) => Some(HookThreads::start(hook, waker.clone())?),
            None => None,
        };
        // A recording is open twice: for what is written, and for viewers behind live.
        let files = config
            .record
            .as_ref()
            .map_or(0, |_| config.limits.max_streams.saturating_mul(2));
        let settings = Settings::new(&config, connections_allowed(files));
        let event_threads = match (&config.events, &settings.events) {
            (Some(events), Some(settings)) => {
                let node = config.nodes.as_ref().map(|nodes| nodes.node.clone());
                Some(EventThreads::start(events, &settings.tally, node)?)
            }
            _ => None,
        };
        let bus = ServiceBus::start(config.nodes.as_ref(), &waker)?;
        let recording = match (&settings.record, folder) {
            (Some(record), Some(folder)) => Some(Recording::start(record, folder, waker)?),
            _ => None,
        };
        let clock = LoopClock::new();
        let mut hub = Hub::new(settings, allocated, clock.time());
        hub.measure_with(usage::of_this_process);
        Ok(Reactor {
            hub,
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            signals,
            doors: Doors {
                listeners,
                tls,
                accepted: Vec::new(),
            },
            hook,
            recording,
            event_threads,
            bus,
            manager: ServiceManager::new(clock.began),
            clock,
            stopping: None,
            handover: Handover::new(
                Launch::new(inherited.is_activated),
                config.random_publish_key,
            ),
            drain_timeout: config.limits.drain_timeout,
        })
    }

    pub fn addresses(&self) -> Vec<(Service, SocketAddr)> {
        self.doors
            .listeners
            .iter()
            .map(|listener| (listener.service, listener.address))
            .collect()
    }

    pub fn run(&mut self) -> io::Result<()> {
        self.hub.count_memory_from_here();
        while !self.is_done() {
            self.wait()?; // the only call that sleeps
            self.accept();
            self.take_hook_answers(); // requests that waited for it go on
            self.take_recording_news();
            self.bus.take_news(&mut self.hub);
            let clock = &self.clock;
            self.hub.turn(&|| clock.now());
            self.ask_hook();
            self.order_recordings(false);
            self.send_events();
            self.bus.send(&mut self.hub);
            self.tend_succession();
            self.manager.tend(self.clock.began);
        }
        self.bus.finish(&mut self.hub);
        self.finish_recordings();
        self.finish_events();
        Ok(())
    }

    pub(super) fn is_serving(&self) -> bool {
        self.hub.is_serving()
    }

    pub(super) fn sessions(&self) -> usize {
        self.hub.sessions()
    }

    fn is_done(&self) -> bool {
        let is_over = self.stopping.is_some_and(|until| Instant::now() >= until);
        is_over || (!self.is_serving() && self.hub.sessions() == 0)
    }

    fn wait(&mut self) -> io::Result<()> {
        let done = self.clock.now();
        let timeout = self
            .wake_at()
            .map(|wake| wake.saturating_duration_since(done));
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        let still = self
            .clock
            .begin_turn(done, timeout, self.hub.sessions() > 0);
        if let Some(still) = still {
            tracing::warn!(time = ?still, "the server stood still");
            self.manager.hurry(self.clock.began);
        }
        self.hub.begin(self.clock.time());
        let events = mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.mark(event);
        }
        self.events = events;
        Ok(())
    }

    fn wake_at(&self) -> Option<Instant> {
        let listeners = self.doors.listeners.iter();
        let accept = listeners
            .filter_map(|listener| listener.wake_at(self.clock.began))
            .min();
        let recording = self.recording.as_ref();
        let orders = recording.filter(|_| self.hub.has_orders());
        let wakes = [
            self.hub.next_wake(),
            orders.map(Recording::wake_at),
            accept,
            self.manager.wake_at(),
            self.handover.wake_at(self.stopping.is_some()),
        ];
        wakes.into_iter().flatten().min()
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
            SUCCESSOR => self.read_successor(),
            // What threads say is taken in phases of its own.
            WAKER => {}
            Token(index) if index >= LISTENERS => {
                if let Some(listener) = self.doors.listeners.get_mut(index - LISTENERS) {
                    listener.ready();
                }
            }
            // Slots are freed at the end of a turn only, so no event in this batch can name a newer
            // session that took an old one's place.
            Token(slot) => {
                if let Some(id) = self.hub.at_slot(slot) {
                    let readable =
                        event.is_readable() || event.is_read_closed() || event.is_error();
                    let writable = event.is_writable() || event.is_write_closed();
                    self.hub.ready(id, readable, writable);
                }
            }
        }
    }

    fn accept(&mut self) {
        let mut accepted = mem::take(&mut self.doors.accepted);
        // The first listeners are the served ones: see `new`.
        let first = self.doors.listeners.first();
        let https_port = first.map(|served| served.address.port());
        for index in 0..self.doors.listeners.len() {
            let listener = &mut self.doors.listeners[index];
            listener.accept(self.clock.began, &mut accepted);
            let service = listener.service;
            for (socket, peer) in accepted.drain(..) {
                let redirects_to = https_port.filter(|_| service == Service::Redirect);
                let old = match service {
                    Service::Old { port, .. } => Some(port),
                    _ => None,
                };
                let is_encrypted = matches!(
                    service,
                    Service::Encrypted
                        | Service::Old {
                            is_encrypted: true,
                            ..
                        }
                );
                let socket = match &self.doors.tls {
                    Some((_, acceptor)) if is_encrypted => match acceptor.accept() {
                        Ok(tls) => TcpSocket::encrypted(socket, tls),
                        Err(error) => {
                            tracing::warn!(%error, "TLS");
                            continue;
                        }
                    },
                    _ => socket.into(),
                };
                let id = match old {
                    Some(port) => self.hub.admit_old(socket, peer, port),
                    None => self.hub.admit(socket, peer, redirects_to),
                };
                self.register(id);
            }
        }
        self.doors.accepted = accepted;
    }

    /// Puts a session that the hub has taken into epoll.
    fn register(&mut self, id: Option<SessionId>) {
        let Some(id) = id else {
            return;
        };
        let Some(socket) = self.hub.socket_mut(id) else {
            return;
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        // Closing the descriptor takes it out of epoll.
        let registered = socket
            .tcp_mut()
            .and_then(|tcp| registry.register(tcp, Token(id.slot()), interest));
        if let Err(error) = registered {
            tracing::debug!(%error, "a connection does not go into epoll");
            self.hub.abandon(id);
        }
    }

    fn take_hook_answers(&mut self) {
        if let Some(hook) = &self.hook {
            while let Some(answer) = hook.poll() {
                self.hub.hook_answered(&answer);
            }
        }
    }

    fn ask_hook(&mut self) {
        if let Some(hook) = &self.hook {
            while let Some(question) = self.hub.poll_question() {
                if let Err(answer) = hook.ask(question) {
                    self.hub.hook_answered(&answer);
                }
            }
        }
    }

    fn take_recording_news(&mut self) {
        if let Some(recording) = &self.recording {
            while let Some(news) = recording.poll() {
                self.hub.recording_changed(news);
            }
            while let Some(answer) = recording.poll_answer() {
                self.hub.archive_answered(answer);
            }
        }
    }

    /// `is_last`: no more come, and none waits.
    fn order_recordings(&mut self, is_last: bool) {
        if let Some(recording) = &mut self.recording {
            let now = self.clock.began;
            if is_last || (self.hub.has_orders() && recording.is_due(now)) {
                recording.order(self.hub.poll_orders(), now);
            }
            recording.ask(self.hub.poll_jobs());
        }
    }

    /// All sessions are over: recordings have what is left of the time for stopping.
    fn finish_recordings(&mut self) {
        self.order_recordings(true);
        if let Some(recording) = &mut self.recording {
            recording.wait(self.stopping);
        }
        // Of recordings that were finished just now.
        self.take_recording_news();
    }

    fn send_events(&mut self) {
        if let Some(threads) = &self.event_threads {
            threads.send(&self.hub.poll_events(), self.clock.began);
        }
    }

    /// Events have what is left of the time for stopping after that.
    fn finish_events(&mut self) {
        self.hub.release_events();
        self.send_events();
        if let Some(threads) = self.event_threads.take() {
            threads.wait(self.stopping);
        }
    }

    /// The certificate that was made at start.
    pub(super) fn self_signed(&self) -> Option<&SelfSigned> {
        self.doors.tls.as_ref().and_then(|(tls, _)| tls.made())
    }

    /// SIGHUP: connections that come from now on are shown the certificate that is in the files now. The
    /// others stay as they are.
    fn renew_certificate(&mut self) {
        let Some((tls, acceptor)) = &mut self.doors.tls else {
            return;
        };
        match tls.reread() {
            Ok(renewed) => {
                acceptor.renew(renewed.config.clone());
                *tls = renewed;
                tracing::info!("certificate read again");
            }
            Err(error) => tracing::error!(%error, "the old certificate stays in use"),
        }
    }

    /// SIGTERM or SIGINT: no new connection is taken, and all sessions are closed.
    pub(super) fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("stopping");
        // Once another process has taken over, this one is not the service any more.
        if self.is_serving() {
            self.manager.stopping();
        }
        self.abandon_successor("the server is stopping");
        self.stopping = Some(Instant::now() + STOPPING_TIMEOUT);
        self.doors.listeners.clear();
        self.hub.stop();
        // What publishers have sent is out; recordings are finished while peers close.
        self.order_recordings(true);
        if let Some(recording) = &mut self.recording {
            recording.finish();
        }
    }

    /// Another process listens now: this one serves its connections for a little while.
    pub(super) fn drain(&mut self) {
        for mut listener in self.doors.listeners.drain(..) {
            // The socket lives on over there, and so would its place in our epoll.
            if let Err(error) = self.poll.registry().deregister(&mut listener.socket) {
                tracing::debug!(%error, "a listener stays in epoll");
            }
        }
        self.hub.drain();
        self.handover.drain(self.clock.began + self.drain_timeout);
    }
}

/// The clock of the loop: the monotonic one, which cannot be set, less the time for which the server
/// stood still. No deadline counts that time.
pub(super) struct LoopClock {
    started: Instant,
    started_unix_ms: u64,
    stood_still: Duration,
    /// When this turn began.
    pub(super) began: Instant,
    /// What the loop had worked by then.
    worked: Duration,
}

impl LoopClock {
    fn new() -> LoopClock {
        LoopClock {
            started: Instant::now(),
            started_unix_ms: since_1970().as_millis() as u64,
            stood_still: Duration::ZERO,
            began: Instant::now(),
            worked: cpu_time(),
        }
    }

    fn now(&self) -> Instant {
        Instant::now() - self.stood_still
    }

    /// The time of this turn. A clock on the wall before 1970 says the end of time: then no token is
    /// good, for all have expired.
    fn time(&self) -> Time {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Time {
            now: self.began,
            unix_ms: since_1970.map_or(u64::MAX, |since| since.as_millis() as u64),
            steady_ms: self.started_unix_ms + self.started.elapsed().as_millis() as u64,
        }
    }

    /// The wait is over that began at `done`, when the last turn's work was. Returns for how long the
    /// server stood still, if it did. A turn with much work is no standstill, or deadlines would run
    /// slow.
    fn begin_turn(
        &mut self,
        done: Instant,
        timeout: Option<Duration>,
        has_sessions: bool,
    ) -> Option<Duration> {
        let worked = mem::replace(&mut self.worked, cpu_time());
        // Without a timeout there are no sessions and no deadlines.
        let still = timeout.filter(|_| has_sessions).and_then(|timeout| {
            let waited = self.now().saturating_duration_since(done);
            let turn = done.saturating_duration_since(self.began);
            standstill(waited, timeout, turn, self.worked.saturating_sub(worked))
        });
        self.stood_still += still.unwrap_or_default();
        self.began = self.now();
        still
    }
}

/// A clock on the wall before 1970 says 1970.
fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
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

/// CPU time of this thread, which does not depend on the wall clock.
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
