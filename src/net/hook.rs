//! The web hook (`--auth-url`): asked on threads of its own, because an answer may take seconds and
//! the loop must not.
//!
//! ```text
//! loop ──── Question ─► [at most 256] ─► one of 4 threads ─ POST ─► the hook
//!    ▲                                         │
//!    └──────── waker, answer ◄─────────────────┘
//! ```
//!
//! Any answer but a plain yes or no is [`HookAnswer::verdict`] `None`, and refuses the request.

use super::web_hook::WebHook;
use crate::config;
use crate::hub::{HookAnswer, QUESTIONS_MAX, Question};
use crate::session::Verdict;
use mio::Waker;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Questions asked at once: a hook that takes 20 ms then decides 200 a second.
const THREADS: usize = 4;

/// On its way to a thread.
struct Letter {
    question: Question,
    /// After this time no session waits for it.
    deadline: Instant,
}

/// The threads, from outside. They end once this is gone, and their last question answered.
#[derive(Debug)]
pub struct HookThreads {
    letters: SyncSender<Letter>,
    answers: Receiver<HookAnswer>,
    timeout: Duration,
}

impl HookThreads {
    /// `waker` is called for each answer.
    pub fn start(options: &config::Hook, waker: Arc<Waker>) -> io::Result<HookThreads> {
        let (letters, incoming) = mpsc::sync_channel(QUESTIONS_MAX);
        let (outgoing, answers) = mpsc::channel();
        let incoming = Arc::new(Mutex::new(incoming));
        let caller = Caller {
            hook: WebHook::new(&options.url, THREADS),
        };
        for _ in 0..THREADS {
            let (incoming, outgoing) = (Arc::clone(&incoming), outgoing.clone());
            let (waker, caller) = (Arc::clone(&waker), caller.clone());
            thread::Builder::new()
                .name("auth hook".to_owned())
                .spawn(move || caller.work(&incoming, &outgoing, &waker))?;
        }
        Ok(HookThreads {
            letters,
            answers,
            timeout: options.timeout,
        })
    }

    /// Queues a question. An answer returned at once means that it is not asked.
    pub fn ask(&self, question: Question) -> Result<(), HookAnswer> {
        let letter = Letter {
            question,
            // By the threads' clock: the loop's own is behind it once the server has stood still.
            deadline: Instant::now() + self.timeout,
        };
        // The hub keeps to QUESTIONS_MAX, and the threads live as long as the channel.
        self.letters.try_send(letter).map_err(|error| {
            let (TrySendError::Full(letter) | TrySendError::Disconnected(letter)) = error;
            HookAnswer {
                id: letter.question.id,
                verdict: None,
                trouble: Some("too many questions wait for it".to_owned()),
            }
        })
    }

    /// The next answer that has come.
    pub fn poll(&self) -> Option<HookAnswer> {
        self.answers.try_recv().ok()
    }
}

/// What a thread needs to ask.
#[derive(Clone)]
struct Caller {
    hook: WebHook,
}

impl Caller {
    fn work(&self, letters: &Mutex<Receiver<Letter>>, answers: &Sender<HookAnswer>, waker: &Waker) {
        loop {
            let next = letters
                .lock()
                .expect("no thread panics while it waits for a question")
                .recv();
            let Ok(letter) = next else { return };
            let (verdict, trouble) = match self.call(&letter) {
                Ok(verdict) => (Some(verdict), None),
                Err(trouble) => (None, Some(trouble)),
            };
            let answer = HookAnswer {
                id: letter.question.id,
                verdict,
                trouble,
            };
            // The receiver is gone when the server has ended.
            if answers.send(answer).is_err() || waker.wake().is_err() {
                return;
            }
        }
    }

    fn call(&self, letter: &Letter) -> Result<Verdict, String> {
        // Asking twice does no harm.
        let status = self.hook.post(&letter.question.body, letter.deadline, &[]);
        match status? {
            200..=299 => Ok(Verdict::Allowed),
            401 => Ok(Verdict::Unauthorized),
            403 => Ok(Verdict::Forbidden),
            other => Err(format!("it answered {other}")),
        }
    }
}
