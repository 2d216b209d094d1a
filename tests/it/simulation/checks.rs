//! What is true of a hub after every turn, at rest, and at the end.

use super::link::Line;
use super::media::Books;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use videostream::hub::{Audit, HookSettings, SessionAudit, Settings, Wait};
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

pub struct Checks {
    books: Books,
    ring_bytes: usize,
    init_bytes: usize,
    coming_bytes: usize,
    hook: Option<HookSettings>,
    /// Since when each session is in a state that it must leave soon.
    passing: HashMap<SessionId, (&'static str, Instant)>,
    pub most_held: usize,
}

impl Checks {
    pub fn new(settings: &Settings, books: &Books) -> Checks {
        let limits = &settings.limits;
        Checks {
            books: books.clone(),
            // A chunk alone may be larger.
            ring_bytes: limits.ring_bytes.max(limits.block_bytes),
            init_bytes: limits.init_bytes + (64 << 10),
            coming_bytes: limits.publisher_message_bytes
                + limits.block_bytes
                + limits.init_bytes
                + (256 << 10),
            hook: settings.hook,
            passing: HashMap::new(),
            most_held: 0,
        }
    }

    fn require(&self, is_true: bool, what: impl FnOnce() -> String) {
        if !is_true {
            self.books.fault(what());
        }
    }

    pub fn after_turn(&mut self, audit: &Audit, now: Instant, is_at_rest: bool, bytes: u64) {
        self.check_budget(audit, bytes);
        self.check_accounts(audit);
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
        self.require(publishers == count("publishing"), || {
            format!("{publishers} publishers, {} publish", count("publishing"))
        });
        self.require(audit.counted <= audit.sessions.len(), || {
            format!("{} connections count", audit.counted)
        });
        for stream in &audit.streams {
            let is_deserted = stream.viewers + stream.candidates == 0 && !stream.has_publisher;
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
            "publishing" => self.coming_bytes,
            "posting" => 512 << 10,
            _ => 64 << 10,
        };
        self.require(session.coming_bytes <= most, || {
            format!("a session holds too much that came in: {session:?}")
        });
        self.require(session.outbox_slices <= OUTBOX_SLICES_MAX, || {
            format!("too many replies wait for one peer: {session:?}")
        });
        self.require(session.outbox_bytes <= OUTBOX_BYTES_MAX, || {
            format!("a session holds too much that goes out: {session:?}")
        });
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

    pub fn at_the_end(&self, audit: &Audit) {
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
    }
}
