//! A file in memory for tests: it keeps every step, fails at a chosen call, and shows what a power cut
//! leaves.

use super::Storage;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What was done to a file.
#[derive(Debug, Clone)]
pub enum Step {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
    Sync,
}

/// How a file fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Bytes that one call writes at most.
    pub write_most: Option<usize>,
    /// Bytes that the disk has room for.
    pub room: Option<u64>,
    /// Calls that write or sync and succeed; all later ones fail.
    pub calls: Option<u64>,
}

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    steps: Vec<Step>,
    faults: Faults,
}

/// Clones are the same file.
#[derive(Debug, Clone, Default)]
pub struct MemoryFile(Arc<Mutex<Contents>>);

impl MemoryFile {
    pub fn new(bytes: Vec<u8>) -> MemoryFile {
        let file = MemoryFile::default();
        file.contents().bytes = bytes;
        file
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().expect("no test panics with it")
    }

    pub fn set_faults(&self, faults: Faults) {
        self.contents().faults = faults;
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.contents().bytes.clone()
    }

    pub fn steps(&self) -> Vec<Step> {
        self.contents().steps.clone()
    }

    pub fn syncs(&self) -> usize {
        let contents = self.contents();
        let steps = contents.steps.iter();
        steps.filter(|step| matches!(step, Step::Sync)).count()
    }

    fn count_call(&self) -> io::Result<()> {
        match &mut self.contents().faults.calls {
            Some(0) => Err(io::Error::other("the disk is broken")),
            Some(calls) => {
                *calls -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Does to `bytes` what was done to a file.
pub fn replay(bytes: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write { at, bytes: written } => {
            let (at, end) = (*at as usize, *at as usize + written.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[at..end].copy_from_slice(written);
        }
        Step::Truncate(size) => bytes.resize(*size as usize, 0),
        Step::Sync => {}
    }
}

impl Storage for MemoryFile {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.count_call()?;
        let contents = &mut *self.contents();
        let faults = contents.faults;
        let mut length = bytes.len().min(faults.write_most.unwrap_or(usize::MAX));
        if let Some(room) = faults.room {
            // What is written over takes no room.
            let room = room.max(contents.bytes.len() as u64).saturating_sub(at);
            length = length.min(usize::try_from(room).unwrap_or(usize::MAX));
            if length == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let step = Step::Write {
            at,
            bytes: bytes[..length].to_vec(),
        };
        replay(&mut contents.bytes, &step);
        contents.steps.push(step);
        Ok(length)
    }

    fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let contents = self.contents();
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = contents.bytes.get(at..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.count_call()?;
        self.contents().steps.push(Step::Sync);
        Ok(())
    }

    fn size(&mut self) -> io::Result<u64> {
        Ok(self.contents().bytes.len() as u64)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        let contents = &mut *self.contents();
        contents.bytes.resize(size as usize, 0);
        contents.steps.push(Step::Truncate(size));
        Ok(())
    }
}
