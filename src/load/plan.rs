//! Which viewers there are, and which process has which of them.
//!
//! Roles are spread evenly over the joins: of ten viewers with a sample of two, the first and the
//! sixth are sampled. The plan goes to each process as JSON; what a process does follows from it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::Protocol;
use crate::client::Trust;

/// What all viewers of one load test have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Each viewer has one of these, in turn.
    pub servers: Vec<Server>,
    /// Path and query of each stream.
    pub targets: Vec<String>,
    pub key: Option<String>,
    pub protocol: Protocol,
    pub viewers: u64,
    pub ramp: Duration,
    /// Viewers a second.
    pub churn: f64,
    pub stall: u64,
    pub stall_for: Option<Duration>,
    pub slow: u64,
    pub slow_bits_per_s: u64,
    pub sample: u64,
    /// Our publisher's stamps; `None` when the publisher is not ours.
    pub run: Option<u64>,
    /// TLS, if the server is encrypted.
    pub tls: Option<TlsPlan>,
    pub part: Part,
}

/// Where viewers connect to, and what they call it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Server {
    pub address: SocketAddr,
    pub host: String,
}

/// A server that has to prove its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TlsPlan {
    pub server_name: String,
    pub trust: Trust,
}

/// The share of one process or thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    /// The watched viewers: their bytes are looked at. They have a thread of their own, so that the
    /// time at which a stamp is read does not depend on how long the crowd takes.
    Watched,
    /// One share of the other viewers.
    Crowd { nth: u64, of: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Counts bytes.
    Crowd,
    /// Takes apart and judges what comes.
    Sampled,
    /// As sampled, at a rate of its own.
    Slow,
    /// As sampled, but reads nothing for a time.
    Stalled,
}

impl Role {
    /// Whether it reads all that comes as soon as it comes.
    pub fn is_healthy(self) -> bool {
        matches!(self, Role::Crowd | Role::Sampled)
    }
}

/// One viewer's place: when it comes, and what it watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Its number among all viewers.
    pub index: u64,
    pub role: Role,
    /// Index into [`Plan::servers`].
    pub server: usize,
    /// Index into [`Plan::targets`].
    pub stream: usize,
    /// From the start of the load test.
    pub comes_at: Duration,
}

impl Plan {
    /// The assignments of this part, in the order in which they come.
    pub fn assignments(&self) -> Vec<Assignment> {
        let mut assignments = Vec::new();
        let awake = self.viewers - self.stall;
        let healthy = awake - self.slow;
        let (mut nth_awake, mut nth_healthy, mut nth_crowd) = (0, 0, 0);
        for index in 0..self.viewers {
            let role = if is_chosen(index, self.viewers, self.stall) {
                Role::Stalled
            } else if is_chosen(next(&mut nth_awake), awake, self.slow) {
                Role::Slow
            } else if is_chosen(next(&mut nth_healthy), healthy, self.sample) {
                Role::Sampled
            } else {
                Role::Crowd
            };
            let is_ours = match (self.part, role) {
                (Part::Crowd { nth, of }, Role::Crowd) => next(&mut nth_crowd) % of == nth,
                (Part::Watched, role) => role != Role::Crowd,
                (Part::Crowd { .. }, _) => false,
            };
            if is_ours {
                assignments.push(Assignment {
                    index,
                    role,
                    server: self.server_of(index),
                    stream: (index % self.targets.len() as u64) as usize,
                    comes_at: self.ramp.mul_f64(index as f64 / self.viewers as f64),
                });
            }
        }
        assignments
    }

    /// The server of a viewer: of each stream's viewers, one after another goes to the next server.
    fn server_of(&self, index: u64) -> usize {
        let of_stream = index / self.targets.len() as u64;
        (of_stream % self.servers.len() as u64) as usize
    }

    /// Viewers of the crowd.
    pub fn crowd(&self) -> u64 {
        (self.viewers - self.stall - self.slow).saturating_sub(self.sample)
    }

    /// This part's share of the churn, by its healthy viewers.
    pub fn churn_of(&self, assignments: &[Assignment]) -> f64 {
        let ours = assignments
            .iter()
            .filter(|assignment| assignment.role.is_healthy())
            .count();
        let all = self.viewers - self.stall - self.slow;
        self.churn * ours as f64 / all.max(1) as f64
    }
}

fn next(count: &mut u64) -> u64 {
    *count += 1;
    *count - 1
}

/// Chooses `chosen` of `all`, evenly, the first among them.
fn is_chosen(nth: u64, all: u64, chosen: u64) -> bool {
    chosen >= all || nth * chosen % all < chosen
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn plan() -> Plan {
        Plan {
            servers: vec![Server {
                address: ([127, 0, 0, 1], 8080).into(),
                host: "127.0.0.1:8080".into(),
            }],
            targets: vec!["/live/a".into()],
            key: None,
            protocol: Protocol::Ws,
            viewers: 100,
            ramp: Duration::from_secs(1),
            churn: 0.0,
            stall: 0,
            stall_for: None,
            slow: 0,
            slow_bits_per_s: 0,
            sample: 20,
            run: None,
            tls: None,
            part: Part::Watched,
        }
    }

    #[test]
    fn viewers_of_each_stream_are_spread_over_all_servers() {
        let one = plan().servers.remove(0);
        let plan = Plan {
            servers: vec![one.clone(), one.clone(), one],
            targets: vec!["/live/a".into(), "/live/b".into()],
            viewers: 12,
            sample: 12,
            ..plan()
        };
        let mut places: Vec<(usize, usize)> = plan
            .assignments()
            .iter()
            .map(|one| (one.stream, one.server))
            .collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn every_viewer_has_one_seat_in_one_part() {
        let base = Plan {
            stall: 10,
            slow: 7,
            targets: vec![String::new(); 3],
            ..plan()
        };
        let parts = [
            Part::Watched,
            Part::Crowd { nth: 0, of: 2 },
            Part::Crowd { nth: 1, of: 2 },
        ];
        let assignments = parts.map(|part| {
            Plan {
                part,
                ..base.clone()
            }
            .assignments()
        });
        let count = |role| {
            assignments
                .iter()
                .flatten()
                .filter(|assignment| assignment.role == role)
                .count()
        };
        assert_eq!(count(Role::Stalled), 10);
        assert_eq!(count(Role::Slow), 7);
        assert_eq!(count(Role::Sampled), 20);
        assert_eq!(count(Role::Crowd) as u64, base.crowd());
        assert!(assignments[1].len().abs_diff(assignments[2].len()) <= 1);
        let mut all: Vec<u64> = assignments
            .iter()
            .flatten()
            .map(|assignment| assignment.index)
            .collect();
        all.sort();
        assert!(all.into_iter().eq(0..100));
    }

    #[test]
    fn the_sample_is_spread_over_the_joins() {
        let assignments = Plan {
            sample: 4,
            ..plan()
        }
        .assignments();
        let indexes: Vec<u64> = assignments
            .iter()
            .map(|assignment| assignment.index)
            .collect();
        assert_eq!(indexes, [0, 25, 50, 75]);
        assert_eq!(assignments[2].comes_at, Duration::from_millis(500));
    }

    #[test]
    fn a_sample_of_more_than_there_are_takes_all() {
        let all = Plan {
            viewers: 5,
            sample: 20,
            ..plan()
        };
        assert_eq!((all.assignments().len(), all.crowd()), (5, 0));
        assert!(
            Plan {
                viewers: 5,
                stall: 5,
                sample: 20,
                ..plan()
            }
            .assignments()
            .iter()
            .all(|assignment| assignment.role == Role::Stalled)
        );
    }

    #[test]
    fn a_plan_survives_the_way_to_another_process() {
        let text = serde_json::to_string(&plan()).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan());
    }
}
