//! The thread that reads recordings: lists, pieces of files, deletions.
//!
//! ```text
//!  hub ── Job ──► archive thread ──► DIR
//!   ▲                  │
//!   └── Answer ◄───────┘     each with the ticket of its job
//! ```
//!
//! The hub has one job at most for each session, so that the queue has a limit; and a session asks for
//! the next piece when the last one is written, so that a reader holds one piece in memory.

use super::Folder;
use super::file_name::FileName;
use super::growing::{From, GrowingFiles, Reach};
use super::retention::Entry;
use crate::picture::{Picture, Words};
use crate::stream_name::StreamName;
use crate::webm::file::{Storage as _, describe, first_keyframe};
use bytes::Bytes;
use serde::Serialize;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, SystemTime};

/// Bytes of a file that are read, and wait for a session, at once.
pub const PIECE_BYTES: usize = 256 << 10;

/// Names the request that a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

pub struct Job {
    pub ticket: Ticket,
    pub what: Task,
}

pub enum Task {
    List(Query),
    Open {
        stream: StreamName,
        file: FileName,
    },
    Read {
        file: OpenRecording,
        at: u64,
        length: usize,
    },
    /// The first picture of a recording.
    Picture {
        stream: StreamName,
        file: FileName,
    },
    Delete {
        stream: StreamName,
        file: FileName,
    },
    /// A stretch of the recording that is being written, up to what is in the ring.
    Stretch {
        stream: Arc<str>,
        from: From,
        ring_oldest: u64,
    },
}

/// Which recordings are wanted.
pub struct Query {
    pub stream: Option<StreamName>,
    pub limit: usize,
    /// Only those that began before, in milliseconds since 1970.
    pub before_ms: Option<u64>,
    /// Whether the client may know of a stream's recordings.
    pub permits: Box<dyn Fn(&StreamName) -> bool + Send>,
}

#[derive(Debug)]
pub struct Answer {
    pub ticket: Ticket,
    pub what: Found,
}

#[derive(Debug)]
pub enum Found {
    List(Vec<Listed>),
    /// `None`: there is no such recording.
    Opened(Option<Opened>),
    /// Empty at the end of the file. An error means that the disk does not read.
    Piece(io::Result<Bytes>),
    /// `None`: there is no such recording.
    Picture(Option<Picture>),
    Deleted(Deletion),
    Reached(Reach),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    Done,
    Missing,
    /// It is being written.
    Busy,
    Failed,
}

/// One recording, as `/api/recordings` tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    pub stream: String,
    pub file: String,
    /// Set by the hub, which knows the path prefix.
    pub url: String,
    /// RFC 3339, with milliseconds.
    pub started_at: String,
    pub duration_ms: Option<u64>,
    pub bytes: u64,
    pub mime: Option<String>,
    pub live: bool,
    /// Set by the hub, as `url` is.
    pub poster: String,
}

/// A file that is open for reading. Cloning shares it; it stays readable when it is deleted.
#[derive(Debug, Clone)]
pub struct OpenRecording(Arc<File>);

#[derive(Debug)]
pub struct Opened {
    pub file: OpenRecording,
    pub bytes: u64,
    pub media_type: &'static str,
    /// `None` while it is written.
    pub etag: Option<String>,
}

/// The thread, from outside. It ends once this is gone.
pub struct Archive {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
}

impl Archive {
    /// `wake` is called for each answer.
    pub fn start(
        folder: Folder,
        growing: GrowingFiles,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Archive> {
        let (jobs, incoming) = mpsc::channel::<Job>();
        let (outgoing, answers) = mpsc::channel();
        thread::Builder::new()
            .name("archive".to_owned())
            .spawn(move || {
                while let Ok(Job { ticket, what }) = incoming.recv() {
                    let what = perform(&folder, &growing, what);
                    // The receiver is gone when the server has ended.
                    if outgoing.send(Answer { ticket, what }).is_err() {
                        return;
                    }
                    wake();
                }
            })?;
        Ok(Archive { jobs, answers })
    }

    pub fn send(&self, job: Job) {
        // The thread lives as long as this sender.
        let _ = self.jobs.send(job);
    }

    pub fn poll(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

/// What the thread does for one job.
pub fn perform(folder: &Folder, growing: &GrowingFiles, task: Task) -> Found {
    match task {
        Task::List(query) => Found::List(list(folder, &query).unwrap_or_else(|error| {
            tracing::error!(%error, "the folder of recordings cannot be read");
            Vec::new()
        })),
        Task::Open { stream, file } => Found::Opened(open(folder, &stream, file).ok()),
        Task::Read { file, at, length } => Found::Piece(read(&file, at, length)),
        Task::Picture { stream, file } => Found::Picture(picture(folder, &stream, file).ok()),
        Task::Delete { stream, file } => Found::Deleted(delete(folder, &stream, file)),
        Task::Stretch {
            stream,
            from,
            ring_oldest,
        } => Found::Reached(growing.read(&stream, &from, ring_oldest)),
    }
}

/// The newest first.
fn list(folder: &Folder, query: &Query) -> io::Result<Vec<Listed>> {
    let mut entries = match &query.stream {
        Some(stream) => folder.entries_of_stream(stream),
        None => folder.entries()?,
    };
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.name, entry.stream.clone())));
    let mut listed = Vec::new();
    for entry in entries {
        if listed.len() >= query.limit {
            break;
        }
        let is_too_new = |before_ms| entry.name.began_s * 1000 >= before_ms;
        if query.before_ms.is_some_and(is_too_new)
            || !StreamName::try_from(&*entry.stream).is_ok_and(|name| (query.permits)(&name))
        {
            continue;
        }
        // One that is gone meanwhile, or is none, is left out.
        if let Ok(Some((one, began_ms))) = look(folder, &entry)
            && query.before_ms.is_none_or(|before_ms| began_ms < before_ms)
        {
            listed.push(one);
        }
    }
    Ok(listed)
}

fn look(folder: &Folder, entry: &Entry) -> io::Result<Option<(Listed, u64)>> {
    let mut file = File::open(&entry.path)?;
    let Some(found) = describe(&mut file)? else {
        return Ok(None);
    };
    let began_ms = found.began_unix_ms.unwrap_or(entry.name.began_s * 1000);
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(began_ms);
    Ok(Some((
        Listed {
            stream: entry.stream.clone(),
            file: entry.name.to_string(),
            url: String::new(),
            started_at: humantime::format_rfc3339_millis(began).to_string(),
            duration_ms: found.duration_ms,
            bytes: entry.bytes,
            mime: Some(found.mime),
            live: !found.is_finished && folder.take(entry)?.is_none(),
            poster: String::new(),
        },
        began_ms,
    )))
}

fn open(folder: &Folder, stream: &StreamName, name: FileName) -> io::Result<Opened> {
    let mut file = folder.open_recording(stream, name)?;
    let metadata = file.metadata()?;
    let is_finished = describe(&mut file)?.is_some_and(|found| found.is_finished);
    let (bytes, mtime) = (file.size()?, metadata.mtime());
    let etag = format!("\"{bytes:x}-{mtime:x}-{:x}\"", metadata.mtime_nsec());
    Ok(Opened {
        file: OpenRecording(Arc::new(file)),
        bytes,
        media_type: if name.is_matroska {
            "video/x-matroska"
        } else {
            "video/webm"
        },
        etag: is_finished.then_some(etag),
    })
}

/// What a recording begins with; its name where that cannot be shown.
fn picture(folder: &Folder, stream: &StreamName, name: FileName) -> io::Result<Picture> {
    let mut file = folder.open_recording(stream, name)?;
    let frame = first_keyframe(&mut file)?;
    let still = frame.and_then(|frame| Picture::keyframe(&frame));
    Ok(still.unwrap_or_else(|| Picture::of_name(stream, Words::Name)))
}

fn read(file: &OpenRecording, at: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length.min(PIECE_BYTES)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.0.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes.into())
}

fn delete(folder: &Folder, stream: &StreamName, name: FileName) -> Deletion {
    let entries = folder.entries_of_stream(stream);
    let Some(entry) = entries.into_iter().find(|entry| entry.name == name) else {
        return Deletion::Missing;
    };
    match folder.delete(&entry) {
        Ok(true) => {
            tracing::info!(stream = %stream, file = %name, "deleted a recording as asked");
            Deletion::Done
        }
        Ok(false) => Deletion::Busy,
        Err(error) => {
            tracing::warn!(stream = %stream, file = %name, %error, "a recording cannot be deleted");
            Deletion::Failed
        }
    }
}
