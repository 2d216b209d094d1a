//! A NATS server in memory, as far as nodes use it: subjects, answers that no program gives, and the bucket
//! of leases. What it carries may be lost, doubled, late or out of order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use videostream::service::Action;
use videostream::service::message::{Kind, Marks, Message};

/// The size of each frame, by which it is found in a chunk.
pub const FRAME_BYTES: usize = 60;

/// Leases that are not renewed are gone: as the bucket says that nodes make.
const LEASE: Duration = Duration::from_secs(6);

/// Chances, in a thousand messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub lost: u32,
    pub doubled: u32,
    pub late: u32,
}

/// A node's way to the server.
#[derive(Debug, Default)]
struct Way {
    subscriptions: BTreeSet<String>,
    is_cut: bool,
    latency: Duration,
    /// When the last message arrives that is in order.
    last: Duration,
}

#[derive(Debug)]
pub struct Bus {
    ways: Vec<Way>,
    /// By the time of arrival, then in order of sending.
    flying: BTreeMap<(Duration, u64), (usize, Message)>,
    count: u64,
    chance: fastrand::Rng,
    pub weather: Weather,
    has_bucket: bool,
    /// By subject: value, headers that say it was deleted, revision, when it was written.
    leases: BTreeMap<String, (Message, u64, Duration)>,
    revision: u64,
    /// Epochs under which a frame of numbered publishers was sent: see [`Bus::epochs`].
    epochs: BTreeMap<(u8, u64), BTreeSet<u64>>,
    pub counts: Counts,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub carried: u64,
    pub lost: u64,
    pub doubled: u64,
    pub late: u64,
    pub unanswered: u64,
    pub refused_leases: u64,
}

impl Bus {
    pub fn new(nodes: usize, seed: u64) -> Bus {
        let mut chance = fastrand::Rng::with_seed(seed);
        let ways = (0..nodes).map(|_| Way {
            latency: Duration::from_micros(chance.u64(100..15_000)),
            ..Way::default()
        });
        let ways = ways.collect();
        Bus {
            ways,
            flying: BTreeMap::new(),
            count: 0,
            chance,
            weather: Weather::default(),
            has_bucket: false,
            leases: BTreeMap::new(),
            revision: 0,
            epochs: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    pub fn cut(&mut self, node: usize, is_cut: bool) {
        self.ways[node].is_cut = is_cut;
    }

    /// The node is another process now.
    pub fn forget(&mut self, node: usize) {
        self.ways[node].subscriptions.clear();
        self.flying.retain(|_, (to, _)| *to != node);
    }

    /// A node has this for the server.
    pub fn take(&mut self, node: usize, action: Action, now: Duration) {
        match action {
            Action::Subscribe(subject) => drop(self.ways[node].subscriptions.insert(subject)),
            Action::Unsubscribe(subject) => drop(self.ways[node].subscriptions.remove(&subject)),
            Action::Publish { .. } if self.ways[node].is_cut => {}
            Action::Publish { message, .. } => {
                let came = now + self.ways[node].latency;
                if message.subject.starts_with('$') {
                    self.serve(node, &message, came);
                } else {
                    self.spread(node, &message, came);
                }
            }
        }
    }

    /// The leases under which a frame of a publisher was sent: none where only its own node had it.
    pub fn epochs(&self, publisher: u8, number: u64) -> Vec<u64> {
        let from_here = self
            .epochs
            .range((publisher, number)..=(publisher, u64::MAX));
        let first = from_here.map(|(_, epochs)| epochs).next();
        first.into_iter().flatten().copied().collect()
    }

    /// The last frame of a chunk tells the publisher.
    fn note_epoch(&mut self, message: &Message) {
        let is_media = |marks: &Marks| matches!(marks.kind, Kind::JoinPoint | Kind::Continuation);
        let Some(marks) = Marks::read(message).filter(is_media) else {
            return;
        };
        let frame = &message.payload[message.payload.len() - FRAME_BYTES..];
        let number = u64::from_be_bytes(frame[2..10].try_into().expect("eight bytes"));
        self.epochs
            .entry((frame[1], number))
            .or_default()
            .insert(marks.epoch);
    }

    fn spread(&mut self, from: usize, message: &Message, came: Duration) {
        self.note_epoch(message);
        let mut is_heard = false;
        for to in 0..self.ways.len() {
            // Nodes ask for no echo.
            if to != from && self.is_subscribed(to, &message.subject) {
                is_heard = true;
                self.send(to, message.clone(), came);
            }
        }
        if !is_heard && let Some(reply) = &message.reply {
            self.counts.unanswered += 1;
            let answer = Message {
                status: Some(503),
                ..Message::new(reply.clone(), Vec::new())
            };
            self.send(from, answer, came);
        }
    }

    fn is_subscribed(&self, node: usize, subject: &str) -> bool {
        let subscriptions = &self.ways[node].subscriptions;
        let (parent, _) = subject.rsplit_once('.').unwrap_or((subject, ""));
        subscriptions.contains(subject) || subscriptions.contains(&format!("{parent}.*"))
    }

    fn send(&mut self, to: usize, message: Message, came: Duration) {
        let mut roll = |per_mille: u32| self.chance.u32(0..1000) < per_mille;
        if roll(self.weather.lost) {
            self.counts.lost += 1;
            return;
        }
        let (is_doubled, is_late) = (roll(self.weather.doubled), roll(self.weather.late));
        self.counts.carried += 1;
        let way = &mut self.ways[to];
        // What one connection carries stays in order.
        let in_order = (came + way.latency).max(way.last);
        way.last = in_order;
        let mut at = in_order;
        if is_late {
            self.counts.late += 1;
            at += Duration::from_millis(self.chance.u64(1..1500));
        }
        if is_doubled {
            self.counts.doubled += 1;
            let again = at + Duration::from_millis(self.chance.u64(0..50));
            self.count += 1;
            self.flying
                .insert((again, self.count), (to, message.clone()));
        }
        self.count += 1;
        self.flying.insert((at, self.count), (to, message));
    }

    /// The next message that has arrived by now. What arrives at a node that is cut off is lost.
    pub fn arrive(&mut self, now: Duration) -> Option<(usize, Message)> {
        loop {
            let first = self
                .flying
                .first_entry()
                .filter(|first| first.key().0 <= now)?;
            let (to, message) = first.remove();
            if !self.ways[to].is_cut {
                return Some((to, message));
            }
        }
    }

    /// JetStream.
    fn serve(&mut self, node: usize, message: &Message, now: Duration) {
        self.leases
            .retain(|_, (_, _, written)| now.saturating_sub(*written) < LEASE);
        let subject = message.subject.as_str();
        let answer =
            |payload: String| Message::new(message.reply.clone().unwrap_or_default(), payload);
        let answer = if subject.starts_with("$JS.API.STREAM.CREATE.") {
            self.has_bucket = true;
            answer(r#"{"config":{}}"#.to_owned())
        } else if !self.has_bucket {
            return;
        } else if let Some(asked) = subject.strip_prefix("$JS.API.DIRECT.GET.") {
            let key = asked.split_once('.').expect("a bucket and a key").1;
            match self.leases.get(key) {
                None => Message {
                    status: Some(404),
                    ..answer(String::new())
                },
                Some((value, revision, _)) => {
                    let mut found = Message {
                        payload: value.payload.clone(),
                        headers: value.headers.clone(),
                        ..answer(String::new())
                    };
                    found.set("Nats-Sequence", revision);
                    found
                }
            }
        } else {
            let expected = message.number("Nats-Expected-Last-Subject-Sequence");
            let current = self
                .leases
                .get(subject)
                .map_or(0, |(_, revision, _)| *revision);
            if expected == Some(current) {
                self.revision += 1;
                let stored = (message.clone(), self.revision, now);
                self.leases.insert(subject.to_owned(), stored);
                answer(format!(r#"{{"stream":"KV_v","seq":{}}}"#, self.revision))
            } else {
                self.counts.refused_leases += 1;
                answer(r#"{"error":{"code":400,"err_code":10071}}"#.to_owned())
            }
        };
        if message.reply.is_some() {
            self.send(node, answer, now);
        }
    }
}
