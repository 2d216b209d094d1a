//! Several processes as one service, over a bus (core NATS).
//!
//! ```text
//! node of the publisher                               watching node
//! Ring ─► Cursor ─► chunks ───── NAME.media ────────► Following ─► Step ─► a Publisher of the hub
//!                   snapshot ◄── NAME.join ───────── its first viewer
//! Lease ◄─► bucket               @nodes: each second, what each node has ─► Directory
//! ```
//!
//! - Where the stream is published, the bus is one more viewer: a `Cursor` into the ring. Where it is
//!   watched, the bus is one more publisher, whose bytes go through `Ingest`. So skips, generations and
//!   restarts have no second code path.
//! - The publisher's node sends media only while another node asks or watches.
//! - `subjects`, `message`: how streams and chunks are called on the bus. `parts`: chunks over its limit.
//!   `age`: how old a chunk is. `following`: one stream from another node, joined by sequence. `lease`: one
//!   publisher for each stream; `leases`: those of this node. `directory`, `telling`: what other nodes have.
//!   `errands`: what the publisher's node does for clients of another. `watching`: which streams are followed.
//!
//! Pure: messages, the time and the hub's news come in; [`Action`]s for the bus and [`Order`]s for the hub
//! come out. `net::bus` is the thread that speaks to the server; `tests/it/simulation` has a bus of its own.
//!
//! What is bounded: media held for a snapshot and for missing parts, in `following` and `parts`; actions,
//! by the room that the bus's thread says it has ([`Service::set_room`]); nodes, in `directory`.

pub mod age;
pub mod directory;
pub mod errands;
pub mod following;
pub mod lease;
mod leases;
pub mod message;
pub mod parts;
mod publishing;
pub mod subjects;
mod telling;
mod watching;

use crate::metrics::Nodes as Figures;
use directory::{Directory, NodeState};
use errands::{Errand, Sent, Which};
use following::{Following, Losses, Now, Step};
use message::{Marks, Message};
use publishing::Publishing;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subjects::{Subjects, Topic};

/// How long a node goes on taking a stream in after its last viewer.
pub const LEAVE_AFTER: Duration = Duration::from_secs(10);

/// The same after the last request for one of its segments: a request may wait for 30 s.
const READERS_STAY: Duration = Duration::from_secs(40);

/// How long a publisher whose lease is lost stays on air for its own node's viewers, until the newer one
/// comes over the bus.
const REPLACED_AFTER: Duration = Duration::from_secs(2);

/// Requests that wait for an answer. Those of streams that are gone among them.
const REQUESTS_MAX: usize = 4096;

/// The header of news that a publisher takes the stream over.
const TAKES_OVER: &str = "w";

/// A server's `max_payload` counts headers: so much is left for them.
const HEADERS_BYTES: usize = 1024;

/// What a node is called, and what its service is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As reports and metrics name it.
    pub node: Arc<str>,
    /// Names this process alone.
    pub instance: Arc<str>,
    pub prefix: String,
    /// JetStream's domain, where it has one.
    pub domain: Option<String>,
    /// Media that are older are never shown.
    pub max_lag: Duration,
}

/// What the bus is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Subscribe(String),
    Unsubscribe(String),
    /// `is_media`: of no use when it is late.
    Publish {
        message: Message,
        is_media: bool,
    },
}

/// What the hub is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Media of a stream from another node.
    Feed { name: Arc<str>, steps: Vec<Step> },
    /// No viewer wants the stream any more.
    Leave { name: Arc<str> },
    /// The stream was taken over on another node, whose media do not come.
    Replaced { name: Arc<str> },
    /// The server gives no lease, so other nodes do not get the stream.
    NoLease { name: Arc<str> },
    /// Another node asks for this.
    Do { name: Arc<str>, errand: Errand },
    /// Another node asks for a picture: answer with [`Service::answer_picture`].
    Picture {
        name: Arc<str>,
        which: Which,
        reply: String,
    },
    /// What [`Service::ask_picture`] has asked for; `None`: there is no picture, or no answer.
    PictureCame { number: u64, picture: Option<Sent> },
    /// Another node joins: answer with [`Service::answer_join`].
    Join { name: Arc<str>, reply: String },
    /// Tell the others what this node has: [`Service::tell`].
    Tell,
    /// The number of viewers, or the node, of a stream has changed elsewhere.
    Changed { name: Arc<str> },
}

#[derive(Debug)]
struct Followed {
    following: Following,
    /// Since the last viewer has left: when it ends.
    leave_at: Option<Instant>,
    /// It goes on until then for readers of its segments.
    read_until: Option<Instant>,
}

impl Followed {
    fn ends_at(&self) -> Option<Instant> {
        let leave_at = self.leave_at?;
        Some(
            self.read_until
                .map_or(leave_at, |until| until.max(leave_at)),
        )
    }
}

#[derive(Debug, Clone)]
enum Purpose {
    Lease(Arc<str>),
    Join(Arc<str>),
    Picture,
}

#[derive(Debug)]
pub struct Service {
    settings: Settings,
    subjects: Subjects,
    /// What a message may hold; `None` while the bus is not there.
    payload_max: Option<usize>,
    /// Streams published on this node, under a lease or not yet.
    published: BTreeMap<Arc<str>, Publishing>,
    /// Streams taken in from other nodes, or looked for.
    followed: BTreeMap<Arc<str>, Followed>,
    /// Viewers of this node, of streams that have some.
    viewers: BTreeMap<Arc<str>, u64>,
    directory: Directory,
    requests: BTreeMap<u64, Purpose>,
    /// Pictures that clients wait for, and until when.
    pictures: BTreeMap<u64, Instant>,
    /// Whether the bucket of leases is known to be there.
    has_bucket: bool,
    next_ticket: u64,
    tell_at: Instant,
    /// Bytes that the bus's queue takes now.
    room: usize,
    actions: Vec<Action>,
    orders: VecDeque<Order>,
    figures: Figures,
}

impl Service {
    pub fn new(settings: Settings, now: Instant) -> Service {
        let subjects = Subjects::new(
            &settings.prefix,
            &settings.instance,
            settings.domain.as_deref(),
        );
        let actions = [subjects.nodes(), subjects.inboxes()].map(Action::Subscribe);
        Service {
            subjects,
            settings,
            payload_max: None,
            published: BTreeMap::new(),
            followed: BTreeMap::new(),
            viewers: BTreeMap::new(),
            directory: Directory::default(),
            requests: BTreeMap::new(),
            pictures: BTreeMap::new(),
            has_bucket: false,
            next_ticket: 0,
            tell_at: now,
            room: usize::MAX,
            actions: actions.into(),
            orders: VecDeque::new(),
            figures: Figures::default(),
        }
    }

    pub fn node(&self) -> &Arc<str> {
        &self.settings.node
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    pub fn figures(&self) -> Figures {
        Figures {
            connected: self.payload_max.is_some(),
            nodes: self.directory.nodes() as u64,
            following: self.followed.len() as u64,
            ..self.figures
        }
    }

    /// The epoch under which a stream is published on this node, if it is.
    pub fn epoch(&self, name: &str) -> Option<u64> {
        self.published.get(name)?.lease.epoch()
    }

    /// Bytes that the bus's queue takes until this is called again.
    pub fn set_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Messages that the bus dropped from its queues, in and out.
    pub fn count_dropped(&mut self, messages: u64) {
        self.figures.dropped += messages;
    }

    pub fn take_actions(&mut self) -> Vec<Action> {
        mem::take(&mut self.actions)
    }

    pub fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// The bus is there, and takes messages of this size.
    pub fn connected(&mut self, max_payload: usize, now: Instant) {
        self.payload_max = Some(max_payload.saturating_sub(HEADERS_BYTES).max(1));
        self.tell_at = now;
        for publishing in self.published.values_mut() {
            publishing.lease.connected(now);
        }
        for followed in self.followed.values_mut() {
            followed.following.connected(now);
        }
    }

    pub fn disconnected(&mut self, now: Instant) {
        self.payload_max = None;
        self.has_bucket = false;
        self.requests.clear();
        self.give_up_pictures(None);
        for publishing in self.published.values_mut() {
            publishing.lease.disconnected(now);
        }
        for followed in self.followed.values_mut() {
            followed.following.disconnected();
        }
        let changed = self.directory.clear();
        self.note_changed(changed);
        self.take_steps();
    }

    /// A message came from the bus.
    pub fn receive(&mut self, message: Message, now: Now) {
        self.figures.received_messages += 1;
        self.figures.received_bytes += message.payload.len() as u64;
        match self.subjects.topic(&message.subject) {
            Some(Topic::Media(name)) => self.receive_media(name.as_str(), message, now),
            Some(Topic::News(name)) => self.receive_news(name.as_str(), &message, now.instant),
            Some(Topic::Join(name)) => self.receive_join(name.as_str(), message),
            Some(Topic::Order(name)) => self.receive_errand(name.as_str(), &message),
            Some(Topic::Picture(name)) => self.receive_picture_request(name.as_str(), message),
            Some(Topic::Nodes) => self.receive_state(&message, now.instant),
            Some(Topic::Inbox(ticket)) => self.receive_answer(ticket, message, now.instant),
            None => {}
        }
        self.take_steps();
    }

    fn receive_media(&mut self, name: &str, message: Message, now: Now) {
        if let (Some(followed), Some(marks)) = (self.followed.get_mut(name), Marks::read(&message))
        {
            followed.following.live(marks, message.payload, now);
        }
    }

    fn receive_news(&mut self, name: &str, message: &Message, now: Instant) {
        if message.header("i") == Some(&*self.settings.instance) {
            return;
        }
        if let Some(epoch) = message.number("e") {
            let takes_over = message.header(TAKES_OVER).is_some();
            self.heard_of(name, epoch, takes_over, now);
        }
    }

    /// Another node publishes a stream with this epoch.
    fn heard_of(&mut self, name: &str, epoch: u64, takes_over: bool, now: Instant) {
        if let Some(followed) = self.followed.get_mut(name) {
            followed.following.heard(epoch, now);
        }
        let publishing = self.published.get_mut(name);
        if publishing.is_some_and(|publishing| publishing.lease.heard(epoch, takes_over, now)) {
            self.lease_lost(name, epoch, now);
        }
    }

    fn receive_state(&mut self, message: &Message, now: Instant) {
        let Ok(state) = serde_json::from_slice::<NodeState>(&message.payload) else {
            return;
        };
        if state.instance == self.settings.instance {
            return;
        }
        for one in &state.streams {
            self.heard_of(&one.report.name, one.epoch, false, now);
        }
        let is_new = self.directory.is_empty();
        let changed = self.directory.heard(state, now);
        if is_new {
            // It knows nothing of this node yet.
            self.tell_at = self.tell_at.min(now);
        }
        self.note_changed(changed);
    }

    fn note_changed(&mut self, changed: BTreeSet<Arc<str>>) {
        let orders = changed.into_iter().map(|name| Order::Changed { name });
        self.orders.extend(orders);
    }

    fn receive_answer(&mut self, ticket: u64, message: Message, now: Instant) {
        match self.requests.get(&ticket).cloned() {
            None => {}
            Some(Purpose::Picture) => {
                self.requests.remove(&ticket);
                self.receive_picture(ticket, message);
            }
            Some(Purpose::Join(name)) => {
                if let Some(followed) = self.followed.get_mut(&name) {
                    let marks = Marks::read(&message);
                    followed
                        .following
                        .answer(ticket, marks, message.payload, now);
                }
            }
            Some(Purpose::Lease(name)) => {
                self.requests.remove(&ticket);
                self.receive_lease(ticket, &name, &message, now);
            }
        }
    }

    fn ask(&mut self, message: Message, purpose: Purpose) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.requests.insert(ticket, purpose);
        if self.requests.len() > REQUESTS_MAX {
            self.requests.pop_first();
        }
        let message = message.reply_to(self.subjects.inbox(ticket));
        self.publish(message, false);
    }

    fn publish(&mut self, message: Message, is_media: bool) {
        self.figures.sent_messages += 1;
        self.figures.sent_bytes += message.payload.len() as u64;
        self.room = self.room.saturating_sub(message.held_bytes());
        self.actions.push(Action::Publish { message, is_media });
    }

    /// When [`Service::tick`] has something to do.
    pub fn wake_at(&self) -> Option<Instant> {
        let followed = self.followed.values();
        let is_connected = self.payload_max.is_some();
        let of_followed = followed.flat_map(|one| {
            let asks = one.following.wake_at().filter(|_| is_connected);
            [asks, one.ends_at()]
        });
        let published = self.published.values();
        let of_published = published.flat_map(|one| [one.lease.wake_at(), one.replaced_at]);
        let tell = is_connected.then_some(self.tell_at);
        of_followed
            .chain(of_published)
            .chain([tell, self.picture_at()])
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant) {
        self.tick_leases(now);
        self.give_up_pictures(Some(now));
        let names: Vec<Arc<str>> = self.followed.keys().cloned().collect();
        for name in names {
            self.tick_followed(&name, now);
        }
        if self.payload_max.is_some() && self.tell_at <= now {
            self.tell_at = now + directory::INTERVAL;
            let changed = self.directory.expire(now);
            self.note_changed(changed);
            self.orders.push_back(Order::Tell);
        }
        self.take_steps();
    }

    fn tick_followed(&mut self, name: &Arc<str>, now: Instant) {
        let Some(followed) = self.followed.get_mut(name) else {
            return;
        };
        if followed.ends_at().is_some_and(|at| at <= now) {
            self.leave(name, true);
            return;
        }
        let is_connected = self.payload_max.is_some();
        if is_connected && followed.following.poll_ask(self.next_ticket, now) {
            self.figures.joins += 1;
            let message = Message::new(self.subjects.join(name), Vec::new());
            self.requests
                .retain(|_, purpose| !matches!(purpose, Purpose::Join(other) if other == name));
            self.ask(message, Purpose::Join(name.clone()));
        }
    }

    fn take_steps(&mut self) {
        for (name, followed) in &mut self.followed {
            let Losses {
                stale,
                fenced,
                gaps,
            } = followed.following.take_losses();
            self.figures.stale += stale;
            self.figures.fenced += fenced;
            self.figures.gaps += gaps;
            let steps = followed.following.take_steps();
            if !steps.is_empty() {
                let name = name.clone();
                self.orders.push_back(Order::Feed { name, steps });
            }
        }
    }
}

#[cfg(test)]
mod tests;
