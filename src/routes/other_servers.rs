//! What other servers take and this one does not: addresses such as a mount of Icecast's or a
//! playlist, uploads in parts, Ogg.
//!
//! They are refused, and the refusal names what works here.

use crate::http::RequestHead;
use crate::http::refusal::{Cause, Refusal};
use crate::stream_name::StreamName;

/// Endings of files that other servers have for a stream, and we have not.
const FOREIGN_ENDINGS: [&str; 14] = [
    ".mkv", ".mp4", ".m4s", ".m4v", ".mov", ".m3u8", ".mpd", ".ts", ".flv", ".avi", ".ogg", ".ogv",
    ".oga", ".mp3",
];

/// The stream's name in a file name that other servers have for a stream, such as `demo.mp4`.
pub(super) fn foreign_file(last: &str) -> Option<&str> {
    FOREIGN_ENDINGS.into_iter().find_map(|ending| {
        let at = last.len().checked_sub(ending.len())?;
        let (name, found) = last.split_at_checked(at)?;
        found.eq_ignore_ascii_case(ending).then_some(name)
    })
}

/// Refuses a file that other servers would have, and names ours.
pub(super) fn refuse_foreign_file(last: &str) -> Result<(), Refusal> {
    let Some(name) = foreign_file(last) else {
        return Ok(());
    };
    let name = StreamName::try_from(name).map_or("NAME".to_owned(), |name| name.to_string());
    let reason = format!("there is no such file: the stream is at /live/{name}.webm");
    Err(Refusal::no_address(reason))
}

/// Types of media that Icecast's source clients send and that never are WebM.
const OGG_TYPES: [&str; 3] = ["application/ogg", "audio/ogg", "video/ogg"];

/// Refuses a stream in parts and a stream in Ogg before their first byte: a client that reads the
/// answer to its head, and no later one, still learns why.
pub(super) fn refuse_unfit_upload(head: &RequestHead) -> Result<(), Refusal> {
    // RFC 9110, 14.5. GStreamer's `souphttpclientsink` sends each of its buffers so.
    if head.is_partial {
        let reason = "a request with Content-Range is a part of a stream: \
            send the whole stream in one request (in GStreamer: with shout2send)";
        return Err(Refusal::new(400, reason).because(Cause::Media));
    }
    let content_type = head.content_type.as_deref().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_sent = |ogg: &str| essence.eq_ignore_ascii_case(ogg);
    if OGG_TYPES.into_iter().any(is_sent) {
        let reason = "Ogg is not WebM: send video/webm or audio/webm (ffmpeg makes it of Ogg)";
        return Err(Refusal::new(415, reason).because(Cause::Media));
    }
    Ok(())
}

impl Refusal {
    /// Names the address to publish at, for a publisher that used another server's kind of address.
    pub(super) fn and_publish_at(mut self, path: &str) -> Self {
        let name = mount_name(path).map_or("NAME".to_owned(), |name| name.to_string());
        self.reason = format!("{}: publish to /live/{name}.webm", self.reason).into();
        self
    }

    /// The same for a listener, where the address looks like a mount of Icecast's: `/NAME.webm`.
    pub(super) fn and_watch_at(mut self, path: &str) -> Self {
        let is_media = path.ends_with(".webm") || foreign_file(path).is_some();
        if let Some(name) = mount_name(path).filter(|_| is_media) {
            self.reason = format!("{}: the stream is at /live/{name}.webm", self.reason).into();
        }
        self
    }
}

/// The stream that a mount of another server's names: the last part of the path without its ending.
fn mount_name(path: &str) -> Option<StreamName> {
    let last = path.rsplit('/').next()?;
    let stem = last
        .strip_suffix(".webm")
        .or(foreign_file(last))
        .unwrap_or(last);
    StreamName::try_from(stem).ok()
}
