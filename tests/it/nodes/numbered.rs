//! A publisher whose frames are numbered and come at a steady rate, and what viewers may see of it.

use crate::common::media::{Screen, Shown};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::{Heard, Publisher};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Frames of a GOP, and the time from one to the next.
pub const GOP: u64 = 10;
const FRAME: Duration = Duration::from_millis(40);

/// One track of VP8, of which only bit 0 of the first byte of a frame is looked at.
pub const HEAD: &[u8] =
    b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x97\
    \xae\x95\xd7\x81\x01\x83\x81\x01\x86\x85V_VP8\x23\xe3\x83\x84\x02\x62\x5a\x00";

/// A frame: whether it is a delta frame, its publisher, its number, and when it was made.
pub fn frame(publisher: u8, number: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![u8::from(!number.is_multiple_of(GOP)), publisher];
    bytes.extend(number.to_be_bytes());
    bytes.extend(now_ms().to_be_bytes());
    bytes.resize(size.max(bytes.len()), publisher);
    bytes
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// The next frame's element, with a Cluster before it where a GOP begins.
pub fn element(number: u64, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if number.is_multiple_of(GOP) {
        let ms = number * 40;
        bytes.extend(b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x84");
        bytes.extend(u32::try_from(ms).unwrap().to_be_bytes());
    }
    let relative = u16::try_from(number % GOP * 40).unwrap();
    bytes.push(0xa3);
    let length = u32::try_from(frame.len() + 4).unwrap();
    bytes.extend((length | 0x1000_0000).to_be_bytes());
    bytes.push(0x81);
    bytes.extend(relative.to_be_bytes());
    bytes.push(if number.is_multiple_of(GOP) { 0x80 } else { 0 });
    bytes.extend(frame);
    bytes
}

/// Publishes until it is stopped or dropped.
pub struct Numbered {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Option<Publisher>>>,
}

impl Numbered {
    pub fn publish(server: &Server, name: &str, publisher: u8) -> Numbered {
        Numbered::of_size(server, name, publisher, 100)
    }

    /// With frames of this size.
    pub fn of_size(server: &Server, name: &str, publisher: u8, size: usize) -> Numbered {
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut client = Publisher::open(server, name);
        let (ours, count) = (stop.clone(), sent.clone());
        let thread = thread::spawn(move || {
            let began = Instant::now();
            client.send(&Bytes::from_static(HEAD));
            for number in 0.. {
                if ours.load(Ordering::Relaxed) {
                    return Some(client);
                }
                let bytes = element(number, &frame(publisher, number, size));
                if client
                    .client
                    .try_send(tungstenite::Message::Binary(bytes.into()))
                    .is_err()
                {
                    return None;
                }
                count.store(number + 1, Ordering::Relaxed);
                let due = FRAME * u32::try_from(number + 1).unwrap();
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
            None
        });
        Numbered {
            stop,
            sent,
            thread: Some(thread),
        }
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Stops sending. `None` when the server has closed it.
    pub fn stop(&mut self) -> Option<Publisher> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().unwrap()
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a viewer has seen of numbered publishers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub publisher: u8,
    pub number: u64,
    pub made_ms: u64,
}

pub fn seen(screen: &Screen) -> Vec<Seen> {
    screen.frames.iter().map(read).collect()
}

fn read(frame: &Shown) -> Seen {
    read_frame(&frame.bytes)
}

/// What a frame says of itself.
pub fn read_frame(frame: &[u8]) -> Seen {
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    Seen {
        publisher: frame[1],
        number: number(&frame[2..10]),
        made_ms: number(&frame[10..18]),
    }
}

/// Each publisher's frames in order and once, with leaps to keyframes alone, and the publishers one after
/// another. Returns the number of leaps within a publisher's stream.
pub fn assert_legal(screen: &Screen) -> usize {
    assert_in_order(&seen(screen), |before, after| {
        before.publisher < after.publisher
    })
}

/// The same, where `follows` tells whether a publisher's frame may come after another's.
pub fn assert_in_order(seen: &[Seen], mut follows: impl FnMut(Seen, Seen) -> bool) -> usize {
    let mut leaps = 0;
    for (before, &after) in [None].into_iter().chain(seen.iter().map(Some)).zip(seen) {
        let is_same = before.is_some_and(|before| before.publisher == after.publisher);
        if is_same && before.is_some_and(|before| after.number == before.number + 1) {
            continue;
        }
        let is_later = before.is_none_or(|&before| {
            if is_same {
                before.number < after.number
            } else {
                follows(before, after)
            }
        });
        assert!(
            is_later && after.number.is_multiple_of(GOP),
            "{after:?} after {before:?}"
        );
        leaps += usize::from(is_same);
    }
    leaps
}

/// Watches until this frame, or a later one of its publisher.
pub fn watch_to(viewer: &mut Viewer, publisher: u8, number: u64) {
    let is_there = |viewer: &Viewer| {
        !viewer.screen.frames.is_empty() && {
            let last = last(viewer);
            last.publisher == publisher && last.number >= number
        }
    };
    while !is_there(viewer) {
        if let heard @ (Heard::Closed(..) | Heard::Gone) = viewer.hear() {
            panic!("{heard:?} before frame {number} of {publisher}");
        }
    }
}

/// The last frame that a viewer has seen.
pub fn last(viewer: &Viewer) -> Seen {
    read(viewer.screen.frames.last().unwrap())
}

/// Milliseconds from the making of the newest frame until now.
pub fn age_ms(viewer: &Viewer) -> u64 {
    now_ms().saturating_sub(last(viewer).made_ms)
}
