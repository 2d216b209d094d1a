//! A request for recordings that waits for the archive thread, or whose recording is being sent.

use crate::http::RequestHead;
use crate::record::{OpenRecording, PIECE_BYTES, Task};
use bytes::Bytes;
use std::ops::Range;

#[derive(Debug)]
pub struct Recall {
    head: RequestHead,
    /// What came behind the request.
    behind: Bytes,
    /// Whether there are recordings that a key would show.
    locked: bool,
    /// `None` before the head of the answer is out.
    sending: Option<Sending>,
    /// Whether the archive thread has a job for it.
    is_awaited: bool,
}

/// What is left of a file.
#[derive(Debug)]
struct Sending {
    file: OpenRecording,
    left: Range<u64>,
}

impl Recall {
    /// Waits for an answer of the archive thread. `locked`: a key would show more recordings.
    pub fn new(head: RequestHead, behind: Bytes, locked: bool) -> Recall {
        Recall {
            head,
            behind,
            locked,
            sending: None,
            is_awaited: true,
        }
    }

    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// What came behind the request.
    pub fn behind(&self) -> &Bytes {
        &self.behind
    }

    /// Whether there are recordings that a key would show.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    pub fn held_bytes(&self) -> usize {
        self.behind.len()
    }

    /// The archive thread has answered.
    pub fn answered(&mut self) {
        self.is_awaited = false;
    }

    /// The head of the answer is out; this part of the file follows.
    pub fn send(&mut self, file: OpenRecording, part: Range<u64>) {
        self.sending = Some(Sending { file, left: part });
    }

    /// Whether the next piece is to be asked for: all before it is written.
    pub fn is_due(&self) -> bool {
        self.sending.is_some() && !self.is_awaited
    }

    /// The job that reads the next piece, if the recording is being sent.
    pub fn next_piece(&mut self) -> Option<Task> {
        let Sending { file, left } = self.sending.as_ref()?;
        self.is_awaited = true;
        Some(Task::Read {
            file: file.clone(),
            at: left.start,
            length: (left.end - left.start).min(PIECE_BYTES as u64) as usize,
        })
    }

    /// A piece has been read. Returns whether it is the last one.
    pub fn piece_read(&mut self, length: usize) -> bool {
        match &mut self.sending {
            Some(sending) => {
                sending.left.start += length as u64;
                sending.left.is_empty()
            }
            None => true,
        }
    }
}
