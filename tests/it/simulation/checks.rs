//! What is true of a hub after every turn, at rest, and at the end.

use super::link::Line;
use super::media::Books;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use videostream::hub::{Audit, HookSettings, SessionAudit, Settings, Wait};
use videostream::record::PIECE_BYTES;
use videostream::session::SessionId;
use videostream::work;

/// What `hub::write` writes in one turn, and one write more.
const TURN_BYTES_MAX: u64 = (24 << 20) + (1 << 20);

/// One step of a publisher may overdraw its share: a message of the largest size that is simulated.
const OVERDRAFT: u64 = 1_000_000;

/// Bytes that wait for one peer: the largest page, and the end of a chunk.
const OUTBOX_BYTES_MAX: usize = 2 << 20;

/// Replies that wait for one peer: as `session` has it, and those of one turn.
const OUTBOX_SLICES_MAX: usize = 64 + 8;

/// Deadlines are looked at four times a second.
const TICK: Duration = Duration::from_millis(300);

/// Bytes over `--max-memory` and its sixteenth: what a turn reads before the hub looks again, tables and
/// buffers of the hub's own, and what sessions hold that are too small to be closed for it.
const MEMORY_SLACK: usize = 256 << 10;

/// Bytes that are left when everybody has gone, beside the large tables: 8 KB of publishers and audiences, 9 KB
/// of a batch to write, 6 KB of pages that were filled in, 16 KB of what the hook was asked and decided, and
/// queues and addresses of clients.
const LEFT_BYTES_MAX: usize = 48 << 10;

/// Connections over a limit that get an answer: as `hub` and `hub::clients` have it.
const REFUSED_MAX: usize = 32;
const REFUSED_OF_CLIENT_MAX: usize = 8;

/// How long a closed session has to hang up: as `session` has it.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// What is true of a turn, beside what the hub says of itself.
pub struct Moment {
    pub now: Instant,
    pub is_at_rest: bool,
    /// Bytes that it read and wrote.
    pub bytes: u64,
    /// Bytes that the hub holds.
    pub held: usize,
    /// The least and the most of it that the hub was told in this turn.
    pub readings: (usize, usize),
    /// Where each session really comes from.
    pub clients: HashMap<SessionId, IpAddr>,
    /// Sessions that come through a proxy.
    pub proxied: HashSet<SessionId>,
}

/// What was when the server began to stop.
struct Stop {
    at: Instant,
    /// Sessions that had been closing already, or were being answered.
    passing: HashSet<SessionId>,
}

pub struct Checks {
    books: Books,
    memory_bytes: Option<usize>,
    connections: usize,
    streams: usize,
    per_address: Option<usize>,
    /// The sessions that there were when the hub began to drain.
    drained: Option<HashSet<SessionId>>,
    stopped: Option<Stop>,
    /// Publishers and viewers of the last turn.
    roles: HashSet<SessionId>,
    /// Streams that had a publisher.
    published: HashSet<String>,
    refused_for_memory: u64,
    pub most_memory: usize,
    ring_bytes: usize,
    init_bytes: usize,
    coming_bytes: usize,
    hook: Option<HookSettings>,
    /// Bytes kept for old listeners: one message alone may be more.
    compat_bytes: u64,
    /// Since when each session is in a state that it must leave soon.
    passing: HashMap<SessionId, (&'static str, Instant)>,
    pub most_held: usize,
}

impl Checks {
    pub fn new(settings: &Settings, books: &Books) -> Checks {
        let limits = &settings.limits;
        Checks {
            books: books.clone(),
            memory_bytes: limits.max_memory_bytes,
            connections: settings.max_connections,
            streams: limits.max_streams,
            per_address: limits.max_connections_per_address,
            drained: None,
            stopped: None,
            roles: HashSet::new(),
            published: HashSet::new(),
            refused_for_memory: 0,
            most_memory: 0,
            // A chunk alone may be larger.
            ring_bytes: limits.ring_bytes.max(limits.block_bytes),
            init_bytes: limits.init_bytes + (64 << 10),
            coming_bytes: limits.publisher_message_bytes
                + limits.block_bytes
                + limits.init_bytes
                + (256 << 10),
            hook: settings.hook,
            compat_bytes: settings
                .compat
                .as_ref()
                .map_or(0, |compat| compat.bytes.max(32 << 10) as u64),
            passing: HashMap::new(),
            most_held: 0,
        }
    }

    fn require(&self, is_true: bool, what: impl FnOnce() -> String) {
        if !is_true {
            self.books.fault(what());
        }
    }

    /// The hub takes no further connection from now on.
    pub fn drain(&mut self, audit: &Audit) {
        self.drained = Some(audit.sessions.iter().map(|one| one.id).collect());
    }

    /// The hub closes all sessions from now on.
    pub fn stop(&mut self, audit: &Audit, now: Instant) {
        let passing = audit.sessions.iter();
        let passing = passing.filter(|one| ["closing", "responding", "gone"].contains(&one.state));
        self.stopped = Some(Stop {
            at: now,
            passing: passing.map(|one| one.id).collect(),
        });
    }

    pub fn after_turn(&mut self, audit: &Audit, moment: &Moment) {
        let &Moment {
            now, is_at_rest, ..
        } = moment;
        self.check_budget(audit, moment.bytes);
        self.check_accounts(audit);
        self.check_limits(audit);
        self.check_clients(audit, moment);
        self.check_held(audit, moment);
        self.check_drain(audit);
        self.check_stop(audit, now);
        for session in &audit.sessions {
            self.require(session.wait != Wait::Nothing, || {
                format!("a session waits for nothing, for ever: {session:?}")
            });
            self.check_memory(session);
            if is_at_rest {
                self.require(session.state != "gone", || {
                    format!("a slot is not freed: {session:?}")
                });
            }
        }
        self.check_passing(audit, now);
    }

    fn check_budget(&self, audit: &Audit, bytes: u64) {
        self.require(audit.publishers_work <= work::TURN_WORK + OVERDRAFT, || {
            format!("a turn works {} ns for publishers", audit.publishers_work)
        });
        self.require(audit.reports_work <= work::READS_WORK + OVERDRAFT, || {
            format!("a turn works {} ns for reports", audit.reports_work)
        });
        self.require(!audit.has_idled, || {
            String::from("an audience waits although more could be written")
        });
        self.require(bytes <= TURN_BYTES_MAX, || {
            format!("a turn writes {bytes} bytes")
        });
    }

    /// What streams know of sessions is what sessions are.
    fn check_accounts(&mut self, audit: &Audit) {
        let count = |state: &str| {
            audit
                .sessions
                .iter()
                .filter(|one| one.state == state)
                .count()
        };
        let viewers: usize = audit.streams.iter().map(|one| one.viewers).sum();
        self.require(viewers == count("viewing"), || {
            format!("{viewers} viewers, {} view", count("viewing"))
        });
        let publishers = audit.streams.iter();
        let publishers = publishers.map(|one| one.candidates + usize::from(one.has_publisher));
        let publishers: usize = publishers.sum();
        let relaying = audit.sessions.iter();
        let relaying = relaying.filter(|one| one.state == "relaying" && one.stream.is_some());
        let publishing = count("publishing") + relaying.count();
        self.require(publishers == publishing, || {
            format!("{publishers} publishers, {publishing} publish")
        });
        let kept = audit.compat_kept_bytes;
        self.require(kept <= self.compat_bytes, || {
            format!("{kept} bytes are kept for old listeners")
        });
        self.require(audit.counted <= audit.sessions.len(), || {
            format!("{} connections count", audit.counted)
        });
        for stream in &audit.streams {
            let is_needed = stream.has_publisher || stream.is_kept;
            let is_deserted = stream.viewers + stream.candidates == 0 && !is_needed;
            self.require(!is_deserted, || format!("{} is deserted", stream.name));
            self.require(stream.ring_bytes <= self.ring_bytes, || {
                format!("the ring of {} takes {}", stream.name, stream.ring_bytes)
            });
            self.require(stream.init_bytes <= self.init_bytes, || {
                format!(
                    "the init segment of {} takes {}",
                    stream.name, stream.init_bytes
                )
            });
        }
        let throttled = audit.sessions.iter().filter(|one| one.is_throttled).count();
        self.require(throttled <= audit.throttled, || {
            format!(
                "{throttled} are throttled, {} are read again",
                audit.throttled
            )
        });
        let waiting = audit.sessions.iter();
        let waiting = waiting.filter(|one| one.has_waiting_media).count();
        self.require(waiting <= audit.waiting_media, || {
            format!(
                "blocks of {waiting} wait, the clock looks at {}",
                audit.waiting_media
            )
        });
        let sessions = audit.sessions.iter();
        let held: usize = sessions
            .map(|one| one.outbox_bytes + one.coming_bytes)
            .sum();
        let rings: usize = audit.streams.iter().map(|one| one.ring_bytes).sum();
        self.most_held = self.most_held.max(held + rings);
    }

    fn check_memory(&self, session: &SessionAudit) {
        let most = match session.state {
            "publishing" | "relaying" => self.coming_bytes,
            // A viewer behind live holds a stretch of a recording.
            "posting" | "viewing" => 512 << 10,
            _ => 64 << 10,
        };
        self.require(session.coming_bytes <= most, || {
            format!("a session holds too much that came in: {session:?}")
        });
        self.require(session.outbox_slices <= OUTBOX_SLICES_MAX, || {
            format!("too many replies wait for one peer: {session:?}")
        });
        let most = if session.state == "recalling" {
            PIECE_BYTES + (16 << 10)
        } else {
            OUTBOX_BYTES_MAX
        };
        self.require(session.outbox_bytes <= most, || {
            format!("a session holds too much that goes out: {session:?}")
        });
    }

    fn check_limits(&self, audit: &Audit) {
        let sessions = audit.sessions.iter();
        let roles = sessions.filter(|one| one.stream.is_some()).count();
        self.require(roles <= self.connections, || {
            format!("{roles} publishers and viewers")
        });
        let most = self.connections + REFUSED_MAX;
        self.require(audit.sessions.len() <= most, || {
            format!("{} sessions, limit {most}", audit.sessions.len())
        });
        let streams = audit.streams.iter();
        let published = streams.filter(|one| one.has_publisher || one.candidates > 0);
        let published = published.count();
        self.require(published <= self.streams, || {
            format!("{published} streams are published")
        });
    }

    /// Each session counts for its client, and for no proxy.
    fn check_clients(&self, audit: &Audit, moment: &Moment) {
        let mut counts: HashMap<IpAddr, (usize, usize)> = HashMap::new();
        for session in &audit.sessions {
            let Some(&client) = moment.clients.get(&session.id) else {
                continue;
            };
            self.require(session.stream.is_none() || session.is_counted, || {
                format!("a session counts for no client: {session:?}")
            });
            if session.is_counted {
                let is_new = has_role(session) && !self.roles.contains(&session.id);
                if is_new && moment.proxied.contains(&session.id) {
                    self.books.count(|counts| counts.through_proxy += 1);
                }
                self.require(session.client == client, || {
                    format!("a session of {client} counts for another: {session:?}")
                });
                let (counted, roles) = counts.entry(client).or_default();
                *counted += 1;
                *roles += usize::from(session.stream.is_some());
            }
        }
        let Some(most) = self.per_address else {
            return;
        };
        let counted = audit.sessions.iter().filter(|one| one.is_counted).count();
        self.require(counted == audit.counted, || {
            format!(
                "{counted} sessions count for clients, which have {}",
                audit.counted
            )
        });
        for (client, (counted, roles)) in counts {
            self.require(roles <= most, || {
                format!("{client} publishes and watches {roles} times")
            });
            self.require(counted <= most + REFUSED_OF_CLIENT_MAX, || {
                format!("{client} has {counted} connections")
            });
        }
    }

    /// Memory is within its limit, and no request is refused or admitted against it.
    fn check_held(&mut self, audit: &Audit, moment: &Moment) {
        self.most_memory = self.most_memory.max(moment.held);
        let (least, most) = moment.readings;
        let refused = audit.refused_for_memory;
        let has_refused = refused > std::mem::replace(&mut self.refused_for_memory, refused);
        self.books.count(|counts| {
            counts.refused_for_memory = refused;
            counts.closed_for_memory = audit.closed_for_memory;
        });
        let roles = audit.sessions.iter().filter(|one| has_role(one));
        let roles: HashMap<SessionId, &SessionAudit> = roles.map(|one| (one.id, one)).collect();
        let published = audit.streams.iter().filter(|one| one.has_publisher);
        let published = published.map(|one| one.name.clone()).collect();
        let published = std::mem::replace(&mut self.published, published);
        let before = std::mem::replace(&mut self.roles, roles.keys().copied().collect());
        let Some(limit) = self.memory_bytes else {
            self.require(!has_refused, || "refused for memory without limit".into());
            return;
        };
        if most > limit + limit / 16 {
            self.books.set_short();
        }
        let end = limit + limit / 16 + MEMORY_SLACK;
        self.require(moment.held <= end, || {
            format!("{} bytes are held, limit {limit}", moment.held)
        });
        self.require(!has_refused || most >= limit, || {
            format!("a request is refused for memory, of which {most} bytes of {limit} are held")
        });
        let admitted = roles.values().find(|one| {
            let takes_over = one.state == "publishing"
                && one
                    .stream
                    .as_deref()
                    .is_some_and(|name| published.contains(name));
            !before.contains(&one.id) && !takes_over
        });
        self.require(admitted.is_none() || least < limit, || {
            format!("a session begins although {least} bytes of {limit} are held: {admitted:?}")
        });
    }

    /// The other process has all new connections.
    fn check_drain(&self, audit: &Audit) {
        let Some(drained) = &self.drained else {
            return;
        };
        for session in &audit.sessions {
            self.require(drained.contains(&session.id), || {
                format!("a hub that drains admits a connection: {session:?}")
            });
        }
    }

    /// A hub that stops closes everything, and waits for nothing long.
    fn check_stop(&self, audit: &Audit, now: Instant) {
        let Some(stop) = &self.stopped else {
            return;
        };
        let lasts = now.saturating_duration_since(stop.at);
        for session in &audit.sessions {
            let is_passing = ["closing", "responding", "gone"].contains(&session.state);
            self.require(is_passing, || {
                format!("the hub stops, and not this session: {session:?}")
            });
            let was_passing = stop.passing.contains(&session.id);
            self.require(was_passing || lasts <= CLOSING_TIMEOUT + TICK, || {
                format!("{lasts:?} after the stop there is {session:?}")
            });
        }
    }

    /// Some states are short, whatever the peer does.
    fn check_passing(&mut self, audit: &Audit, now: Instant) {
        let hook = self.hook.map_or(Duration::ZERO, |hook| hook.timeout);
        let mut passing = HashMap::new();
        for session in &audit.sessions {
            let most = match session.state {
                // Of a refused body, the rest may come.
                "closing" => Duration::from_secs(10),
                "pending" => hook + Duration::from_millis(500),
                "posting" => Duration::from_secs(30),
                _ => continue,
            };
            let before = self.passing.get(&session.id);
            let before = before.filter(|(state, _)| *state == session.state);
            let since = before.map_or(now, |&(_, since)| since);
            passing.insert(session.id, (session.state, since));
            let lasts = now.saturating_duration_since(since);
            self.require(lasts <= most + TICK, || {
                format!("{} for {lasts:?}: {session:?}", session.state)
            });
        }
        self.passing = passing;
    }

    /// The hub sleeps: nothing that it could do is left, as far as it was told.
    pub fn at_rest<'a>(&self, audit: &Audit, lines: impl Iterator<Item = (SessionId, &'a Line)>) {
        let lines: HashMap<SessionId, &Line> = lines.collect();
        for session in &audit.sessions {
            let Some(line) = lines.get(&session.id) else {
                continue;
            };
            let line = line.borrow();
            let forgets_input =
                session.is_read && session.can_read && line.has_unread() && !line.expects_read();
            self.require(!forgets_input || session.is_read_queued, || {
                format!("it can be read, and is in no queue: {session:?}")
            });
            let forgets_output = session.has_output && session.can_write;
            self.require(!forgets_output || session.is_write_queued, || {
                format!("it can be written to, and is in no queue: {session:?}")
            });
            let is_deaf = session.is_read && !session.can_read && !line.expects_read();
            self.require(!is_deaf || line.has_news(), || {
                format!("the hub waits for input that no event will tell of: {session:?}")
            });
            let is_mute = session.has_output && !session.can_write && !line.expects_write();
            self.require(!is_mute || line.has_news(), || {
                format!("the hub waits for room that no event will tell of: {session:?}")
            });
        }
    }

    pub fn at_the_end(&self, audit: &Audit, held: usize) {
        self.require(audit.sessions.is_empty(), || {
            format!("sessions are left: {:?}", audit.sessions)
        });
        self.require(audit.streams.is_empty(), || {
            format!("streams are left: {:?}", audit.streams)
        });
        let left = audit.counted + audit.questions;
        self.require(left == 0 && !audit.has_queued, || {
            format!("something is left: {audit:?}")
        });
        // The newest blob stays for listeners that come later.
        let kept = audit.compat_kept_bytes as usize;
        // The last hour stays for those who ask for it later.
        let history = audit.history_bytes;
        let tables = audit.table_bytes;
        let wanted = kept + history + history / 8 + tables;
        self.require(held <= LEFT_BYTES_MAX + wanted, || {
            format!(
                "nothing is left, and {held} bytes are held, {kept} of them for old listeners, {history} for \
                 the last hour and {tables} for tables"
            )
        });
    }
}

/// Whether it was admitted to watch or to publish. A publisher of the old protocol has a stream no sooner than it
/// sends a blob, and while it is on air.
fn has_role(session: &SessionAudit) -> bool {
    session.stream.is_some() || session.state == "relaying"
}
