//! A recording that clients read, and the thread that reads it for them.

use crate::common::media::Sample;
use std::fs;
use std::sync::OnceLock;
use std::time::Instant;
use tempfile::TempDir;
use videostream::record::{ArchiveAnswer, Folder, GrowingFiles, Job, Task, perform};

/// The recording that clients read, of the stream "honest".
pub const RECORDING: &str = "2026-11-22T19-32-05Z.webm";

/// What is in it: each four bytes say where they are.
pub fn recording_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut bytes = Sample::read("ffmpeg-finished").bytes.to_vec();
        bytes.extend((0..250_000_u32).flat_map(u32::to_be_bytes));
        bytes
    })
}

/// A folder with that recording, and what the thread that reads it has to do.
pub struct Shelf {
    folder: Folder,
    growing: GrowingFiles,
    /// Stretches of recordings that were read for viewers behind live.
    pub stretches: u64,
    jobs: Vec<(Instant, Job)>,
    /// Removed at the end.
    _dir: TempDir,
}

impl Shelf {
    pub fn new(growing: GrowingFiles) -> Shelf {
        let dir = tempfile::tempdir().expect("there is a folder for temporary files");
        let stream = dir.path().join("honest");
        let written = fs::create_dir(&stream)
            .and_then(|()| fs::write(stream.join(RECORDING), recording_bytes()));
        written.expect("it can be written");
        Shelf {
            folder: Folder::open(dir.path()).expect("it is there"),
            growing,
            stretches: 0,
            jobs: Vec::new(),
            _dir: dir,
        }
    }

    /// What the thread is asked for now, and answers at this time.
    pub fn put(&mut self, job: Job, at: Instant) {
        self.jobs.push((at, job));
    }

    pub fn answer(&mut self, job: Job) -> ArchiveAnswer {
        self.stretches += u64::from(matches!(job.what, Task::Stretch { .. }));
        ArchiveAnswer {
            ticket: job.ticket,
            what: perform(&self.folder, &self.growing, job.what),
        }
    }

    pub fn wake_at(&self) -> Option<Instant> {
        self.jobs.iter().map(|(at, _)| *at).min()
    }

    pub fn due(&mut self, now: Instant) -> Vec<Job> {
        let due = self.jobs.extract_if(.., |(at, _)| *at <= now);
        due.map(|(_, job)| job).collect()
    }
}
