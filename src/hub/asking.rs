//! Who has asked for something that the hook is to decide waits here, and costs nothing meanwhile.
//!
//! A connection in [`State::Asking`] is not read: what comes behind its request waits in the kernel.
//! It is answered by its serial number, never by its slot alone: the slot may be somebody else's by
//! the time the hook has made up its mind.

use super::verdicts::{QuestionId, Verdict, Verdicts};
use crate::config;
use crate::net::hook::{Answer, Hook, Question};
use crate::net::reactor::Reactor;
use crate::protocol::forwarded::counted_as;
use crate::protocol::http::RequestHead;
use crate::protocol::route::{Cause, Need, Refusal, Route};
use crate::session::{Connection, State};
use bytes::{Bytes, BytesMut};
use mio::Waker;
use std::collections::HashMap;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The hook has its own deadline. This is for what comes between: a name server, say.
const GRACE: Duration = Duration::from_millis(500);

/// How often trouble with the hook is told in the log. Each request may be the cause of some.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);

/// Waiters for one answer from which on those who have left are looked for among them.
const WAITERS_MANY: usize = 1024;

/// Questions of one client that wait for an answer: a quarter of what the hook's queue takes, so that
/// nobody who makes up keys keeps it from the others.
const QUESTIONS_OF_CLIENT_MAX: usize = 64;

/// A request that waits for the hook.
#[derive(Debug)]
pub struct Asking {
    pub head: RequestHead,
    pub route: Route,
    /// What came behind the head with it.
    pub rest: BytesMut,
    pub deadline: Instant,
    /// What the hook has said, until the request has its turn; of `Some(None)`, that it has not.
    pub said: Option<Option<Verdict>>,
    serial: u64,
}

impl Asking {
    /// Bytes of memory that it takes, about: what a client can make long.
    pub fn held_bytes(&self) -> usize {
        let head = &self.head;
        let keys = head.keys.iter().chain(&head.token);
        let texts = [&head.host, &head.origin, &head.user, &head.forwarded_for];
        mem::size_of::<Asking>()
            + self.rest.capacity()
            + head.path.len()
            + keys.map(|key| key.expose().len()).sum::<usize>()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

/// The hook, and what hangs on its answers.
#[derive(Debug)]
pub struct Porter {
    hook: Hook,
    verdicts: Verdicts,
    waiting: HashMap<QuestionId, Waiting>,
    /// Questions in `waiting` by their client. Invariant: never 0.
    open: HashMap<IpAddr, usize>,
    serial: u64,
    complained_at: Option<Instant>,
}

/// Those who wait for the same answer.
#[derive(Debug)]
struct Waiting {
    /// The client, as it is counted. The question names it, so it is the same for all.
    client: Option<IpAddr>,
    /// Slots and serial numbers. Some may have left.
    who: Vec<(usize, u64)>,
}

/// What can be said of a wish at once.
enum Leave {
    Decided(Verdict),
    /// In time it will be. The serial number is the waiter's.
    Asked(u64),
    /// Too many ask.
    Busy,
}

impl Porter {
    pub fn new(options: &config::Hook, waker: Waker) -> io::Result<Porter> {
        Ok(Porter {
            hook: Hook::start(options, waker)?,
            verdicts: Verdicts::new(options.cache),
            waiting: HashMap::new(),
            open: HashMap::new(),
            serial: 0,
            complained_at: None,
        })
    }

    /// `is_waiting` tells by slot and serial number who still does.
    fn ask(
        &mut self,
        id: usize,
        question: &Question,
        now: Instant,
        is_waiting: impl Fn(usize, u64) -> bool,
    ) -> Leave {
        let question_id = Hook::id(question);
        if let Some(verdict) = self.verdicts.find(&question_id, now) {
            return Leave::Decided(verdict);
        }
        // Who asks the same as another waits for the same answer.
        if !self.waiting.contains_key(&question_id) {
            let client = question.address.map(counted_as);
            let open = client.map_or(0, |client| self.open.get(&client).copied().unwrap_or(0));
            if open >= QUESTIONS_OF_CLIENT_MAX || self.hook.ask(question, question_id).is_err() {
                return Leave::Busy;
            }
            if let Some(client) = client {
                self.open.insert(client, open + 1);
            }
            let who = Vec::new();
            self.waiting.insert(question_id, Waiting { client, who });
        }
        self.serial += 1;
        if let Some(Waiting { who, .. }) = self.waiting.get_mut(&question_id) {
            // A peer that asks and leaves, again and again, would fill memory. Looking each time their
            // number has doubled costs next to nothing.
            if who.len() >= WAITERS_MANY && who.len().is_power_of_two() {
                who.retain(|&(id, serial)| is_waiting(id, serial));
            }
            who.push((id, self.serial));
        }
        Leave::Asked(self.serial)
    }

    /// Notes an answer. Returns who waits for it.
    fn hear(&mut self, answer: &Answer, now: Instant) -> Vec<(usize, u64)> {
        match (answer.verdict, &answer.trouble) {
            (Some(verdict), _) => self.verdicts.remember(answer.id, verdict, now),
            (None, trouble) => {
                let is_time = self
                    .complained_at
                    .is_none_or(|at| now.saturating_duration_since(at) >= COMPLAINT_PAUSE);
                if is_time {
                    self.complained_at = Some(now);
                    let trouble = trouble.as_deref().unwrap_or_default();
                    tracing::warn!(trouble, "--auth-url cannot be asked: nobody is let in");
                }
            }
        }
        let Some(Waiting { client, who }) = self.waiting.remove(&answer.id) else {
            return Vec::new();
        };
        if let Some(client) = client
            && let Some(open) = self.open.get_mut(&client)
        {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&client);
            }
        }
        who
    }
}

/// Whether this is the one who waits with this serial number.
fn waits(connection: &Connection, serial: u64) -> bool {
    matches!(&connection.state, State::Asking(asking) if asking.serial == serial)
}

impl Reactor {
    /// Serves a request for which keys and tokens are right, once the hook lets it.
    pub(crate) fn serve_if_let(
        &mut self,
        id: usize,
        head: &RequestHead,
        rest: BytesMut,
        route: Route,
    ) -> Result<(), Refusal> {
        let (Some(porter), Some(need)) = (&mut self.porter, route.need()) else {
            return self.serve(id, head, rest, route);
        };
        let (action, stream) = match need {
            Need::Publish(name) => ("publish", Some(name.as_str())),
            Need::Watch(name) => ("watch", Some(name.as_str())),
            Need::List => ("list", None),
        };
        let peer = self.connections[id].client;
        let client = self.proxies.client(peer, head.forwarded_for.as_deref());
        let question = Question {
            action,
            stream,
            address: Some(client),
            user: head.user.as_deref(),
            key: head.keys.first().map(|key| key.expose()),
            token: head.token.as_ref().map(|token| token.expose()),
        };
        let connections = &self.connections;
        let is_waiting = |id, serial| connections.get(id).is_some_and(|it| waits(it, serial));
        let serial = match porter.ask(id, &question, self.now, is_waiting) {
            Leave::Asked(serial) => serial,
            Leave::Decided(verdict) => return self.obey(id, Some(verdict), head, rest, route),
            Leave::Busy => return self.obey(id, None, head, rest, route),
        };
        self.counters.auth_waits += 1;
        let deadline = self.now + porter.hook.timeout() + GRACE;
        self.connections[id].state = State::Asking(Box::new(Asking {
            head: head.clone(),
            route,
            rest,
            deadline,
            said: None,
            serial,
        }));
        Ok(())
    }

    /// Serves or refuses a request as the hook has decided. `None`: it has not, and so nobody is let
    /// in.
    fn obey(
        &mut self,
        id: usize,
        verdict: Option<Verdict>,
        head: &RequestHead,
        rest: BytesMut,
        route: Route,
    ) -> Result<(), Refusal> {
        let refusal = match verdict {
            Some(Verdict::Allowed) => return self.serve(id, head, rest, route),
            Some(Verdict::Unauthorized) => Refusal::unauthorized().because(Cause::Hook),
            Some(Verdict::Forbidden) => {
                Refusal::forbidden("you may not do this here").because(Cause::Hook)
            }
            None => Refusal::undecided(),
        };
        match verdict {
            Some(_) => self.counters.auth_refused += 1,
            None => self.counters.auth_failed += 1,
        }
        if route.need() == Some(Need::List) {
            // As with keys: who may watch nothing sees no names, and is asked for no password. And
            // what the hook is doing must be seen when it is down.
            self.tell_streams(id, head, rest, &route, Vec::new(), true);
            return Ok(());
        }
        Err(refusal)
    }

    /// Hears what the hook has decided. The requests that waited for it have their turn like those that
    /// have just come: many may have waited for one answer.
    pub(crate) fn hear_verdicts(&mut self) {
        while let Some(porter) = &mut self.porter
            && let Some(answer) = porter.hook.poll()
        {
            let waiters = porter.hear(&answer, self.now);
            for (id, serial) in waiters {
                self.note_verdict(id, serial, answer.verdict);
            }
        }
    }

    /// Queues a request that waits, if it still does.
    fn note_verdict(&mut self, id: usize, serial: u64, verdict: Option<Verdict>) {
        if let Some(connection) = self.connections.get_mut(id)
            && let State::Asking(asking) = &mut connection.state
            && asking.serial == serial
        {
            asking.said.get_or_insert(verdict);
            connection.can_read = true;
            self.queue_read(id);
        }
    }

    /// One that waited has its turn.
    fn decide(&mut self, id: usize, verdict: Option<Verdict>) {
        let connection = &mut self.connections[id];
        let state = mem::replace(&mut connection.state, State::Requesting(BytesMut::new()));
        let State::Asking(asking) = state else {
            return;
        };
        // Nothing has been read since, so that nothing is known of what there is to read: what came
        // behind the head is here, or in the kernel.
        connection.can_read = true;
        let Asking {
            head, route, rest, ..
        } = *asking;
        let behind = Bytes::copy_from_slice(&rest);
        if let Err(refusal) = self.obey(id, verdict, &head, rest, route) {
            self.refuse_request(id, refusal, &head, behind);
        }
    }

    /// It took longer than it may.
    pub(crate) fn give_up_asking(&mut self, id: usize) {
        if let State::Asking(asking) = &self.connections[id].state {
            self.note_verdict(id, asking.serial, None);
        }
    }

    /// Requests that wait for the hook now.
    pub(crate) fn waiters(&self) -> u64 {
        let is_waiting = |(_, one): &(usize, &Connection)| matches!(one.state, State::Asking(_));
        match self.porter {
            Some(_) => self.connections.iter().filter(is_waiting).count() as u64,
            None => 0,
        }
    }

    /// Goes on with a request that the hook has decided; of another, sees whether it has left. Nothing is
    /// taken from its socket.
    pub(crate) fn look_after_waiter(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        if let State::Asking(asking) = &connection.state
            && let Some(verdict) = asking.said
        {
            return self.decide(id, verdict);
        }
        match connection.socket.peek() {
            Ok(0) => self.drop_connection(id),
            // For later. If it has left behind these bytes, that is seen when they have been read.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => connection.can_read = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.drop_connection(id),
        }
    }
}
