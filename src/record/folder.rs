//! Recordings on disk: `DIR/NAME/TIME.webm`.
//!
//! A file that is being written or finished is locked (`flock`), so that no other process finishes or
//! deletes it meanwhile: during a handover two of them share the folder. A lock ends with its process.

use super::file_name::FileName;
use super::retention::Entry;
use crate::stream_name::StreamName;
use crate::webm::file::Storage;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Where recordings are.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// Held while a file is opened and not locked yet, or deleted with its folder: so no thread takes
    /// another's new file, or the folder from under it.
    opening: Arc<Mutex<()>>,
}

/// Why the folder of `--record` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--record {}: {source}", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: io::Error,
}

impl Folder {
    /// Makes the folder if it is missing. An error if it cannot be written to.
    pub fn open(path: &Path) -> Result<Folder, FolderError> {
        let error = |source| FolderError {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(error)?;
        let can = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(path, can).map_err(|source| error(source.into()))?;
        Ok(Folder {
            path: path.to_owned(),
            opening: Arc::default(),
        })
    }

    /// A new file for a recording, open for this process alone.
    pub fn create(&self, stream: &str, mut name: FileName) -> io::Result<(File, FileName)> {
        let folder = self.path.join(stream);
        loop {
            let path = folder.join(name.to_string());
            match self.create_locked(&folder, &path) {
                // Another process, to which it seemed to be left over, has deleted it.
                Ok(file) if file.metadata()?.nlink() == 0 => {}
                Ok(file) => {
                    // The entry of the file must be on disk as well, or its contents are not found.
                    File::open(&folder)?.sync_all()?;
                    return Ok((file, name));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    name = name.next().ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn create_locked(&self, folder: &Path, path: &Path) -> io::Result<File> {
        let _opening = self.opening();
        fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        wait_for_lock(&file)?;
        Ok(file)
    }

    fn opening(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All recordings. A file or folder whose name is none of ours is not among them.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for folder in fs::read_dir(&self.path)? {
            let folder = folder?;
            let stream = folder.file_name();
            let Some(stream) = stream.to_str().filter(|name| is_stream(name)) else {
                continue;
            };
            if folder.file_type()?.is_dir() {
                // One that cannot be read does not keep the others from being looked at.
                let _ = self.entries_of(stream, &mut entries);
            }
        }
        Ok(entries)
    }

    /// The recordings of one stream; none if there is no such folder.
    pub fn entries_of_stream(&self, stream: &StreamName) -> Vec<Entry> {
        let mut entries = Vec::new();
        // What cannot be read is not there.
        let _ = self.entries_of(stream.as_str(), &mut entries);
        entries
    }

    /// A file that this process writes, for reading. Not a clone, which would keep the lock.
    pub fn open_own(&self, stream: &str, name: &str) -> io::Result<File> {
        File::open(self.path.join(stream).join(name))
    }

    /// A recording, for reading. Neither name can lead out of the folder.
    pub fn open_recording(&self, stream: &StreamName, name: FileName) -> io::Result<File> {
        let path = self.path.join(stream.as_str()).join(name.to_string());
        // A symbolic link is none of ours.
        if fs::symlink_metadata(&path)?.is_file() {
            File::open(path)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn entries_of(&self, stream: &str, entries: &mut Vec<Entry>) -> io::Result<()> {
        for file in fs::read_dir(self.path.join(stream))? {
            let file = file?;
            let name = file.file_name();
            let Some(name) = name.to_str().and_then(FileName::parse) else {
                continue;
            };
            // A symbolic link is none of ours.
            let Ok(metadata) = file.metadata() else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            let changed = metadata.modified()?;
            let changed = changed.duration_since(SystemTime::UNIX_EPOCH);
            entries.push(Entry {
                stream: stream.to_owned(),
                name,
                path: file.path(),
                bytes: metadata.len(),
                changed_s: changed.map_or(0, |since| since.as_secs()),
                is_open: false,
            });
        }
        Ok(())
    }

    /// A recording that no process writes, locked for this one; `None` if one writes it.
    pub fn take(&self, entry: &Entry) -> io::Result<Option<File>> {
        let _opening = self.opening();
        Self::open_if_free(entry)
    }

    fn open_if_free(entry: &Entry) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&entry.path)?;
        Ok(try_lock(&file)?.then_some(file))
    }

    /// Deletes a recording, and the folder of its stream if that is empty then. Returns whether it is
    /// gone: one that is being written stays.
    pub fn delete(&self, entry: &Entry) -> io::Result<bool> {
        let _opening = self.opening();
        let Some(_locked) = Self::open_if_free(entry)? else {
            return Ok(false);
        };
        fs::remove_file(&entry.path)?;
        // It fails while there are others.
        let _ = fs::remove_dir(self.path.join(&entry.stream));
        Ok(true)
    }

    /// Bytes that are free for this process.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

fn is_stream(name: &str) -> bool {
    StreamName::try_from(name).is_ok()
}

fn wait_for_lock(file: &File) -> io::Result<()> {
    match file.lock() {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        result => result,
    }
}

/// Whether the lock is ours now. A file system that has none is taken as it is.
fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Storage for File {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, at)
    }

    fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn size(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::DocType;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("a/b")).unwrap();
        (dir, folder)
    }

    #[test]
    fn taken_name_gets_a_number_and_an_open_file_stays() {
        let (_dir, folder) = folder();
        let name = FileName::new(SystemTime::UNIX_EPOCH, DocType::Webm);
        let (open, one) = folder.create("demo", name).unwrap();
        let (closed, two) = folder.create("demo", name).unwrap();
        drop(closed);
        assert_eq!((one.number, two.number), (1, 2));
        let entries = folder.entries().unwrap();
        assert_eq!(entries.len(), 2);
        for entry in &entries {
            let is_open = entry.name.number == 1;
            assert_eq!(folder.take(entry).unwrap().is_none(), is_open);
            assert_eq!(folder.delete(entry).unwrap(), !is_open);
        }
        drop(open);
        assert!(folder.delete(&folder.entries().unwrap()[0]).unwrap());
        assert!(!folder.path.join("demo").exists());
    }

    #[test]
    fn one_that_reads_a_file_does_not_keep_it_from_being_deleted() {
        let (_dir, folder) = folder();
        let name = FileName::new(SystemTime::UNIX_EPOCH, DocType::Webm);
        let (file, name) = folder.create("demo", name).unwrap();
        FileExt::write_all_at(&file, b"media", 0).unwrap();
        let reader = folder.open_own("demo", &name.to_string()).unwrap();
        let entry = &folder.entries().unwrap()[0];
        assert!(!folder.delete(entry).unwrap());
        drop(file);
        assert!(folder.delete(entry).unwrap());
        let mut bytes = [0; 5];
        reader.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"media");
    }

    #[test]
    fn foreign_files_are_not_looked_at() {
        let (_dir, folder) = folder();
        let name = "2026-11-22T19-32-05Z.webm";
        for path in [name, "demo/holiday.webm", ".hidden/x", "a b/x"] {
            let path = folder.path.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        fs::write(folder.path.join(".hidden").join(name), b"x").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path.join("demo").join(name)).unwrap();
        assert_eq!(folder.entries().unwrap(), []);
    }

    #[test]
    fn folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"x").unwrap();
        let error = Folder::open(&path.join("below")).unwrap_err().to_string();
        let start = format!("--record {}/below: ", path.display());
        assert!(error.starts_with(&start), "{error}");
    }

    #[test]
    fn new_file_is_locked_before_another_thread_can_delete_it() {
        let (_dir, folder) = folder();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for entry in folder.entries().unwrap_or_default() {
                        // An error means that it is gone.
                        assert!(!folder.delete(&entry).unwrap_or(false));
                    }
                }
            });
            let name = FileName::new(SystemTime::UNIX_EPOCH, DocType::Webm);
            for _ in 0..2000 {
                let (file, name) = folder.create("demo", name).unwrap();
                let path = folder.path.join("demo").join(name.to_string());
                assert!(path.exists());
                fs::remove_file(path).unwrap();
                drop(file);
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
