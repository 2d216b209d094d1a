//! Messages of the bus: a node trusts the others, and no message may bring it down.

use crate::service::errands::Which;
use crate::service::following::{Now, Step};
use crate::service::message::Message;
use crate::service::subjects::Subjects;
use crate::service::{Action, Order, Service, Settings};
use arbitrary::Unstructured;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NAMES: [&str; 2] = ["demo", "a.b"];

/// Names of headers that a node looks at.
const HEADERS: [&str; 14] = [
    "k",
    "s",
    "g",
    "t",
    "e",
    "o",
    "p",
    "n",
    "i",
    "w",
    "a",
    "m",
    "Nats-Sequence",
    "KV-Operation",
];

/// Values that mean something, or nearly.
const VALUES: [&str; 20] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "18446744073709551615",
    "9223372036854775808",
    "-1",
    "",
    "j",
    "c",
    "i",
    "h",
    "e",
    "0/2",
    "1/2",
    "4096/4097",
    "still",
    "record",
    "x",
];

#[derive(Debug)]
enum Event {
    Message {
        subject: u8,
        name: bool,
        number: u8,
        headers: Vec<(u8, u8)>,
        payload: u8,
        status: Option<u16>,
    },
    Connected(u32),
    Disconnected,
    Viewers {
        name: bool,
        count: u8,
    },
    Reader {
        name: bool,
    },
    Picture {
        name: bool,
    },
    PublisherCame {
        name: bool,
    },
    PublisherLeft {
        name: bool,
    },
    FeedGone {
        name: bool,
    },
    Time {
        ms: u16,
    },
}

impl Event {
    fn read(input: &mut Unstructured<'_>) -> arbitrary::Result<Event> {
        if input.is_empty() {
            return Err(arbitrary::Error::NotEnoughData);
        }
        let kind = input.arbitrary::<u8>()?;
        let name = input.arbitrary()?;
        Ok(match kind % 24 {
            0 => Event::Connected(input.arbitrary()?),
            1 => Event::Disconnected,
            2 => {
                let count = input.arbitrary::<u8>()? % 3;
                Event::Viewers { name, count }
            }
            3 => Event::Reader { name },
            4 => Event::Picture { name },
            5 => Event::PublisherCame { name },
            6 => Event::PublisherLeft { name },
            7 => Event::FeedGone { name },
            8 | 9 => Event::Time {
                ms: input.arbitrary()?,
            },
            _ => Event::Message {
                name,
                subject: input.arbitrary()?,
                number: input.arbitrary::<u8>()? % 32,
                headers: input.arbitrary()?,
                payload: input.arbitrary()?,
                status: input.arbitrary()?,
            },
        })
    }
}

/// Payloads: of media, answers of the server, and what nodes tell.
const PAYLOADS: [&str; 8] = [
    "",
    "media",
    "\"lost\"",
    r#"{"stream":"KV_v","seq":3}"#,
    r#"{"error":{"code":400,"err_code":10071}}"#,
    r#"{"node":"N","instance":"i","since_ms":5,"takes_over":true}"#,
    r#"{"node":"N","instance":"i","is_more":true}"#,
    r#"{"node":"N","instance":"j","is_leaving":true}"#,
];

/// Whatever comes from the bus, in whatever order: the hub gets the media of a stream from its beginning,
/// and the hub does not ask the bus for ever.
pub fn bus(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let start = Instant::now();
    let mut now = Now {
        instant: start,
        unix_ms: 1_000_000,
    };
    let settings = Settings {
        node: "n".into(),
        instance: "own".into(),
        prefix: "v".into(),
        domain: None,
        max_lag: Duration::from_secs(1),
    };
    let subjects = Subjects::new("v", "own", None);
    let mut service = Service::new(settings, start);
    let mut is_fed = [false; NAMES.len()];
    let mut pictures = 0;
    while let Ok(event) = Event::read(&mut input) {
        match event {
            Event::Message {
                subject,
                name,
                number,
                headers,
                payload,
                status,
            } => {
                let name = NAMES[usize::from(name)];
                let subject = match subject % 8 {
                    0 | 1 => subjects.media(name),
                    2 => subjects.news(name),
                    3 => subjects.join(name),
                    4 => subjects.order(name),
                    5 => subjects.picture(name),
                    6 => subjects.nodes(),
                    _ => subjects.inbox(u64::from(number)),
                };
                let payload = PAYLOADS[usize::from(payload) % PAYLOADS.len()];
                let mut message = Message::new(subject, payload).reply_to("reply".to_owned());
                message.status = status;
                let headers = headers.into_iter().map(|(name, value)| {
                    let name = HEADERS[usize::from(name) % HEADERS.len()];
                    (
                        Cow::Borrowed(name),
                        VALUES[usize::from(value) % VALUES.len()].to_owned(),
                    )
                });
                message.headers = headers.collect();
                service.receive(message, now);
            }
            Event::Connected(max_payload) => service.connected(max_payload as usize, now.instant),
            Event::Disconnected => service.disconnected(now.instant),
            Event::Viewers { name, count } => {
                service.set_viewers(&stream(name), u64::from(count), now.instant);
            }
            Event::Reader { name } => service.note_reader(&stream(name), now.instant),
            Event::Picture { name } => {
                let asked = service.ask_picture(&stream(name), Which::Still, now.instant);
                pictures += usize::from(asked.is_some());
            }
            Event::PublisherCame { name } => {
                service.publisher_came(&stream(name), now);
                is_fed[usize::from(name)] = false;
            }
            Event::PublisherLeft { name } => {
                service.publisher_left(&stream(name), Default::default(), now);
            }
            Event::FeedGone { name } => {
                service.feed_gone(&stream(name), now.instant);
                is_fed[usize::from(name)] = false;
            }
            Event::Time { ms } => {
                now.instant += Duration::from_millis(ms.into());
                now.unix_ms += u64::from(ms);
                if service.wake_at().is_some_and(|at| at <= now.instant) {
                    service.tick(now.instant);
                }
            }
        }
        while let Some(order) = service.poll_order() {
            match order {
                Order::Feed { name, steps } => follow(&mut is_fed[place(&name)], steps),
                Order::Leave { name } => is_fed[place(&name)] = false,
                Order::PictureCame { .. } => pictures -= 1,
                _ => {}
            }
        }
        let actions = service.take_actions();
        assert!(actions.len() < 64, "{} actions", actions.len());
        for action in actions {
            if let Action::Publish { message, .. } = action {
                assert!(!message.subject.contains(' ') && !message.subject.contains(".."));
            }
        }
    }
    // Each client that waits for a picture gets an answer.
    now.instant += Duration::from_secs(2);
    service.tick(now.instant);
    while let Some(order) = service.poll_order() {
        pictures -= usize::from(matches!(order, Order::PictureCame { .. }));
    }
    assert_eq!(pictures, 0);
}

fn stream(name: bool) -> Arc<str> {
    NAMES[usize::from(name)].into()
}

fn place(name: &str) -> usize {
    let place = NAMES.iter().position(|one| *one == name);
    place.expect("no other stream is followed")
}

/// A publisher begins before its media come, and ends once.
fn follow(is_fed: &mut bool, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Begin(_) => *is_fed = true,
            Step::Bytes(_) | Step::Gap => assert!(*is_fed, "{step:?} without a publisher"),
            Step::End(_) => assert!(std::mem::take(is_fed), "an end without a publisher"),
        }
    }
}
