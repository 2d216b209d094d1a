//! Requests that wait for the web hook go on when it has answered.
//!
//! Many may wait for one answer: each has its turn like a request that has just come.

use super::Hub;
use super::authorizer::{HookAnswer, Question};
use crate::session::{QuestionId, SessionId, Socket, State, Verdict};
use bytes::BytesMut;
use std::io;
use std::mem;

impl<S: Socket> Hub<S> {
    /// The next question for the web hook. Its answer goes to [`Hub::hear`].
    pub fn poll_question(&mut self) -> Option<Question> {
        self.authorizer.as_mut()?.poll()
    }

    /// Takes an answer of the web hook.
    pub fn hear(&mut self, answer: &HookAnswer) {
        let Some(authorizer) = &mut self.authorizer else {
            return;
        };
        for id in authorizer.hear(answer, self.clock.now()) {
            self.decide(id, &answer.id, answer.verdict);
        }
    }

    /// Queues a request that waits for the answer to this question, if the request still waits.
    fn decide(&mut self, id: SessionId, question: &QuestionId, verdict: Option<Verdict>) {
        if let Some(session) = self.sessions.get_mut(id)
            && let State::Pending(pending) = &mut session.state
            && pending.question() == question
        {
            pending.decide(verdict);
            session.can_read = true;
            self.queues.push_read(session);
        }
    }

    /// The hook took longer than its deadline.
    pub(super) fn give_up_pending(&mut self, id: SessionId) {
        if let State::Pending(pending) = &self.sessions[id].state {
            let question = *pending.question();
            self.decide(id, &question, None);
        }
    }

    /// Goes on with a decided request. For an undecided one, checks whether its peer has left. The
    /// socket keeps its bytes.
    pub(super) fn read_pending(&mut self, id: SessionId) {
        let session = &mut self.sessions[id];
        if matches!(&session.state, State::Pending(pending) if pending.is_decided()) {
            return self.resume(id);
        }
        match session.socket.peek() {
            Ok(0) => self.drop_session(id),
            // These bytes are for later. If the peer has left behind them, a later read shows it.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => session.can_read = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.drop_session(id),
        }
    }

    fn resume(&mut self, id: SessionId) {
        let session = &mut self.sessions[id];
        let state = mem::replace(&mut session.state, State::Requesting(BytesMut::new()));
        let State::Pending(pending) = state else {
            return;
        };
        // No read has happened since, so the state of the socket is unknown: what came behind the
        // head is here, or in the kernel.
        session.can_read = true;
        let (request, verdict) = pending.into_parts();
        let permitted = self.judge(verdict);
        self.finish_request(id, request, permitted);
    }

    /// Requests that wait for the hook now.
    pub(super) fn pending_requests(&self) -> u64 {
        match self.authorizer {
            Some(_) => {
                let sessions = self.sessions.iter();
                let pending = sessions.filter(|one| matches!(one.state, State::Pending(_)));
                pending.count() as u64
            }
            None => 0,
        }
    }
}
