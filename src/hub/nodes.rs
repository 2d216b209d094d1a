//! The hub as one node of a service: see [`crate::service`].
//!
//! A stream from another node has a session without a peer, whose publisher is fed from the bus: it goes on
//! air, is taken over, stalls and ends as any other. Media of this node's publishers go to the bus as to a
//! viewer, right after they have come in.
//!
//! Without `--nats` nothing here costs anything.

use super::Hub;
use super::errands::AwaitedPictures;
use super::renderings::Names;
use crate::http::base_path::BasePath;
use crate::metrics::{self, StreamReport};
use crate::offline_reason::OfflineReason;
use crate::service::directory::Viewers;
use crate::service::following::{Now, Step};
use crate::service::message::Message;
use crate::service::{Action, Order, Service, Settings};
use crate::session::publisher::{Publisher, RemotePiece};
use crate::session::{Client, IncomingHead, SessionId, Socket, State};
use crate::stream::{Ingest, StreamId};
use crate::stream_name::StreamName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

/// What the hub has of the service.
#[derive(Debug)]
pub struct Nodes {
    service: Service,
    /// The sessions that streams from other nodes come through.
    remote: BTreeMap<Arc<str>, SessionId>,
    /// Clients that wait for a picture from another node.
    pub(super) pictures: AwaitedPictures,
}

impl Nodes {
    pub fn new(settings: Settings, now: Instant) -> Nodes {
        Nodes {
            service: Service::new(settings, now),
            remote: BTreeMap::new(),
            pictures: AwaitedPictures::default(),
        }
    }
}

impl<S: Socket> Hub<S> {
    fn now(&self) -> Now {
        Now {
            instant: self.clock.now(),
            unix_ms: self.clock.steady_ms(),
        }
    }

    fn service(&self) -> Option<&Service> {
        self.nodes.as_ref().map(|nodes| &nodes.service)
    }

    pub(super) fn service_mut(&mut self) -> Option<&mut Service> {
        self.nodes.as_mut().map(|nodes| &mut nodes.service)
    }

    /// The bus is there, and takes messages of this size.
    pub fn bus_connected(&mut self, max_payload: usize) {
        let now = self.clock.now();
        if let Some(service) = self.service_mut() {
            service.connected(max_payload, now);
        }
    }

    pub fn bus_disconnected(&mut self) {
        let now = self.clock.now();
        if let Some(service) = self.service_mut() {
            service.disconnected(now);
        }
    }

    /// A message came from the bus.
    pub fn bus_came(&mut self, message: Message) {
        let now = self.now();
        if let Some(service) = self.service_mut() {
            service.receive(message, now);
        }
    }

    /// What the bus's queue takes in this turn, and how many messages its queues have dropped since the
    /// last one.
    pub fn set_bus_room(&mut self, bytes: usize, dropped: u64) {
        if let Some(service) = self.service_mut() {
            service.set_room(bytes);
            service.count_dropped(dropped);
        }
    }

    /// What is to go to the bus.
    pub fn poll_bus(&mut self) -> Vec<Action> {
        let actions = self.service_mut().map(Service::take_actions);
        actions.unwrap_or_default()
    }

    pub(super) fn service_at(&self) -> Option<Instant> {
        self.service()?.wake_at()
    }

    /// What has come from the bus, and the passing of time.
    pub(super) fn tend_nodes(&mut self) {
        let now = self.clock.now();
        let Some(service) = self.service_mut() else {
            return;
        };
        if service.wake_at().is_some_and(|at| at <= now) {
            service.tick(now);
        }
        while let Some(order) = self.service_mut().and_then(Service::poll_order) {
            self.obey(order);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Feed { name, steps } => {
                for step in steps {
                    self.feed_remote(&name, step);
                }
            }
            Order::Leave { name } => {
                if let Some(id) = self.remote_session(&name) {
                    self.note_reason(id, OfflineReason::Ended);
                    self.drop_session(id);
                }
            }
            Order::Replaced { name } => self.end_replaced(&name),
            Order::NoLease { name } => {
                tracing::warn!(
                    stream = %name,
                    "NATS gives no lease, so other nodes do not get this stream: run nats-server with \
                     JetStream (docs/nodes.md)"
                );
            }
            Order::Do { name, errand } => self.run_errand(&name, errand),
            Order::Picture { name, which, reply } => self.answer_picture(&name, which, reply),
            Order::PictureCame { number, picture } => self.picture_came(number, picture),
            Order::Join { name, reply } => {
                let now = self.now();
                if let (Some(id), Some(nodes)) = (self.streams.find(&name), &mut self.nodes) {
                    self.streams.want_keyframe_if_far(id);
                    let stream = self.streams.stream_mut(id);
                    nodes.service.answer_join(stream, reply, now);
                    nodes.service.pass_on(stream, now);
                }
            }
            Order::Tell => self.tell_nodes(),
            Order::Changed { name } => self.note_elsewhere(&name),
        }
    }

    fn remote_session(&self, name: &str) -> Option<SessionId> {
        let id = *self.nodes.as_ref()?.remote.get(name)?;
        let publisher = self.sessions.get(id)?.publisher()?;
        publisher.is_remote().then_some(id)
    }

    fn feed_remote(&mut self, name: &Arc<str>, step: Step) {
        let piece = match step {
            Step::Begin(_) => return self.open_remote(name),
            Step::Bytes(bytes) => RemotePiece::Bytes(bytes),
            Step::Gap => RemotePiece::Gap,
            Step::End(reason) => RemotePiece::End(reason),
        };
        let Some(id) = self.remote_session(name) else {
            return;
        };
        if let Some(publisher) = self.sessions[id].publisher_mut() {
            publisher.push_remote(piece);
        }
        self.queue_read(id);
    }

    /// A publisher whose media come over the bus.
    fn open_remote(&mut self, name: &Arc<str>) {
        let Ok(stream_name) = StreamName::try_from(&**name) else {
            return;
        };
        let now = self.clock.now();
        let client = Client::new(Ipv4Addr::UNSPECIFIED.into());
        let head = IncomingHead::first(false, None);
        let id = self.sessions.insert(S::detached(), client, head, now);
        let stream_id = self.streams.open(&stream_name, now);
        self.add_candidate(id, stream_id);
        let ingest = Ingest::candidate(self.streams.limits()).trusting();
        let publisher = Publisher::remote(stream_id, ingest, now);
        self.enter(id, State::Publishing(Box::new(publisher)));
        if let Some(nodes) = &mut self.nodes {
            nodes.remote.insert(name.clone(), id);
        }
    }

    /// The stream was taken over on another node, whose media do not come.
    fn end_replaced(&mut self, name: &str) {
        let publisher = self
            .streams
            .find(name)
            .and_then(|id| self.streams.broadcast(id)?.publisher());
        if let Some(id) = publisher
            && self.remote_session(name) != Some(id)
        {
            self.replace_publisher(id);
        }
    }

    /// Whether the publisher on air is on another node.
    pub(super) fn is_from_elsewhere(&self, id: StreamId) -> bool {
        let broadcast = self.streams.broadcast(id);
        let publisher = broadcast.and_then(|broadcast| broadcast.publisher());
        publisher.is_some_and(|id| self.is_remote(id))
    }

    pub(super) fn is_remote(&self, id: SessionId) -> bool {
        let session = self.nodes.as_ref().and_then(|_| self.sessions.get(id));
        let publisher = session.and_then(|session| session.publisher());
        publisher.is_some_and(Publisher::is_remote)
    }

    /// Whether the publisher of a stream is on another node, as far as this one knows.
    pub(super) fn is_published_elsewhere(&self, name: &str) -> bool {
        self.service().is_some_and(|service| {
            service.epoch(name).is_none() && service.directory().published(name).is_some()
        })
    }

    /// A publisher of this node went on air, or one of another node in its place.
    pub(super) fn note_on_air(&mut self, id: SessionId, stream_id: StreamId) {
        if self.nodes.is_none() {
            return;
        }
        let (is_remote, now) = (self.is_remote(id), self.now());
        let name = self.streams.stream(stream_id).name().clone();
        self.move_recording(stream_id, is_remote);
        if let Some(service) = self.service_mut() {
            if is_remote {
                service.publisher_left(&name, OfflineReason::Replaced, now);
            } else {
                service.publisher_came(&name, now);
            }
        }
    }

    /// The publisher of a stream has left, and no other is on air.
    pub(super) fn note_off_air(&mut self, stream_id: StreamId, reason: OfflineReason) {
        let now = self.now();
        let Some(nodes) = &mut self.nodes else {
            return;
        };
        let stream = self.streams.stream_mut(stream_id);
        nodes.service.pass_on(stream, now);
        let name = stream.name().clone();
        nodes.service.publisher_left(&name, reason, now);
    }

    /// The session of a stream from another node is over.
    pub(super) fn note_remote_gone(&mut self, id: SessionId, stream_id: StreamId) {
        let now = self.clock.now();
        let name = self.streams.stream(stream_id).name();
        if let Some(nodes) = &mut self.nodes
            && nodes.remote.get(name) == Some(&id)
        {
            nodes.remote.remove(name);
            nodes.service.feed_gone(name, now);
        }
    }

    /// The viewers of a stream on this node have come or gone.
    pub(super) fn note_viewers(&mut self, stream_id: StreamId) {
        let now = self.clock.now();
        let Some(nodes) = &mut self.nodes else {
            return;
        };
        let broadcast = self.streams.broadcast_mut(stream_id);
        let count = broadcast.map_or(0, |broadcast| broadcast.audience().len());
        let name = self.streams.stream(stream_id).name();
        nodes.service.set_viewers(name, count, now);
        let elsewhere = nodes.service.directory().viewers(name).count();
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.audience_mut().set_elsewhere(elsewhere);
        }
    }

    fn note_elsewhere(&mut self, name: &str) {
        if let Some(id) = self.streams.find(name) {
            self.tell_viewers(id);
        }
    }

    /// Media of this node's publishers go to the bus.
    pub(super) fn pass_on_to_nodes(&mut self) {
        if self.nodes.is_none() {
            return;
        }
        let now = self.now();
        for id in self.streams.fresh() {
            let stream = self.streams.stream_mut(id);
            if let Some(nodes) = &mut self.nodes {
                nodes.service.pass_on(stream, now);
            }
        }
    }

    fn tell_nodes(&mut self) {
        let Some(service) = self.service() else {
            return;
        };
        let mut published: BTreeSet<Arc<str>> = service.published_names().into_iter().collect();
        published.retain(|name| service.epoch(name).is_some());
        let prefix = BasePath::default();
        let ids = published.iter().filter_map(|name| self.streams.find(name));
        let reports: Vec<StreamReport> = ids.filter_map(|id| self.report(id, &prefix)).collect();
        let mut viewers = BTreeMap::new();
        for (id, stream) in self.streams.iter() {
            if published.contains(stream.name()) {
                continue;
            }
            if let Some(audience) = self.viewers_here(id).filter(|viewers| viewers.count() > 0) {
                viewers.insert(stream.name().clone(), audience);
            }
        }
        if let Some(service) = self.service_mut() {
            service.tell(reports, viewers);
        }
    }

    fn viewers_here(&self, id: StreamId) -> Option<Viewers> {
        let broadcast = self.streams.broadcast(id)?;
        let counts = broadcast.audience().counts();
        Some(Viewers {
            websocket: counts.websocket,
            http: counts.http,
            behind: counts.behind,
            sent_bytes: broadcast.traffic().sent_bytes(),
            skips: broadcast.traffic().skips(),
        })
    }

    /// Names of streams that are live in the whole service, those of other nodes among them.
    pub(super) fn with_names_elsewhere(&self, names: Names) -> Names {
        let Some(service) = self.service() else {
            return names;
        };
        let mut all: BTreeSet<Arc<str>> = names.into_iter().collect();
        all.extend(service.directory().names().cloned());
        all.into_iter().collect()
    }

    /// The report about a stream of the service: its node's own, and the viewers of all nodes. `None`
    /// without a service, or where the stream is in no other node's list and not here.
    pub(super) fn report_of_service(&self, name: &str, prefix: &BasePath) -> Option<StreamReport> {
        let service = self.service()?;
        let here = self.streams.find(name);
        let elsewhere = service.directory().viewers(name);
        let viewers = here
            .and_then(|id| self.viewers_here(id))
            .unwrap_or_default();
        let remote = service.directory().published(name);
        let remote = remote.filter(|_| service.epoch(name).is_none());
        let Some((published, node)) = remote else {
            let mut report = self.report(here?, prefix)?;
            report.node = report.live.then(|| service.node().clone());
            elsewhere.report(viewers, &mut report);
            return Some(report);
        };
        let mut report = published.report.clone();
        report.node = Some(node.clone());
        report.poster = format!("{prefix}/live/{name}/poster");
        elsewhere.report(viewers, &mut report);
        Some(report)
    }

    pub(super) fn say_goodbye_to_nodes(&mut self) {
        if let Some(service) = self.service_mut() {
            service.say_goodbye();
        }
    }

    pub(super) fn node_figures(&self) -> Option<metrics::Nodes> {
        self.service().map(Service::figures)
    }
}
