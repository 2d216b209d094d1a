//! What the other nodes have, as each of them tells once a second.
//!
//! A node that has told nothing for [`AGE_MAX`] counts for nothing.

use crate::metrics::StreamReport;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a node tells its state.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// After this time a state no longer counts: three of them were lost, or the node is gone.
const AGE_MAX: Duration = Duration::from_millis(3500);

/// Nodes that are remembered.
const NODES_MAX: usize = 4096;

/// Streams and audiences in one message: some 300 KB, under every server's `max_payload`.
pub const ENTRIES_MAX: usize = 400;

/// Streams, and audiences, of one node: some 40 MB of each. What it has beyond is not shown.
const NODE_ENTRIES_MAX: usize = 50_000;

/// One node's state, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    pub node: Arc<str>,
    /// Names the process.
    pub instance: Arc<str>,
    /// Streams that are published there, under a lease.
    #[serde(default)]
    pub streams: Vec<Published>,
    /// Streams that are watched there.
    #[serde(default)]
    pub watching: Vec<Watching>,
    /// Whether this adds to the state told just before.
    #[serde(default)]
    pub is_more: bool,
    /// The node stops.
    #[serde(default)]
    pub is_leaving: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub epoch: u64,
    pub report: StreamReport,
}

/// A stream's audience at one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    pub name: Arc<str>,
    pub audience: Viewers,
}

/// Viewers, and what they were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewers {
    pub websocket: u64,
    pub http: u64,
    pub behind: u64,
    pub sent_bytes: u64,
    pub skips: u64,
}

impl Viewers {
    /// The audience at the node of the publisher.
    fn of(report: &StreamReport) -> Viewers {
        Viewers {
            websocket: report.viewers_ws,
            http: report.viewers_http,
            behind: report.viewers_behind,
            sent_bytes: report.sent_bytes,
            skips: report.skips,
        }
    }

    pub fn count(self) -> u64 {
        self.websocket + self.http
    }

    fn add(&mut self, other: Viewers) {
        self.websocket += other.websocket;
        self.http += other.http;
        self.behind += other.behind;
        self.sent_bytes += other.sent_bytes;
        self.skips += other.skips;
    }

    /// Has a report say these, and those of this node that `here` is about.
    pub fn report(mut self, here: Viewers, report: &mut StreamReport) {
        self.add(here);
        report.viewers = self.count();
        report.viewers_ws = self.websocket;
        report.viewers_http = self.http;
        report.viewers_behind = self.behind;
        report.viewers_peak = report.viewers_peak.max(report.viewers);
        report.sent_bytes = self.sent_bytes;
        report.skips = self.skips;
    }
}

#[derive(Debug, Default)]
pub struct Directory {
    /// By instance.
    nodes: BTreeMap<Arc<str>, Heard>,
    /// Streams published elsewhere, and by which instance: the one with the highest epoch.
    published: BTreeMap<Arc<str>, Arc<str>>,
    /// Viewers elsewhere, of streams that are watched there.
    viewers: BTreeMap<Arc<str>, Viewers>,
}

#[derive(Debug)]
struct Heard {
    at: Instant,
    state: NodeState,
}

impl Directory {
    /// Takes the state of another node. Returns the streams about which something has changed: where they
    /// are, or the number of viewers.
    pub fn heard(&mut self, mut state: NodeState, now: Instant) -> BTreeSet<Arc<str>> {
        let is_known = self.nodes.contains_key(&state.instance);
        if state.is_leaving {
            self.nodes.remove(&state.instance);
        } else if is_known || self.nodes.len() < NODES_MAX {
            if state.is_more
                && let Some(before) = self.nodes.remove(&state.instance)
            {
                state.streams.extend(before.state.streams);
                state.streams.truncate(NODE_ENTRIES_MAX);
                state.watching.extend(before.state.watching);
                state.watching.truncate(NODE_ENTRIES_MAX);
            }
            let heard = Heard { at: now, state };
            self.nodes.insert(heard.state.instance.clone(), heard);
        }
        self.sum_up()
    }

    /// Forgets nodes that have told nothing for too long.
    pub fn expire(&mut self, now: Instant) -> BTreeSet<Arc<str>> {
        let before = self.nodes.len();
        let is_new = |heard: &Heard| now.saturating_duration_since(heard.at) < AGE_MAX;
        self.nodes.retain(|_, heard| is_new(heard));
        if self.nodes.len() == before {
            return BTreeSet::new();
        }
        self.sum_up()
    }

    pub fn clear(&mut self) -> BTreeSet<Arc<str>> {
        self.nodes.clear();
        self.sum_up()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn sum_up(&mut self) -> BTreeSet<Arc<str>> {
        let mut published: BTreeMap<Arc<str>, (u64, Arc<str>)> = BTreeMap::new();
        let mut viewers: BTreeMap<Arc<str>, Viewers> = BTreeMap::new();
        for (instance, heard) in &self.nodes {
            for one in &heard.state.streams {
                let name: Arc<str> = one.report.name.as_str().into();
                let place = published.entry(name).or_default();
                if one.epoch >= place.0 {
                    *place = (one.epoch, instance.clone());
                }
                let name: Arc<str> = one.report.name.as_str().into();
                viewers
                    .entry(name)
                    .or_default()
                    .add(Viewers::of(&one.report));
            }
            for one in &heard.state.watching {
                viewers
                    .entry(one.name.clone())
                    .or_default()
                    .add(one.audience);
            }
        }
        let published: BTreeMap<_, _> = published
            .into_iter()
            .map(|(name, (_, instance))| (name, instance))
            .collect();
        let mut changed = changed(&self.published, &published, |a, b| a == b);
        let is_same = |a: &Viewers, b: &Viewers| a.count() == b.count();
        changed.extend(self::changed(&self.viewers, &viewers, is_same));
        (self.published, self.viewers) = (published, viewers);
        changed
    }

    /// A stream that is published on another node, and that node's name.
    pub fn published(&self, name: &str) -> Option<(&Published, &Arc<str>)> {
        let state = &self.nodes.get(self.published.get(name)?)?.state;
        let mut streams = state.streams.iter();
        let one = streams.find(|one| one.report.name == name)?;
        Some((one, &state.node))
    }

    /// The streams published on other nodes, in order of their names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.published.keys()
    }

    /// The viewers of a stream on other nodes.
    pub fn viewers(&self, name: &str) -> Viewers {
        self.viewers.get(name).copied().unwrap_or_default()
    }

    /// Whether another node watches a stream, with or without viewers at the moment.
    pub fn is_watched(&self, name: &str) -> bool {
        self.viewers.contains_key(name)
    }
}

fn changed<T>(
    before: &BTreeMap<Arc<str>, T>,
    now: &BTreeMap<Arc<str>, T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> BTreeSet<Arc<str>> {
    let names = before.keys().chain(now.keys());
    let has_changed = |name: &&Arc<str>| match (before.get(*name), now.get(*name)) {
        (Some(before), Some(now)) => !is_same(before, now),
        _ => true,
    };
    names.filter(has_changed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(instance: &str, streams: &[(&str, u64)], watching: &[(&str, u64)]) -> NodeState {
        let published = |&(name, epoch): &(&str, u64)| Published {
            epoch,
            report: StreamReport {
                name: name.into(),
                ..StreamReport::default()
            },
        };
        let audience = |&(name, websocket): &(&str, u64)| Watching {
            name: name.into(),
            audience: Viewers {
                websocket,
                ..Viewers::default()
            },
        };
        NodeState {
            node: instance.to_uppercase().into(),
            instance: instance.into(),
            streams: streams.iter().map(published).collect(),
            watching: watching.iter().map(audience).collect(),
            ..NodeState::default()
        }
    }

    fn names(changed: &BTreeSet<Arc<str>>) -> Vec<&str> {
        changed.iter().map(|name| &**name).collect()
    }

    #[test]
    fn viewers_of_all_nodes_are_added_up_and_the_newest_epoch_has_the_stream() {
        let now = Instant::now();
        let mut directory = Directory::default();
        let changed = directory.heard(state("a", &[("x", 3)], &[("y", 2)]), now);
        assert_eq!(names(&changed), ["x", "y"]);
        let changed = directory.heard(state("b", &[("x", 4)], &[("y", 5)]), now);
        assert_eq!(names(&changed), ["x", "y"]);
        assert_eq!(&**directory.published("x").unwrap().1, "B");
        assert_eq!(directory.viewers("y").count(), 7);
        // Nothing new.
        assert!(
            directory
                .heard(state("b", &[("x", 4)], &[("y", 5)]), now)
                .is_empty()
        );
        let leaving = NodeState {
            is_leaving: true,
            ..state("b", &[], &[])
        };
        assert_eq!(names(&directory.heard(leaving, now)), ["x", "y"]);
        assert_eq!(&**directory.published("x").unwrap().1, "A");
    }

    #[test]
    fn node_that_tells_nothing_is_forgotten() {
        let start = Instant::now();
        let mut directory = Directory::default();
        directory.heard(state("a", &[("x", 3)], &[]), start);
        let more = NodeState {
            is_more: true,
            ..state("a", &[("z", 3)], &[])
        };
        directory.heard(more, start);
        assert_eq!(directory.names().count(), 2);
        assert!(directory.expire(start + INTERVAL * 3).is_empty());
        assert_eq!(names(&directory.expire(start + INTERVAL * 4)), ["x", "z"]);
        assert!(directory.published("x").is_none() && directory.is_empty());
    }
}
