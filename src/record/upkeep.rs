//! The thread that finishes recordings that were cut off, and deletes the oldest ones.
//!
//! Both may take long, and no recording waits for it.

use super::Folder;
use super::orders::{Event, News};
use super::retention::{Entry, Retention, to_delete};
use crate::webm::file::{CutOff, Finished, cut_off};
use std::fs;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, SystemTime};

/// How often limits are looked at beside the ends of recordings: age passes by itself, and others fill
/// the disk.
const INTERVAL: Duration = Duration::from_secs(60);

/// A file without media that is older than this stays so.
const EMPTY_AGE: Duration = Duration::from_secs(60);

/// The thread, from outside. It ends once this is gone.
pub struct Upkeep {
    ended: SyncSender<()>,
}

impl Upkeep {
    /// `recovered` is called for each recording that was cut off and is finished now.
    pub fn start(
        folder: Folder,
        retention: Retention,
        recovered: impl Fn(News) + Send + 'static,
    ) -> io::Result<Upkeep> {
        let (ended, incoming) = mpsc::sync_channel(1);
        // What is there now. Later files are this process's own.
        let before = folder.entries();
        thread::Builder::new()
            .name("recordings".to_owned())
            .spawn(move || {
                finish_all(&folder, before, &recovered);
                loop {
                    apply(&folder, &retention);
                    if incoming.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
            })?;
        Ok(Upkeep { ended })
    }

    /// The limits are looked at.
    pub fn recording_ended(&self) {
        // A look that waits is enough.
        let _ = self.ended.try_send(());
    }
}

/// Finishes all recordings that were cut off.
fn finish_all(folder: &Folder, entries: io::Result<Vec<Entry>>, recovered: &dyn Fn(News)) {
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            tracing::error!(%error, "the folder of recordings cannot be read");
            return;
        }
    };
    for entry in entries {
        let (stream, file) = (&entry.stream, entry.name);
        match finish(folder, &entry) {
            Ok(None) => {}
            Ok(Some(Ending::Finished(finished, dropped_bytes))) => {
                let Finished { duration_ms, bytes } = finished;
                tracing::info!(stream, %file, duration_ms, bytes, dropped_bytes, "finished a recording that was cut off");
                recovered(News {
                    stream: stream.as_str().into(),
                    what: Event::Recovered {
                        file: file.to_string(),
                        duration_ms,
                        bytes,
                    },
                });
            }
            Ok(Some(Ending::Removed)) => {
                tracing::info!(stream, %file, "removed a recording without media");
            }
            Ok(Some(Ending::Foreign)) => {
                tracing::warn!(stream, %file, "this file is no recording of this program");
            }
            Err(error) => {
                tracing::warn!(stream, %file, %error, "a recording that was cut off stays as it is");
            }
        }
    }
}

enum Ending {
    /// With bytes at the end that were no whole element.
    Finished(Finished, u64),
    Removed,
    Foreign,
}

/// `None`: it is finished, or another process writes it.
fn finish(folder: &Folder, entry: &Entry) -> io::Result<Option<Ending>> {
    let Some(file) = folder.take(entry)? else {
        return Ok(None);
    };
    Ok(match cut_off(file)? {
        CutOff::Finished => None,
        CutOff::Foreign => Some(Ending::Foreign),
        // An older process may have made it a moment ago.
        CutOff::Empty if age(entry) < EMPTY_AGE => None,
        CutOff::Empty => {
            fs::remove_file(&entry.path)?;
            Some(Ending::Removed)
        }
        CutOff::Unfinished {
            writer,
            dropped_bytes,
        } => Some(Ending::Finished(writer.finish()?, dropped_bytes)),
    })
}

fn age(entry: &Entry) -> Duration {
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(entry.changed_s);
    SystemTime::now()
        .duration_since(changed)
        .unwrap_or_default()
}

/// Deletes what is over the limits.
fn apply(folder: &Folder, retention: &Retention) {
    if !retention.is_any() {
        return;
    }
    let looked = folder
        .entries()
        .and_then(|entries| Ok((entries, folder.free_bytes()?)));
    let (mut entries, free_bytes) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            tracing::error!(%error, "the folder of recordings cannot be read");
            return;
        }
    };
    for entry in &mut entries {
        // One that is gone meanwhile takes nothing.
        entry.is_open = folder.take(entry).is_ok_and(|file| file.is_none());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_s = now.map_or(0, |since| since.as_secs());
    for entry in to_delete(retention, &entries, free_bytes, now_s) {
        let (stream, file) = (&entry.stream, entry.name);
        match folder.delete(entry) {
            Ok(true) => tracing::info!(stream, %file, bytes = entry.bytes, "deleted a recording"),
            Ok(false) => {}
            Err(error) => tracing::warn!(stream, %file, %error, "a recording cannot be deleted"),
        }
    }
}
