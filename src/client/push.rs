//! `videostream push`: a file goes on air as if it were live.
//!
//! The file's bytes go out unchanged, each block when its timestamp says (see `pace`). Standard
//! input goes out as it comes: its writer is live already, or in a hurry.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::address::Address;
use super::interrupt::Interrupt;
use super::pace::Pacer;
use super::progress::Progress;
use super::say;
use super::trust::{Trust, TrustError};
use super::uplink::{self, Uplink, UplinkError};
use crate::secret::Secret;
use crate::webm::WebmError;

/// Bytes read at once, and so the most that one message takes: far below any server's limit.
const READ_BYTES: usize = 64 * 1024;

/// How often to read the server's messages while standard input is silent.
const LISTEN_INTERVAL: Duration = Duration::from_millis(20);

/// How soon a signal takes effect while nothing is due.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// How long to wait for the end of an element that standard input is in the middle of, once a
/// signal asks for the end.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// What to publish, and how.
#[derive(Debug)]
pub struct Push {
    pub source: Source,
    pub address: Address,
    pub key: Option<Secret>,
    pub trust: Trust,
    /// Media that leaves at once.
    pub chunk: Duration,
}

#[derive(Debug)]
pub enum Source {
    File { path: PathBuf, repeat: bool },
    Stdin,
}

/// Why a push ended before its file.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("{file}: {source}")]
    Read { file: String, source: io::Error },
    #[error("{file}: {error}")]
    Webm { file: String, error: WebmError },
    #[error("{file} has no block to send")]
    NoBlocks { file: String },
    #[error("{file} ends inside an element, so it cannot be looped")]
    CannotLoop { file: String },
    #[error("signals cannot be handled: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("{address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("{address}: {error}")]
    Uplink { address: String, error: UplinkError },
}

impl PushError {
    /// Whether the command line was wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, PushError::Trust(_))
    }
}

/// Publishes until the source ends, the server refuses, or a signal asks for the end: then the stream
/// is closed behind its last whole element. Progress and what the server says go to standard error.
pub fn push(push: &Push) -> Result<(), PushError> {
    match &push.source {
        Source::File { path, repeat } => {
            let mut media = MediaFile::open(path, *repeat)?;
            // Before the connection opens: a file that is no WebM must not take a live stream over.
            media.read_first_block()?;
            PushConnection::open(push)?.send_file(media, push.chunk)
        }
        Source::Stdin => PushConnection::open(push)?.send_stdin(),
    }
}

/// A file that is played, perhaps again and again.
struct MediaFile {
    name: String,
    file: File,
    repeat: bool,
    pacer: Pacer,
}

impl MediaFile {
    fn open(path: &Path, repeat: bool) -> Result<MediaFile, PushError> {
        let name = path.display().to_string();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(source) => return Err(PushError::Read { file: name, source }),
        };
        let mut media = MediaFile {
            name,
            file,
            repeat: false,
            pacer: Pacer::new(),
        };
        if repeat {
            media.check_loops()?;
        }
        Ok(MediaFile {
            repeat,
            pacer: Pacer::new(),
            ..media
        })
    }

    /// Reads the whole file once: better to fail now than on air.
    fn check_loops(&mut self) -> Result<(), PushError> {
        while self.read()? {
            self.pacer.take(u64::MAX);
        }
        if !self.pacer.is_between_elements() {
            return Err(PushError::CannotLoop {
                file: self.name.clone(),
            });
        }
        self.rewind()
    }

    fn read_first_block(&mut self) -> Result<(), PushError> {
        while self.pacer.next_due_ms().is_none() {
            if !self.read()? {
                return Err(PushError::NoBlocks {
                    file: self.name.clone(),
                });
            }
        }
        Ok(())
    }

    /// Reads the next piece; `false` at the end of a file that is not looped.
    fn read(&mut self) -> Result<bool, PushError> {
        let mut buffer = vec![0; READ_BYTES];
        let length = match read_some(&mut self.file, &mut buffer) {
            Ok(0) if self.repeat => {
                self.rewind()?;
                return Ok(true);
            }
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(source) => return Err(self.read_error(source)),
        };
        buffer.truncate(length);
        let pushed = self.pacer.push(buffer.into());
        pushed.map_err(|error| PushError::Webm {
            file: self.name.clone(),
            error,
        })?;
        Ok(true)
    }

    fn rewind(&mut self) -> Result<(), PushError> {
        self.file.rewind().map_err(|source| self.read_error(source))
    }

    fn read_error(&self, source: io::Error) -> PushError {
        PushError::Read {
            file: self.name.clone(),
            source,
        }
    }
}

/// A connection that publishes, and its progress report.
struct PushConnection {
    uplink: Box<dyn Uplink>,
    address: String,
    progress: Progress,
    interrupt: Interrupt,
}

impl PushConnection {
    fn open(push: &Push) -> Result<PushConnection, PushError> {
        let address = push.address.to_string();
        let tls = push.trust.config_if(push.address.is_encrypted)?;
        let stream = match push.address.open(tls.as_ref()) {
            Ok(stream) => stream,
            Err(source) => return Err(PushError::Connect { address, source }),
        };
        let key = push.key.as_ref();
        match uplink::open(stream, &push.address, key) {
            Ok(uplink) => {
                // Before that there is no stream to end in good order.
                let interrupt = Interrupt::register().map_err(PushError::Signals)?;
                say(format_args!("publishing to {address}\n"));
                Ok(PushConnection {
                    uplink,
                    address,
                    progress: Progress::new(),
                    interrupt,
                })
            }
            Err(error) => Err(PushError::Uplink { address, error }),
        }
    }

    fn send_file(mut self, mut media: MediaFile, chunk: Duration) -> Result<(), PushError> {
        let chunk_ms = (chunk.as_millis() as u64).max(1);
        let started = Instant::now();
        let mut now_ms = 0;
        loop {
            let is_more = match media.pacer.next_due_ms() {
                // All that was read is due: more of it may be.
                None => media.read()?,
                Some(due_ms) => {
                    now_ms = due_ms.next_multiple_of(chunk_ms).max(now_ms);
                    self.listen(started + Duration::from_millis(now_ms))?;
                    true
                }
            };
            if self.interrupt.is_asked() {
                return self.stop_film(media);
            }
            self.send(media.pacer.take(now_ms))?;
            if !is_more {
                return self.finish();
            }
        }
    }

    fn stop_film(mut self, mut media: MediaFile) -> Result<(), PushError> {
        loop {
            if let Some(rest) = media.pacer.complete() {
                self.send(rest)?;
                return self.finish();
            }
            if !media.read()? {
                return self.finish();
            }
        }
    }

    fn send_stdin(mut self) -> Result<(), PushError> {
        // A thread of its own reads: a writer that pauses must not keep us from answering pings.
        // At the end of the push it may be left waiting for input, and ends with the program.
        let (pieces, input) = mpsc::sync_channel(4);
        std::thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut buffer = vec![0; READ_BYTES];
                let piece = read_some(&mut stdin, &mut buffer).map(|length| {
                    buffer.truncate(length);
                    Bytes::from(buffer)
                });
                let is_last = !matches!(&piece, Ok(bytes) if !bytes.is_empty());
                if pieces.send(piece).is_err() || is_last {
                    return;
                }
            }
        });
        // Finds where elements end, as long as the bytes are WebM.
        let mut pacer = Some(Pacer::new());
        let mut give_up_at = None;
        loop {
            if self.interrupt.is_asked() {
                let until = *give_up_at.get_or_insert_with(|| Instant::now() + END_TIMEOUT);
                let rest = pacer.as_mut().map_or(Some(Bytes::new()), Pacer::complete);
                if rest.is_some() || Instant::now() >= until {
                    self.send(rest.unwrap_or_default())?;
                    return self.finish();
                }
            }
            match input.recv_timeout(LISTEN_INTERVAL) {
                Ok(Ok(bytes)) if bytes.is_empty() => return self.finish(),
                Ok(Ok(bytes)) => {
                    pacer = pacer.and_then(|mut pacer| {
                        let pushed = pacer.push(bytes.clone());
                        pushed.is_ok().then_some(pacer)
                    });
                    match &mut pacer {
                        // The end of an element may be in these bytes, and must be found before.
                        Some(_) if self.interrupt.is_asked() => {}
                        Some(pacer) => {
                            let all = pacer.take(u64::MAX);
                            self.send(all)?;
                        }
                        None => self.send(bytes)?,
                    }
                }
                Ok(Err(source)) => {
                    return Err(PushError::Read {
                        file: "standard input".into(),
                        source,
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
            self.listen(Instant::now())?;
        }
    }

    fn send(&mut self, mut bytes: Bytes) -> Result<(), PushError> {
        while !bytes.is_empty() {
            let message = bytes.split_to(bytes.len().min(READ_BYTES));
            self.progress.count(message.len());
            let sent = self.uplink.send(message);
            self.check(sent)?;
        }
        Ok(())
    }

    /// Waits until the given time, at least long enough to read the messages that have come
    /// already.
    fn listen(&mut self, until: Instant) -> Result<(), PushError> {
        loop {
            let soon = Instant::now() + SIGNAL_INTERVAL;
            let next = until.min(self.progress.next_line()).min(soon);
            let progress = &mut self.progress;
            let listened = self
                .uplink
                .listen(next, &mut |message| progress.tell(message));
            self.check(listened)?;
            let now = Instant::now();
            self.progress.tick(now);
            if now >= until || self.interrupt.is_asked() {
                return Ok(());
            }
        }
    }

    fn finish(mut self) -> Result<(), PushError> {
        let finished = self.uplink.finish();
        self.check(finished)?;
        self.progress.end();
        Ok(())
    }

    fn check(&mut self, result: Result<(), UplinkError>) -> Result<(), PushError> {
        result.map_err(|error| {
            self.progress.clear();
            PushError::Uplink {
                address: self.address.clone(),
                error,
            }
        })
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
