//! Leases of the streams that are published on this node.

use super::following::Now;
use super::lease::{self, Change, Holder, Lease, Request};
use super::message::Message;
use super::publishing::Publishing;
use super::subjects::Subjects;
use super::{Action, Order, Purpose, REPLACED_AFTER, Service, TAKES_OVER};
use crate::offline_reason::OfflineReason;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

impl Service {
    /// The server has answered a request about a lease.
    pub(super) fn receive_lease(
        &mut self,
        ticket: u64,
        name: &Arc<str>,
        message: &Message,
        now: Instant,
    ) {
        let next = self.next_ticket;
        let Some(publishing) = self.published.get_mut(name) else {
            return;
        };
        let (request, change) = publishing.lease.answer(ticket, message, next, now);
        if let Some(request) = request {
            self.ask_for_lease(name, request);
        }
        match change {
            Some(Change::Taken(epoch)) => self.lease_taken(name, epoch),
            Some(Change::Lost(epoch)) => self.lease_lost(name, epoch, now),
            Some(Change::HasBucket) => self.has_bucket = true,
            None => {}
        }
    }

    /// Asks for leases that are due, and gives up publishers whose lease is lost.
    pub(super) fn tick_leases(&mut self, now: Instant) {
        let names: Vec<Arc<str>> = self.published.keys().cloned().collect();
        for name in names {
            let ticket = self.next_ticket;
            let Some(publishing) = self.published.get_mut(&name) else {
                continue;
            };
            if publishing.replaced_at.is_some_and(|at| at <= now) {
                publishing.replaced_at = Some(now + REPLACED_AFTER);
                self.orders
                    .push_back(Order::Replaced { name: name.clone() });
            }
            if publishing.lease.poll_missed(now) {
                self.orders.push_back(Order::NoLease { name: name.clone() });
            }
            self.has_bucket &= !publishing.lease.is_unanswered(now);
            if let Some(request) = publishing.lease.poll(ticket, self.has_bucket, now) {
                self.ask_for_lease(&name, request);
            }
        }
    }

    /// Makes a request, with the next ticket.
    fn ask_for_lease(&mut self, name: &Arc<str>, request: Request) {
        let Some(publishing) = self.published.get(name) else {
            return;
        };
        let message = lease_message(&self.subjects, name, publishing.lease.holder(), &request);
        self.ask(message, Purpose::Lease(name.clone()));
    }

    fn lease_taken(&mut self, name: &Arc<str>, epoch: u64) {
        let Some(publishing) = self.published.get_mut(name) else {
            return;
        };
        publishing.begin_epoch();
        let takes_over = publishing.lease.holder().takes_over;
        if !mem::replace(&mut publishing.is_subscribed, true) {
            let subjects = [
                self.subjects.join(name),
                self.subjects.order(name),
                self.subjects.picture(name),
                self.subjects.news(name),
            ];
            self.actions.extend(subjects.map(Action::Subscribe));
        }
        let mut news = Message::new(self.subjects.news(name), Vec::new());
        news.set("e", epoch);
        news.set("i", &self.settings.instance);
        if takes_over {
            news.set(TAKES_OVER, 1);
        }
        self.publish(news, false);
    }

    /// The newer publisher's media, under this epoch, come over the bus and replace the one here; if they do
    /// not come, it ends all the same.
    pub(super) fn lease_lost(&mut self, name: &str, epoch: u64, now: Instant) {
        let Some((name, publishing)) = self
            .published
            .get_mut(name)
            .map(|publishing| (Arc::<str>::from(name), publishing))
        else {
            return;
        };
        self.figures.leases_lost += 1;
        publishing.replaced_at = Some(now + REPLACED_AFTER);
        Self::unsubscribe_publisher(&self.subjects, &name, publishing, &mut self.actions);
        self.tend_follower(&name, epoch, now);
    }

    fn unsubscribe_publisher(
        subjects: &Subjects,
        name: &str,
        publishing: &mut Publishing,
        actions: &mut Vec<Action>,
    ) {
        if mem::take(&mut publishing.is_subscribed) {
            let subjects = [
                subjects.join(name),
                subjects.order(name),
                subjects.picture(name),
                subjects.news(name),
            ];
            actions.extend(subjects.map(Action::Unsubscribe));
        }
    }

    /// A publisher of this node went on air.
    pub fn publisher_came(&mut self, name: &Arc<str>, now: Now) {
        let holder = Holder {
            node: self.settings.node.to_string(),
            instance: self.settings.instance.to_string(),
            since_ms: now.unix_ms,
            age_ms: 0,
            epoch: None,
            takes_over: false,
        };
        let lease = Lease::new(holder, self.payload_max.is_some(), now.instant);
        let before = self.published.insert(name.clone(), Publishing::new(lease));
        if let Some(mut before) = before {
            Self::unsubscribe_publisher(&self.subjects, name, &mut before, &mut self.actions);
        }
        self.tend_follower(name, 0, now.instant);
    }

    /// The publisher of this node is gone. Its last chunks have been passed on.
    pub fn publisher_left(&mut self, name: &Arc<str>, reason: OfflineReason, now: Now) {
        let Some(mut publishing) = self.published.remove(name) else {
            return;
        };
        if let Some(mut end) = publishing.end(self.subjects.media(name), now) {
            end.payload = serde_json::to_vec(&reason).unwrap_or_default().into();
            self.publish(end, true);
        }
        if let Some(request) = publishing.lease.release() {
            let holder = publishing.lease.holder();
            let message = lease_message(&self.subjects, name, holder, &request);
            self.publish(message, false);
        }
        Self::unsubscribe_publisher(&self.subjects, name, &mut publishing, &mut self.actions);
        self.tell_at = now.instant;
        self.tend_follower(name, publishing.lease.last_epoch(), now.instant);
    }
}

/// A request for a lease.
fn lease_message(subjects: &Subjects, name: &str, holder: &Holder, request: &Request) -> Message {
    let write = |expected: u64, payload: Vec<u8>| {
        let mut message = Message::new(subjects.write_lease(name), payload);
        message.set("Nats-Expected-Last-Subject-Sequence", expected);
        message
    };
    match *request {
        Request::Read => Message::new(subjects.read_lease(name), Vec::new()),
        Request::Write { expected } => {
            write(expected, serde_json::to_vec(holder).unwrap_or_default())
        }
        Request::Release { expected } => {
            let mut message = write(expected, Vec::new());
            message.set("KV-Operation", "DEL");
            message
        }
        Request::CreateBucket => {
            let age_ns = lease::MAX_AGE.as_nanos() as u64;
            let text = serde_json::json!({
                "name": subjects.bucket(), "subjects": [subjects.bucket_subjects()],
                "storage": "file", "retention": "limits", "max_msgs_per_subject": 1,
                "max_age": age_ns, "duplicate_window": age_ns, "discard": "new",
                "allow_direct": true, "allow_rollup_hdrs": true, "deny_delete": true,
                "num_replicas": 1, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
            });
            Message::new(subjects.create_bucket(), text.to_string())
        }
    }
}
