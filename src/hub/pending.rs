//! Requests that wait for the web hook go on when it has answered.
//!
//! Many may wait for one answer: each has its turn like a request that has just come.

use super::Hub;
use super::authorizer::{HookAnswer, Question};
use crate::session::{QuestionId, SessionId, Socket, Verdict};

impl<S: Socket> Hub<S> {
    /// The next question for the web hook. Its answer goes to [`Hub::hook_answered`].
    pub fn poll_question(&mut self) -> Option<Question> {
        self.authorizer.as_mut()?.poll()
    }

    /// Takes an answer of the web hook.
    pub fn hook_answered(&mut self, answer: &HookAnswer) {
        let Some(authorizer) = &mut self.authorizer else {
            return;
        };
        for id in authorizer.answered(answer, self.clock.now()) {
            self.decide(id, &answer.id, answer.verdict);
        }
    }

    /// Queues a request that waits for the answer to this question, if the request still waits.
    fn decide(&mut self, id: SessionId, question: &QuestionId, verdict: Option<Verdict>) {
        if let Some(session) = self.sessions.get_mut(id)
            && session.decide(question, verdict)
        {
            self.queues.push_read(session);
        }
    }

    /// The hook took longer than its deadline.
    pub(super) fn time_out_pending(&mut self, id: SessionId) {
        if let Some(pending) = self.sessions[id].pending() {
            let question = *pending.question();
            self.decide(id, &question, None);
        }
    }

    /// Goes on with a decided request. For an undecided one, checks whether its peer has left. The
    /// socket keeps its bytes.
    pub(super) fn read_pending(&mut self, id: SessionId) {
        let session = &mut self.sessions[id];
        if session.pending().is_some_and(|one| one.is_decided()) {
            self.resume(id);
        } else if session.has_peer_left() {
            self.drop_session(id);
        }
    }

    fn resume(&mut self, id: SessionId) {
        let Some((request, verdict)) = self.sessions[id].take_pending(self.clock.now()) else {
            return;
        };
        let permitted = self.judge(verdict);
        self.finish_request(id, request, permitted);
    }

    /// Requests that wait for the hook now.
    pub(super) fn pending_requests(&self) -> u64 {
        match self.authorizer {
            Some(_) => {
                let sessions = self.sessions.iter();
                let pending = sessions.filter(|one| one.pending().is_some());
                pending.count() as u64
            }
            None => 0,
        }
    }
}
