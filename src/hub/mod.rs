//! All sessions and all streams, without a socket, a clock or a file.
//!
//! ```text
//!        admit, ready, hook_answered                     turn                next_wake
//! net ─────────────────────────────────────► Hub<S> ◄──────── net ◄──────────────────
//!                                              │
//!      reads and writes each S: Socket ◄───────┼──► questions for the web hook (poll_question)
//!                                              ├──► orders and jobs for the recording threads (poll_orders, poll_jobs)
//!                                              └──► events for the operator's web address (poll_events)
//! ```
//!
//! A turn begins with [`Hub::begin`], which sets the time; readiness, new sockets and verdicts
//! follow, and [`Hub::turn`] does the work. [`Hub::next_wake`] returns when the next turn is due if
//! nothing comes before. `net` drives the hub with `epoll` and real sockets; a test uses sockets in
//! memory and any time.
//!
//! - `sessions`, `streams`, `queues`, `clock`: what the hub owns; each keeps its own invariants.
//! - `settings`: what the options say, the same from start to end.
//! - `requests`: from a request head to a response, or to `opening`, where a session becomes a viewer or a
//!   publisher; `authorizer`, `verdicts`,
//!   `pending`: what the web hook is asked, what it decided lately, and how requests then go on; `client_address`, `clients`: which client a
//!   connection counts for, and how many it has.
//! - `recordings`: which chunks go to the recording thread. `archive`: recordings over HTTP. `time_shift`:
//!   viewers behind live.
//! - `events`: what `--event-url` gets. `followers`: what `/api/events` gets.
//! - `segments`: GOPs by number, for caches.
//! - `read`, `write`: the two halves of a turn; `sweep`: the way through an audience;
//!   `write_queue`: sessions written to by themselves.
//! - `roles`: how a session leaves its role; `deadlines`: what must happen by when; `memory`: what is
//!   closed when the process holds too much.
//! - `broadcast`: one stream beside its media: its publisher; `candidate`: publishers before their first
//!   media; `audience`: its viewers; `traffic`: its bytes; `keyframe_requests`: what its publisher is asked
//!   for; `stall`, `unsent`, `media_clock`, `throttle`, `waited`: further rules of streams.
//! - `compat`: the old protocol of node-videostream. `nodes`: streams of other nodes, and ours for them.
//! - `audit`: what the simulation in `tests/it/simulation` sees of all this.
//! - `response`, `posters`, `watch_page`, `reports`, `renderings`: whole responses; `refusals`: their
//!   counts and lines.

mod archive;
mod audience;
#[cfg(feature = "testing")]
mod audit;
mod authorizer;
mod broadcast;
mod candidate;
mod client_address;
mod clients;
mod clock;
mod compat;
mod deadlines;
mod errands;
mod error_page;
mod events;
mod followers;
mod keyframe_requests;
#[cfg(any(test, feature = "testing"))]
mod look;
mod media_clock;
mod memory;
mod nodes;
mod oembed;
mod opening;
mod pending;
mod posters;
mod queues;
mod read;
mod recordings;
mod refusals;
mod renderings;
mod reports;
mod requests;
mod response;
mod roles;
mod segments;
mod sessions;
mod settings;
mod stall;
mod streams;
mod sweep;
mod throttle;
mod time_shift;
mod traffic;
mod unsent;
mod verdicts;
mod waited;
mod watch_page;
mod write;
mod write_queue;

#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub use audit::{Audit, SessionAudit, StreamAudit, Wait};
pub use authorizer::{HookAnswer, QUESTIONS_MAX, Question};
pub use clock::Time;
pub use followers::Usage;
pub use recordings::RecordSettings;
#[cfg(feature = "testing")]
pub use segments::{live_json, live_mpd};
pub use settings::Settings;
#[cfg(any(test, feature = "testing"))]
pub use settings::{EventSettings, HookSettings};

use crate::http::Method;
use crate::http::refusal::Refusal;
use crate::metrics::Counters;
use crate::session::batch::Batch;
use crate::session::body::ReadBuffer;
use crate::session::{Client, IncomingHead, Session, SessionId, Socket, State};
use crate::work::{Budget, Work};
use archive::Recalls;
use authorizer::Authorizer;
use clients::{Admission, Clients};
use clock::Clock;
use compat::Compat;
use deadlines::Ticks;
use events::Events;
use followers::Followers;
use memory::Memory;
use nodes::Nodes;
use queues::Queues;
use recordings::Recordings;
use refusals::RefusalLog;
use renderings::Renderings;
use sessions::Sessions;
use std::net::IpAddr;
use std::time::Instant;
use streams::Streams;
use unsent::Unsent;

/// Sessions freed in one turn: closing one takes some microseconds.
const FREED_MAX: usize = 512;

/// Connections beyond the limit that get a refusal. Further ones are closed at once.
const REFUSED_MAX: usize = 32;

pub struct Hub<S> {
    settings: Settings,
    clock: Clock,
    sessions: Sessions<S>,
    streams: Streams,
    queues: Queues,
    clients: Clients,
    /// `None` without a web hook.
    authorizer: Option<Authorizer>,
    /// `None` without `--record`.
    recordings: Option<Recordings>,
    /// `None` without `--event-url`.
    events: Option<Events>,
    followers: Followers,
    recalls: Recalls,
    ticks: Ticks,
    memory: Memory,
    books: Books,
    turn: Turn,
    lifecycle: Lifecycle,
    /// `None` unless the old protocol is spoken.
    compat: Option<Box<Compat>>,
    /// `None` without `--nats`.
    nodes: Option<Box<Nodes>>,
}

/// What is counted, logged and reported.
struct Books {
    counters: Counters,
    refusals: RefusalLog,
    renderings: Renderings,
}

/// The limits of a turn's work, and memory that every turn uses again.
struct Turn {
    /// What publishers may do in this turn.
    budget: Budget,
    /// What requests for reports may do in this turn.
    reads: Work,
    read_buffer: ReadBuffer,
    batch: Batch,
    /// What the audit says of the writing half.
    #[cfg(feature = "testing")]
    has_idled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifecycle {
    Serving,
    /// Another process has taken over: sessions go on, and take no further request.
    Draining,
    /// All sessions are being closed.
    Stopping,
}

impl<S: Socket> Hub<S> {
    /// `allocated` returns the bytes that the process has allocated.
    pub fn new(settings: Settings, allocated: impl Fn() -> usize + 'static, time: Time) -> Hub<S> {
        let limits = &settings.limits;
        let unsent = Unsent::new(limits.viewer_buffer_bytes);
        let compat = settings.compat.as_ref();
        Hub {
            clock: Clock::new(time),
            sessions: Sessions::new(),
            streams: Streams::new(settings.stream_limits(), unsent),
            queues: Queues::default(),
            clients: Clients::new(limits.max_connections_per_address),
            authorizer: settings.hook.map(Authorizer::new),
            recordings: Recordings::new(&settings),
            events: settings
                .events
                .clone()
                .map(|events| Events::new(events, limits.max_streams)),
            followers: Followers::new(time.now),
            recalls: Recalls::default(),
            ticks: Ticks::new(time.now),
            memory: Memory::new(Box::new(allocated), limits.max_memory_bytes),
            books: Books {
                counters: Counters::default(),
                refusals: RefusalLog::default(),
                renderings: Renderings::new(time.now),
            },
            turn: Turn {
                budget: Budget::new(0, 0, 0),
                reads: Work::new(0),
                read_buffer: ReadBuffer::new(),
                batch: Batch::default(),
                #[cfg(feature = "testing")]
                has_idled: false,
            },
            lifecycle: Lifecycle::Serving,
            compat: compat.map(|compat| Box::new(Compat::new(compat, limits.init_bytes))),
            nodes: settings
                .service
                .clone()
                .map(|service| Box::new(Nodes::new(service, time.now))),
            settings,
        }
    }

    /// Memory that is allocated from now on counts for `--max-memory`.
    pub fn count_memory_from_here(&mut self) {
        self.memory.start();
    }

    /// Begins a turn. All that happens until the next one happens at this time.
    pub fn begin(&mut self, time: Time) {
        self.clock.set(time);
        self.streams
            .set_clock(self.clock.since_start(), self.clock.unix_ms());
    }

    /// Takes a new connection. `redirects_to` is the port of https: all requests are answered with
    /// a redirect there. `None`: the connection is refused without an answer, and is closed.
    pub fn admit(
        &mut self,
        socket: S,
        peer: IpAddr,
        redirects_to: Option<u16>,
    ) -> Option<SessionId> {
        let most = self.settings.max_connections;
        let is_full = self.sessions.len() >= most || self.memory.is_over();
        if is_full {
            self.books.counters.connections_refused += 1;
            if self.sessions.len() >= most + REFUSED_MAX {
                return None;
            }
        }
        let is_direct = self.settings.is_direct(peer);
        let admission = if is_direct {
            self.clients.come(peer)
        } else {
            Admission::Admitted
        };
        if admission != Admission::Admitted {
            self.books.counters.connections_refused += 1;
        }
        if admission == Admission::Dropped {
            return None;
        }
        let client = if is_direct {
            Client::counted(peer)
        } else {
            Client::new(peer)
        };
        let head = IncomingHead::first(self.settings.proxy_protocol, redirects_to);
        let now = self.clock.now();
        let id = self.sessions.insert(socket, client, head, now);
        self.books.counters.connections_accepted += 1;
        if is_full {
            self.refuse(id, &Refusal::full(), Method::Other);
        } else if admission == Admission::Refused {
            self.refuse(id, &Refusal::too_many_connections(), Method::Other);
        }
        self.queue_read(id);
        Some(id)
    }

    /// The session that has this slot now. Within a turn it is the one that had it at the start.
    pub fn at_slot(&self, slot: usize) -> Option<SessionId> {
        self.sessions.at_slot(slot)
    }

    /// The socket of a session that is not gone.
    pub fn socket_mut(&mut self, id: SessionId) -> Option<&mut S> {
        self.sessions.get_mut(id).map(Session::socket_mut)
    }

    /// A socket can be read, or written to, or has news such as its end. Only marks it: the work is done
    /// by [`Hub::turn`].
    pub fn ready(&mut self, id: SessionId, readable: bool, writable: bool) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if readable {
            session.readiness_mut().set_readable();
            self.queues.push_read(session);
        }
        if writable {
            session.readiness_mut().set_writable();
            self.queues.push_write(session);
        }
    }

    /// Closes a session without an answer: its socket is of no use.
    pub fn abandon(&mut self, id: SessionId) {
        self.drop_session(id);
    }

    /// The phases of a turn. `clock` is asked only to count how long things take.
    pub fn turn(&mut self, clock: &dyn Fn() -> Instant) {
        self.tend_nodes(); // media of other nodes
        self.read(); // publishers' bytes become chunks
        self.pass_on_to_nodes();
        self.pass_on_ordinary(); // to old listeners
        self.record(); // of recorded streams they become orders
        self.fan_out(); // audiences with new chunks become due
        self.wake_segment_readers(); // and so do readers of segments
        let _left = self.write(clock);
        #[cfg(feature = "testing")]
        self.audit_write(_left);
        self.expire();
        self.expire_events();
        self.sum_up_refusals();
        self.free_slots(); // nowhere else
        let took = clock().saturating_duration_since(self.clock.now());
        self.books.counters.turns.record(took);
        self.followers.turn_took(took);
    }

    /// When the next turn is due, if no socket is ready and no verdict comes before: at the time of this
    /// turn or earlier for at once, `None` for not at all.
    pub fn next_wake(&self) -> Option<Instant> {
        let now = self.clock.now();
        if !self.queues.is_empty() || self.sessions.has_gone() || self.ticks.is_interrupted() {
            return Some(now);
        }
        let has_deadlines = !self.sessions.is_empty() || self.streams.keep_segments();
        let tick = has_deadlines.then(|| self.ticks.next());
        let wakes = [
            tick,
            self.streams.sweep_at(now),
            self.queues.unthrottle_at(),
            self.media_at(),
            self.books.refusals.wake_at(),
            self.events_at(),
            self.service_at(),
        ];
        wakes.into_iter().flatten().min()
    }

    /// Sessions that are there, closing ones among them.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Another process has taken over.
    pub fn drain(&mut self) {
        if self.lifecycle == Lifecycle::Serving {
            self.lifecycle = Lifecycle::Draining;
            self.end_followers();
            self.release_events();
        }
    }

    pub fn is_serving(&self) -> bool {
        self.lifecycle == Lifecycle::Serving
    }

    /// Changes the state of a session that has no role: see [`Hub::change_state`](roles).
    fn enter(&mut self, id: SessionId, state: State) {
        self.sessions[id].enter(state, self.clock.now());
    }

    fn queue_read(&mut self, id: SessionId) {
        self.queues.push_read(&mut self.sessions[id]);
    }

    fn queue_write(&mut self, id: SessionId) {
        self.queues.push_write(&mut self.sessions[id]);
    }

    fn free_slots(&mut self) {
        let clients = &mut self.clients;
        self.sessions.free(FREED_MAX, |session| {
            if session.client().is_counted() {
                clients.leave(session.address());
            }
        });
        if self.sessions.is_empty() {
            // No tick will come to see it.
            self.books.renderings = Renderings::new(self.clock.now());
        }
    }
}
