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

use crate::config;
use crate::hub::{HookAnswer, QUESTIONS_MAX, Question};
use crate::session::Verdict;
use mio::Waker;
use percent_encoding::percent_decode_str;
use std::io::{self, Read as _};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Questions asked at once: a hook that takes 20 ms then decides 200 a second.
const THREADS: usize = 4;

/// Bytes of each of a connection's two buffers, and of an answer's head.
const BUFFER_BYTES: usize = 16 << 10;

/// Bytes of an answer's body that are read, for the connection's sake: it can be used again then.
const BODY_BYTES_MAX: u64 = 16 << 10;

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
        let caller = Caller::new(options.url.expose());
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
    agent: ureq::Agent,
    url: String,
    authorization: Option<String>,
}

impl Caller {
    fn new(url: &str) -> Caller {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A hook that has moved must be configured with its new address. A redirect would turn
            // the question into a GET without a body.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Viewers' keys are for the hook alone, not for a proxy.
            .proxy(None)
            .user_agent(concat!("videostream/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections_per_host(THREADS)
            // Questions and answers are small, and the crate's own buffers are not.
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_response_header_size(BUFFER_BYTES)
            .build();
        let (url, authorization) = split_user_info(url);
        Caller {
            agent: config.into(),
            url,
            authorization,
        }
    }

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
        // A connection that was kept may be closed by the hook in the moment it is used again. Asking
        // twice does no harm.
        match self.call_once(letter) {
            Err(ureq::Error::Io(error)) if is_hang_up(error.kind()) => self.call_once(letter),
            result => result,
        }
        .map_err(|error| words(&error))
        .and_then(|status| match status {
            200..=299 => Ok(Verdict::Allowed),
            401 => Ok(Verdict::Unauthorized),
            403 => Ok(Verdict::Forbidden),
            other => Err(format!("it answered {other}")),
        })
    }

    /// The status that the hook answers with.
    fn call_once(&self, letter: &Letter) -> Result<u16, ureq::Error> {
        let left = letter.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // It waited behind too many others.
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        let mut request = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(left))
            .build()
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = request.send(&letter.question.body[..])?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().as_reader();
        // The body of the answer, readable or not, has no meaning.
        let _ = io::copy(&mut body.take(BODY_BYTES_MAX), &mut io::sink());
        Ok(status)
    }
}

fn is_hang_up(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        kind,
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// The crate's own messages may have the address in them.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::ConnectionFailed => "it refuses connections".to_owned(),
        ureq::Error::Protocol(_) => "it does not speak HTTP".to_owned(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            "it has no TLS connection that can be trusted".to_owned()
        }
        _ => "it cannot be asked".to_owned(),
    }
}

/// Splits `http://user:password@host/` into the address without credentials, and the header field
/// with them.
fn split_user_info(url: &str) -> (String, Option<String>) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((user_info, host)) = rest[..end].rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let pair: Vec<u8> = percent_decode_str(user_info).collect();
    let field = format!("Basic {}", STANDARD.encode(pair));
    (format!("{scheme}://{host}{}", &rest[end..]), Some(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_move_from_the_url_to_authorization() {
        let split = |url: &str| split_user_info(url);
        assert_eq!(split("http://h/a?b@c"), ("http://h/a?b@c".into(), None));
        assert_eq!(
            split("https://source:a%40b@h:1/x@y?z"),
            (
                "https://h:1/x@y?z".into(),
                Some("Basic c291cmNlOmFAYg==".into())
            )
        );
        assert_eq!(
            split("http://user@h"),
            ("http://h".into(), Some("Basic dXNlcg==".into()))
        );
    }
}
