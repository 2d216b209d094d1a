//! Streams by name.

use super::{Limits, Stream};
use slab::Slab;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A stream's place in the catalog. Valid until [`Catalog::remove`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(usize);

/// All streams that have a publisher or a viewer.
#[derive(Debug)]
pub struct Catalog {
    streams: Slab<Stream>,
    ids: BTreeMap<Arc<str>, StreamId>,
    limits: Limits,
    now_ms: u64,
    /// Streams opened so far.
    opened: u64,
    unix_ms: u64,
    /// Above every segment's number of streams that were removed.
    number_floor: u64,
}

impl Catalog {
    pub fn new(limits: Limits) -> Catalog {
        Catalog {
            streams: Slab::new(),
            ids: BTreeMap::new(),
            limits,
            now_ms: 0,
            opened: 0,
            unix_ms: 0,
            number_floor: 0,
        }
    }

    /// The time since any fixed moment. Streams tell by it how long a chunk has been waiting.
    pub fn set_clock(&mut self, now: Duration) {
        self.now_ms = now.as_millis() as u64;
    }

    /// The time since 1970 in milliseconds. Segments are numbered by it.
    pub fn set_wall_clock(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes of memory that its table takes, the streams' media left out.
    #[cfg(feature = "testing")]
    pub fn table_bytes(&self) -> usize {
        self.streams.capacity() * size_of::<Stream>()
    }

    pub fn find(&self, name: &str) -> Option<StreamId> {
        self.ids.get(name).copied()
    }

    /// The stream of this name, made if there is none.
    pub fn open(&mut self, name: &str) -> StreamId {
        if let Some(id) = self.find(name) {
            return id;
        }
        let name: Arc<str> = name.into();
        self.opened += 1;
        let mut stream = Stream {
            incarnation: self.opened,
            ..Stream::new(name.clone(), self.limits)
        };
        stream.number_from(self.number_floor);
        let id = StreamId(self.streams.insert(stream));
        self.ids.insert(name, id);
        id
    }

    pub fn remove(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.try_remove(id.0) {
            self.ids.remove(stream.name());
            let next = stream.segments().next_number().unwrap_or(0);
            self.number_floor = self.number_floor.max(next);
        }
    }

    /// # Panics
    ///
    /// When `id` was removed: a holder of one keeps its stream.
    pub fn stream(&self, id: StreamId) -> &Stream {
        &self.streams[id.0]
    }

    /// The stream, at the catalog's time.
    ///
    /// # Panics
    ///
    /// As [`Catalog::stream`].
    pub fn stream_mut(&mut self, id: StreamId) -> &mut Stream {
        let stream = &mut self.streams[id.0];
        stream.now_ms = self.now_ms;
        stream.unix_ms = self.unix_ms;
        stream
    }

    /// In order of names.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &Stream)> {
        self.ids.values().map(|&id| (id, &self.streams[id.0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_opens_one_stream_until_it_is_removed() {
        let mut catalog = Catalog::new(Limits::default());
        let demo = catalog.open("demo");
        assert_eq!(
            (catalog.open("demo"), catalog.find("demo")),
            (demo, Some(demo))
        );
        assert_ne!(catalog.open("other"), demo);
        catalog.remove(demo);
        assert_eq!(catalog.find("demo"), None);
        let names: Vec<&str> = catalog.iter().map(|(_, stream)| &**stream.name()).collect();
        assert_eq!(names, ["other"]);
    }
}
