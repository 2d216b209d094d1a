//! What a node asks of the publisher's node for a client of its own: to end the publisher, to have it send a
//! keyframe, to record it, to take its poster; and pictures of it.

use super::message::Message;
use super::{Order, Purpose, Service};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client waits for a picture from another node.
const PICTURE_TIMEOUT: Duration = Duration::from_secs(1);

/// Pictures that are waited for at a time.
const PICTURES_MAX: usize = 1024;

/// The headers that name the errand, the picture that is asked for, and the type of one that comes.
const ERRAND: &str = "a";
const WHICH: &str = "w";
const MEDIA_TYPE: &str = "m";

/// Something to do with the publisher of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    End,
    /// Viewers would see a picture sooner.
    Keyframe,
    Record(bool),
    /// A JPEG that its page sent to another node.
    Poster(Bytes),
}

impl Errand {
    fn word(&self) -> &'static str {
        match self {
            Errand::End => "end",
            Errand::Keyframe => "keyframe",
            Errand::Record(true) => "record",
            Errand::Record(false) => "unrecord",
            Errand::Poster(_) => "poster",
        }
    }

    fn read(message: &Message) -> Option<Errand> {
        Some(match message.header(ERRAND)? {
            "end" => Errand::End,
            "keyframe" => Errand::Keyframe,
            "record" => Errand::Record(true),
            "unrecord" => Errand::Record(false),
            "poster" => Errand::Poster(message.payload.clone()),
            _ => return None,
        })
    }
}

/// A picture of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// As its publisher has sent it.
    Poster,
    Keyframe,
    /// The first of both that there is.
    Still,
}

impl Which {
    const ALL: [(Which, &'static str); 3] = [
        (Which::Poster, "poster"),
        (Which::Keyframe, "keyframe"),
        (Which::Still, "still"),
    ];

    fn word(self) -> &'static str {
        let found = Which::ALL.iter().find(|(which, _)| *which == self);
        found.map_or("", |(_, word)| word)
    }

    fn read(message: &Message) -> Option<Which> {
        let word = message.header(WHICH)?;
        let found = Which::ALL.iter().find(|(_, one)| *one == word);
        found.map(|(which, _)| *which)
    }
}

/// A picture on its way between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub media_type: String,
    pub bytes: Bytes,
}

impl Service {
    /// Sends the publisher's node on an errand. Returns whether there is one, and the message is not too
    /// long for the bus.
    pub fn send_errand(&mut self, name: &str, errand: Errand) -> bool {
        let word = errand.word();
        let payload = match errand {
            Errand::Poster(jpeg) => jpeg,
            Errand::End | Errand::Keyframe | Errand::Record(_) => Bytes::new(),
        };
        let fits = self.payload_max.is_some_and(|most| payload.len() <= most);
        if !fits || self.directory.published(name).is_none() {
            return false;
        }
        let mut message = Message::new(self.subjects.order(name), payload);
        message.set(ERRAND, word);
        self.publish(message, false);
        true
    }

    pub(super) fn receive_errand(&mut self, name: &str, message: &Message) {
        if let (Some(errand), Some((name, _))) =
            (Errand::read(message), self.published.get_key_value(name))
        {
            let name = name.clone();
            self.orders.push_back(Order::Do { name, errand });
        }
    }

    /// Asks for a picture. Returns the number that [`Order::PictureCame`] comes with, soon and in any case;
    /// `None` when too many are waited for.
    pub fn ask_picture(&mut self, name: &str, which: Which, now: Instant) -> Option<u64> {
        if self.pictures.len() >= PICTURES_MAX || self.payload_max.is_none() {
            return None;
        }
        let mut message = Message::new(self.subjects.picture(name), Bytes::new());
        message.set(WHICH, which.word());
        let number = self.next_ticket;
        self.ask(message, Purpose::Picture);
        self.pictures.insert(number, now + PICTURE_TIMEOUT);
        Some(number)
    }

    pub(super) fn receive_picture_request(&mut self, name: &str, message: Message) {
        if let (Some(which), Some(reply), Some((name, _))) = (
            Which::read(&message),
            message.reply,
            self.published.get_key_value(name),
        ) {
            let name: Arc<str> = name.clone();
            self.orders.push_back(Order::Picture { name, which, reply });
        }
    }

    /// Answers with a picture, or without one. One too large for the bus counts as none.
    pub fn answer_picture(&mut self, reply: String, picture: Option<Sent>) {
        let Some(most) = self.payload_max else {
            return;
        };
        let picture = picture.filter(|picture| picture.bytes.len() <= most);
        let bytes = picture.as_ref().map(|picture| picture.bytes.clone());
        let mut message = Message::new(reply, bytes.unwrap_or_default());
        if let Some(picture) = picture {
            message.set(MEDIA_TYPE, picture.media_type);
        }
        self.publish(message, false);
    }

    pub(super) fn receive_picture(&mut self, number: u64, message: Message) {
        if self.pictures.remove(&number).is_some() {
            let media_type = message.header(MEDIA_TYPE).map(str::to_owned);
            let picture = media_type.map(|media_type| Sent {
                media_type,
                bytes: message.payload,
            });
            self.orders
                .push_back(Order::PictureCame { number, picture });
        }
    }

    pub(super) fn picture_at(&self) -> Option<Instant> {
        // They are asked for in order of their numbers.
        self.pictures.values().next().copied()
    }

    /// Gives up pictures that did not come by `now`; all of them without one.
    pub(super) fn give_up_pictures(&mut self, now: Option<Instant>) {
        while let Some((&number, &until)) = self.pictures.first_key_value() {
            if now.is_some_and(|now| until > now) {
                return;
            }
            self.pictures.remove(&number);
            self.requests.remove(&number);
            let picture = None;
            self.orders
                .push_back(Order::PictureCame { number, picture });
        }
    }
}
