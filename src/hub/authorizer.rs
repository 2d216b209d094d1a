//! The questions for the web hook, and the requests that wait for its answers.
//!
//! ```text
//! requests ─► ask ─► Decided            the verdict is known
//!               ├──► Asked ─► poll ─► (net asks the hook) ─► answered ─► the sessions that wait
//!               └──► Busy               too many questions are open
//! ```

use super::settings::HookSettings;
use super::verdicts::Verdicts;
use crate::http::RequestHead;
use crate::http::forwarded::counted_as;
use crate::routes::Permission;
use crate::session::{QuestionId, SessionId, Verdict};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The hook has its own deadline. This is for what comes between: a name server, say.
const GRACE: Duration = Duration::from_millis(500);

/// Least time between two log lines about trouble with the hook. Each request may cause trouble.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);

/// Number of waiters for one answer from which on the closed sessions among them are removed.
const WAITERS_MANY: usize = 1024;

/// Questions without an answer: 256 that wait for one of the four threads, and those that the threads
/// are asking. A later one would hardly be answered in time.
pub const QUESTIONS_MAX: usize = 256 + 4;

/// Questions of one client without an answer: a quarter of all, so that a client that makes up keys
/// leaves room for the others.
const QUESTIONS_OF_CLIENT_MAX: usize = 64;

/// A question on its way to the hook. No `Debug`: a key may be in it.
pub struct Question {
    pub id: QuestionId,
    /// JSON.
    pub body: Vec<u8>,
}

/// The answer to one question.
#[derive(Debug)]
pub struct HookAnswer {
    pub id: QuestionId,
    /// `None` when nothing is decided.
    pub verdict: Option<Verdict>,
    /// Why not, in words that name neither the hook's address nor what it was asked.
    pub trouble: Option<String>,
}

/// The question that the hook receives, as JSON.
#[derive(Serialize)]
struct QuestionBody<'a> {
    /// `publish`, `watch` or `list`.
    action: &'static str,
    /// `null` for `list`.
    stream: Option<&'a str>,
    address: Option<IpAddr>,
    /// Of Basic authentication.
    user: Option<&'a str>,
    key: Option<&'a str>,
    token: Option<&'a str>,
}

impl QuestionBody<'_> {
    fn to_question(&self) -> Question {
        let body = serde_json::to_vec(self).expect("a question has string keys alone");
        Question {
            id: Sha256::digest(&body).into(),
            body,
        }
    }
}

/// What is known about a request at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Decided(Verdict),
    /// The hook is being asked.
    Waits {
        question: QuestionId,
        deadline: Instant,
    },
    /// Too many questions are open.
    Busy,
}

#[derive(Debug)]
pub struct Authorizer {
    timeout: Duration,
    verdicts: Verdicts,
    waiting: HashMap<QuestionId, OpenQuestion>,
    /// Questions in `waiting` by their client. Invariant: never 0.
    open: HashMap<IpAddr, usize>,
    /// Questions that the hook has not been asked yet.
    outgoing: VecDeque<Question>,
    warned_at: Option<Instant>,
}

/// Sessions that wait for the same answer.
#[derive(Debug)]
struct OpenQuestion {
    /// The client, as it is counted. The question names it, so it is the same for all.
    client: IpAddr,
    /// Some of these sessions may be gone.
    sessions: Vec<SessionId>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a question")
    }
}

/// A request that the hook decides about.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub session: SessionId,
    pub permission: Permission<'a>,
    pub head: &'a RequestHead,
    pub client: IpAddr,
}

impl Authorizer {
    pub fn new(settings: HookSettings) -> Authorizer {
        Authorizer {
            timeout: settings.timeout,
            verdicts: Verdicts::new(settings.cache),
            waiting: HashMap::new(),
            open: HashMap::new(),
            outgoing: VecDeque::new(),
            warned_at: None,
        }
    }

    /// Asks whether a request is permitted. `is_waiting` tells which sessions still
    /// wait for a question's answer.
    pub fn ask(
        &mut self,
        asking: Asking<'_>,
        now: Instant,
        is_waiting: impl Fn(SessionId, &QuestionId) -> bool,
    ) -> Asked {
        let Asking {
            session,
            permission,
            head,
            client,
        } = asking;
        let (action, stream) = match permission {
            Permission::Publish(name) => ("publish", Some(name.as_str())),
            Permission::Watch(name) => ("watch", Some(name.as_str())),
            Permission::List => ("list", None),
        };
        let body = QuestionBody {
            action,
            stream,
            address: Some(client),
            user: head.user.as_deref(),
            key: head.keys.first().map(|key| key.expose()),
            token: head.token.as_ref().map(|token| token.expose()),
        };
        let question = body.to_question();
        let id = question.id;
        if let Some(verdict) = self.verdicts.find(&id, now) {
            return Asked::Decided(verdict);
        }
        // A request that asks the same as another one waits for the same answer.
        let Some(OpenQuestion { sessions, .. }) = self.waiting.get_mut(&id) else {
            let client = counted_as(client);
            let open = self.open.get(&client).copied().unwrap_or(0);
            if open >= QUESTIONS_OF_CLIENT_MAX || self.waiting.len() >= QUESTIONS_MAX {
                return Asked::Busy;
            }
            self.open.insert(client, open + 1);
            let sessions = vec![session];
            self.waiting.insert(id, OpenQuestion { client, sessions });
            self.outgoing.push_back(question);
            return self.waits(id, now);
        };
        // A peer that asks and leaves, again and again, would fill memory. Looking each time their
        // number has doubled costs next to nothing.
        if sessions.len() >= WAITERS_MANY && sessions.len().is_power_of_two() {
            sessions.retain(|&other| is_waiting(other, &id));
        }
        sessions.push(session);
        self.waits(id, now)
    }

    fn waits(&self, question: QuestionId, now: Instant) -> Asked {
        Asked::Waits {
            question,
            deadline: now + self.timeout + GRACE,
        }
    }

    /// Questions without an answer.
    #[cfg(feature = "testing")]
    pub fn questions(&self) -> usize {
        self.waiting.len()
    }

    /// The next question for the hook.
    pub fn poll(&mut self) -> Option<Question> {
        self.outgoing.pop_front()
    }

    /// Notes an answer. Returns the sessions that waited for it; some may have left.
    pub fn answered(&mut self, answer: &HookAnswer, now: Instant) -> Vec<SessionId> {
        match (answer.verdict, &answer.trouble) {
            (Some(verdict), _) => self.verdicts.remember(answer.id, verdict, now),
            (None, trouble) => {
                let is_time = self
                    .warned_at
                    .is_none_or(|at| now.saturating_duration_since(at) >= COMPLAINT_PAUSE);
                if is_time {
                    self.warned_at = Some(now);
                    let trouble = trouble.as_deref().unwrap_or_default();
                    tracing::warn!(trouble, "--auth-url gave no verdict: its requests get 503");
                }
            }
        }
        let Some(OpenQuestion { client, sessions }) = self.waiting.remove(&answer.id) else {
            return Vec::new();
        };
        if let Some(open) = self.open.get_mut(&client) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&client);
            }
        }
        sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_has_action_stream_address_and_credentials() {
        let body = QuestionBody {
            action: "watch",
            stream: Some("demo"),
            address: Some("203.0.113.9".parse().unwrap()),
            user: None,
            key: None,
            token: Some("a.b.c"),
        };
        assert_eq!(
            String::from_utf8(body.to_question().body).unwrap(),
            "{\"action\":\"watch\",\"stream\":\"demo\",\"address\":\"203.0.113.9\",\"user\":null,\
             \"key\":null,\"token\":\"a.b.c\"}"
        );
    }
}
