//! What clients of this node ask of a stream that is published on another, and the other way round.
//!
//! A picture is awaited like a recording: its session is `Recalling`, and is answered when the picture has
//! come, or a second later without it.

use super::Hub;
use super::archive::exchange;
use super::requests::{Exchange, no_keyframe, not_found};
use crate::http::refusal::Refusal;
use crate::picture::{Picture, Words};
use crate::service::errands::{Errand, Sent, Which};
use crate::session::keyframes::KeyframeMessage;
use crate::session::{Recall, SessionId, Socket, State};
use crate::stream::StreamId;
use crate::stream_name::StreamName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A picture that a client has asked for.
#[derive(Debug)]
pub enum AskedPicture {
    Poster(StreamName),
    Keyframe(StreamName),
    Still(StreamName, Words),
}

impl AskedPicture {
    fn name(&self) -> &StreamName {
        let (AskedPicture::Poster(name)
        | AskedPicture::Keyframe(name)
        | AskedPicture::Still(name, _)) = self;
        name
    }

    fn which(&self) -> Which {
        match self {
            AskedPicture::Poster(_) => Which::Poster,
            AskedPicture::Keyframe(_) => Which::Keyframe,
            AskedPicture::Still(..) => Which::Still,
        }
    }

    /// The answer where the other node has none.
    fn without(&self) -> Result<Picture, Refusal> {
        match self {
            AskedPicture::Poster(_) => Err(not_found()),
            AskedPicture::Keyframe(_) => Err(no_keyframe()),
            AskedPicture::Still(name, words) => Ok(Picture::of_name(name, *words)),
        }
    }
}

/// By the number of the question.
pub type AwaitedPictures = BTreeMap<u64, (SessionId, AskedPicture)>;

impl<S: Socket> Hub<S> {
    /// Sends the publisher's node on an errand. Returns whether that is another node, which has got it.
    pub(super) fn send_errand(&mut self, name: &str, errand: Errand) -> bool {
        let is_elsewhere = self.is_published_elsewhere(name);
        let service = self.service_mut().filter(|_| is_elsewhere);
        service.is_some_and(|service| service.send_errand(name, errand))
    }

    /// Another node sends this one on an errand.
    pub(super) fn run_errand(&mut self, name: &str, errand: Errand) {
        let Ok(name) = StreamName::try_from(name) else {
            return;
        };
        // It moved just now, and is not looked for further.
        if self.is_published_elsewhere(name.as_str()) {
            return;
        }
        match errand {
            Errand::End => drop(self.end_publisher(&name)),
            Errand::Record(on) => drop(self.set_recording(&name, on)),
            Errand::Poster(jpeg) => self.take_poster(&name, jpeg),
            Errand::Keyframe => {
                let id = self.streams.find(name.as_str());
                if let Some(broadcast) = id.and_then(|id| self.streams.broadcast_mut(id)) {
                    broadcast.want_keyframe();
                }
            }
        }
    }

    /// Sends a publisher a message about its keyframes. For a publisher on another node, asks that node
    /// for a keyframe.
    pub(super) fn send_keyframe_message(
        &mut self,
        stream_id: StreamId,
        id: SessionId,
        message: Option<KeyframeMessage>,
    ) {
        if self.is_remote(id) {
            if message == Some(KeyframeMessage::Restart) {
                let name = self.streams.stream(stream_id).name().clone();
                self.send_errand(&name, Errand::Keyframe);
            }
        } else {
            let message = message.map(KeyframeMessage::to_publisher);
            self.send_to_publisher(id, message.as_slice());
        }
    }

    /// A client reads segments: those of a stream from elsewhere are taken in for it. Returns whether it is
    /// one.
    pub(super) fn note_reader_elsewhere(&mut self, name: &StreamName) -> bool {
        let is_elsewhere = self.is_published_elsewhere(name.as_str());
        let now = self.clock.now();
        if let Some(service) = self.service_mut().filter(|_| is_elsewhere) {
            service.note_reader(&name.as_str().into(), now);
        }
        is_elsewhere
    }

    /// Answers once the publisher's node has.
    pub(super) fn ask_picture(
        &mut self,
        exchange: Exchange<'_>,
        asked: AskedPicture,
    ) -> Result<(), Refusal> {
        let now = self.clock.now();
        let number = self
            .service_mut()
            .and_then(|service| service.ask_picture(asked.name().as_str(), asked.which(), now));
        let number = number.ok_or_else(Refusal::full)?;
        let Exchange { id, head, rest } = exchange;
        let recall = Recall::new(head.clone(), rest.freeze(), false);
        if let Some(nodes) = &mut self.nodes {
            nodes.pictures.insert(number, (id, asked));
        }
        self.enter(id, State::Recalling(Box::new(recall)));
        Ok(())
    }

    pub(super) fn picture_came(&mut self, number: u64, sent: Option<Sent>) {
        let awaited = self.nodes.as_mut().map(|nodes| &mut nodes.pictures);
        let Some((id, asked)) = awaited.and_then(|pictures| pictures.remove(&number)) else {
            return;
        };
        let session = self.sessions.get_mut(id);
        let Some(mut recall) = session.and_then(|session| session.take_recall()) else {
            return;
        };
        recall.answered();
        let picture = sent.and_then(|sent| Picture::from_node(&sent.media_type, sent.bytes));
        match picture.map_or_else(|| asked.without(), Ok) {
            Ok(picture) => {
                let caching = self.cache_control(asked.name());
                self.respond(exchange(id, &recall), |to| to.picture(&picture, caching));
            }
            Err(refusal) => self.refuse_recall(id, &recall, refusal),
        }
    }

    /// Another node asks for a picture for a client of its own.
    pub(super) fn answer_picture(&mut self, name: &Arc<str>, which: Which, reply: String) {
        let Ok(name) = StreamName::try_from(&**name) else {
            return;
        };
        let picture = match which {
            Which::Poster => self.poster(&name),
            Which::Keyframe => self.keyframe(&name),
            Which::Still => self.still(&name),
        };
        let sent = picture.map(|picture| Sent {
            media_type: picture.media_type.to_owned(),
            bytes: picture.bytes,
        });
        if let Some(service) = self.service_mut() {
            service.answer_picture(reply, sent);
        }
    }
}
