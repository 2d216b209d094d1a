//! What this node tells the others, once a second.

use super::Service;
use super::directory::{self, NodeState, Published, Viewers, Watching};
use super::message::Message;
use crate::metrics::StreamReport;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Service {
    /// Tells the other nodes what this one has: its own streams as it reports them, and the viewers of
    /// each stream that it has or follows.
    pub fn tell(&mut self, reports: Vec<StreamReport>, viewers: BTreeMap<Arc<str>, Viewers>) {
        let streams = reports.into_iter().filter_map(|report| {
            let epoch = self.epoch(&report.name)?;
            Some(Published { epoch, report })
        });
        let streams: Vec<Published> = streams.collect();
        let followed = self
            .followed
            .keys()
            .map(|name| (name.clone(), Viewers::default()));
        let mut watching: BTreeMap<Arc<str>, Viewers> = followed.collect();
        watching.extend(viewers);
        let watching: Vec<Watching> = watching
            .into_iter()
            .map(|(name, audience)| Watching { name, audience })
            .collect();
        let (mut streams, mut watching) = (
            streams.chunks(directory::ENTRIES_MAX),
            watching.chunks(directory::ENTRIES_MAX),
        );
        for part in 0.. {
            let (streams, watching) = (streams.next(), watching.next());
            if part > 0 && streams.is_none() && watching.is_none() {
                break;
            }
            self.tell_state(NodeState {
                streams: streams.unwrap_or_default().to_vec(),
                watching: watching.unwrap_or_default().to_vec(),
                is_more: part > 0,
                ..NodeState::default()
            });
        }
    }

    fn tell_state(&mut self, state: NodeState) {
        let state = NodeState {
            node: self.settings.node.clone(),
            instance: self.settings.instance.clone(),
            ..state
        };
        let text = serde_json::to_vec(&state).unwrap_or_default();
        let message = Message::new(self.subjects.nodes(), text);
        self.publish(message, false);
    }

    /// The node stops: its publishers are gone by now.
    pub fn say_goodbye(&mut self) {
        if self.payload_max.is_some() {
            self.tell_state(NodeState {
                is_leaving: true,
                ..NodeState::default()
            });
        }
    }
}
