//! Pictures that stand for streams: as their publishers send them, as their keyframes show them, or of
//! name and colour.

use super::Hub;
use super::broadcast::Broadcast;
use super::requests::{Exchange, not_live};
use crate::access::Shown;
use crate::http::refusal::{Cause, Refusal};
use crate::http::response::CONTINUE;
use crate::http::{Body, Method};
use crate::picture::Picture;
use crate::service::errands::Errand;
use crate::session::body::BodyReader;
use crate::session::{Posting, SessionId, Socket, State};
use crate::stream::Stream;
use crate::stream_name::StreamName;
use crate::webm::first_frame;
use bytes::{Bytes, BytesMut};
use std::mem;

/// The first bytes of a JPEG: start of image, and the marker after it.
const JPEG_MAGIC: [u8; 3] = [0xff, 0xd8, 0xff];

/// Frames of this codec can be wrapped as pictures.
const CODEC_ID_VP8: &str = "V_VP8";

/// Chunks of a GOP that are looked through for its keyframe.
const KEYFRAME_CHUNKS_MAX: usize = 4;

impl<S: Socket> Hub<S> {
    pub(super) fn open_posting(
        &mut self,
        exchange: Exchange<'_>,
        name: StreamName,
    ) -> Result<(), Refusal> {
        let Exchange { id, head, rest } = exchange;
        if let Body::Length(length) = head.body
            && length > self.settings.limits.poster_bytes as u64
        {
            return Err(self.poster_too_large());
        }
        let publication = self.publication(&name).ok_or_else(not_live)?;
        if head.expect_continue {
            self.sessions[id].send(CONTINUE);
            self.queue_write(id);
        }
        let posting = Posting {
            name,
            publication,
            head: head.clone(),
            body: BodyReader::new(head.body),
            jpeg: BytesMut::new(),
        };
        self.enter(id, State::Posting(Box::new(posting)));
        self.post(id, rest.freeze(), false)?;
        self.queue_read(id);
        Ok(())
    }

    /// Reads more of a poster.
    pub(super) fn read_poster(&mut self, id: SessionId) -> bool {
        match self.sessions[id].read_piece(&mut self.turn.read_buffer) {
            Ok(Some(bytes)) => {
                let is_end = bytes.is_empty();
                if let Err(refusal) = self.post(id, bytes, is_end) {
                    self.refuse(id, &refusal, Method::Put);
                }
            }
            Ok(None) => {}
            Err(_) => self.drop_session(id),
        }
        self.sessions[id].readiness().can_read()
    }

    /// Adds bytes to a poster, and makes it the stream's once it is whole.
    fn post(&mut self, id: SessionId, mut bytes: Bytes, is_end: bool) -> Result<(), Refusal> {
        let Some(posting) = self.sessions[id].posting_mut() else {
            return Ok(());
        };
        let mut is_too_large = false;
        while let Some(piece) = posting.body.take(&mut bytes)? {
            is_too_large |= posting.jpeg.len() + piece.len() > self.settings.limits.poster_bytes;
            if is_too_large {
                return Err(self.poster_too_large());
            }
            posting.jpeg.extend_from_slice(&piece);
        }
        let is_whole = posting.body.is_at_end() || (is_end && posting.body.ends_with_connection());
        if !is_whole {
            if is_end {
                self.drop_session(id);
            }
            return Ok(());
        }
        if !posting.jpeg.starts_with(&JPEG_MAGIC) {
            return Err(Refusal::new(415, "a poster is a JPEG picture").because(Cause::Media));
        }
        let jpeg = mem::take(&mut posting.jpeg).freeze();
        let (name, mut head) = (posting.name.clone(), posting.head.clone());
        let publication = posting.publication;
        self.set_poster(&name, publication, jpeg)?;
        // The upload has been read to its end, so the connection may go on.
        head.body = Body::None;
        let exchange = Exchange {
            id,
            head: &head,
            rest: BytesMut::from(&bytes[..]),
        };
        self.respond(exchange, |to| to.no_content());
        Ok(())
    }

    fn set_poster(
        &mut self,
        name: &StreamName,
        publication: u64,
        jpeg: Bytes,
    ) -> Result<(), Refusal> {
        if self.is_published_elsewhere(name.as_str()) {
            let is_sent = self.send_errand(name.as_str(), Errand::Poster(jpeg));
            let reason = "too large for NATS between nodes: raise its max_payload";
            return is_sent.then_some(()).ok_or(Refusal::new(413, reason));
        }
        let stream_id = self.streams.find(name.as_str());
        let broadcast = stream_id.and_then(|id| self.streams.broadcast_mut(id));
        let is_set = broadcast.is_some_and(|one| one.set_poster(publication, Picture::jpeg(jpeg)));
        is_set.then_some(()).ok_or_else(not_live)
    }

    /// Sets the poster that its publisher's page sent to another node.
    pub(super) fn take_poster(&mut self, name: &StreamName, jpeg: Bytes) {
        let limit = self.settings.limits.poster_bytes;
        if jpeg.starts_with(&JPEG_MAGIC)
            && jpeg.len() <= limit
            && let Some(publication) = self.publication(name)
        {
            // It may have left just now.
            let _gone = self.set_poster(name, publication, jpeg);
        }
    }

    fn poster_too_large(&self) -> Refusal {
        let limit = self.settings.limits.poster_bytes;
        Refusal::new(413, format!("a poster has at most {limit} bytes")).because(Cause::Limit)
    }

    fn publication(&self, name: &StreamName) -> Option<u64> {
        if self.is_published_elsewhere(name.as_str()) {
            // Its own node knows.
            return Some(0);
        }
        let stream_id = self.streams.find(name.as_str())?;
        self.streams.broadcast(stream_id)?.publication()
    }

    /// The newest keyframe of a live stream, if it is one of VP8. It is made into a picture once, and all
    /// who ask share its bytes.
    pub(super) fn keyframe(&mut self, name: &StreamName) -> Option<Picture> {
        let id = self.streams.find(name.as_str())?;
        let sequence = self.streams.stream(id).ring().join_point()?;
        let made = self.streams.broadcast(id)?.keyframe_picture(sequence);
        if let Some(made) = made {
            return Some(made.clone());
        }
        let picture = wrap_keyframe(self.streams.stream(id), sequence)?;
        let broadcast = self.streams.broadcast_mut(id)?;
        broadcast.keep_keyframe_picture(sequence, picture.clone());
        Some(picture)
    }

    /// What the publisher on air has sent.
    pub(super) fn poster(&self, name: &StreamName) -> Option<Picture> {
        let stream_id = self.streams.find(name.as_str())?;
        self.streams.broadcast(stream_id)?.poster().cloned()
    }

    /// What shows of a live stream what is on it.
    pub(super) fn still(&mut self, name: &StreamName) -> Option<Picture> {
        self.poster(name).or_else(|| self.keyframe(name))
    }

    /// How caches may keep the media of a stream that can change: asking each time, and those that many
    /// share not at all where it is not for everybody.
    pub(super) fn cache_control(&self, name: &StreamName) -> &'static str {
        if self.is_public(name) {
            "no-cache"
        } else {
            "private, no-cache"
        }
    }

    /// Whether everybody may watch a stream.
    pub(super) fn is_public(&self, name: &StreamName) -> bool {
        self.authorizer.is_none() && self.settings.access.may_watch(name, &Shown::default())
    }
}

/// Names the picture of a stream without making it: the picture is the same while the version is.
pub(super) fn poster_version(stream: &Stream, broadcast: &Broadcast) -> Option<String> {
    if let Some(poster) = broadcast.poster() {
        return Some(poster.etag.trim_matches('"').to_owned());
    }
    let recording = &stream.init().filter(|_| stream.is_live())?.recording;
    let is_vp8 = recording.tracks[recording.video()?].codec_id == CODEC_ID_VP8;
    let sequence = stream.ring().join_point()?;
    let publication = broadcast.publication()?;
    is_vp8.then(|| format!("{publication}-{sequence}"))
}

/// The keyframe of a live stream that begins with this chunk, or soon behind it.
fn wrap_keyframe(stream: &Stream, sequence: u64) -> Option<Picture> {
    let recording = &stream.init().filter(|_| stream.is_live())?.recording;
    let video = recording.video()?;
    if recording.tracks[video].codec_id != CODEC_ID_VP8 {
        return None;
    }
    // Tracks are numbered anew, from 1.
    let track_number = video as u64 + 1;
    let ring = stream.ring();
    let since_keyframe = sequence..ring.live_edge();
    // The keyframe is the first block of the picture, and sound that came before it the first of
    // all: they are not far.
    let chunks = since_keyframe.take(KEYFRAME_CHUNKS_MAX);
    let mut chunks = chunks.filter_map(|sequence| ring.chunk(sequence));
    chunks.find_map(|chunk| {
        let payload = chunk.framed.payload();
        Picture::keyframe(first_frame(&payload, track_number)?)
    })
}
