//! The body of a request, and its signature.

use super::{Event, What};
use crate::secret::Secret;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use sha2::Sha256;
use std::fmt::Write as _;
use std::time::SystemTime;

/// The field of a request that has the signature of its body.
pub const SIGNATURE: &str = "X-Videostream-Signature";

/// Gives each event an id that no other event has, of this process or another.
#[derive(Debug)]
pub struct Stamps {
    process: String,
    count: u64,
    /// The name of this node, where there are several.
    node: Option<String>,
}

/// What is sent.
struct Body<'a> {
    id: &'a str,
    time: &'a str,
    event: &'a Event,
    node: Option<&'a str>,
}

impl Stamps {
    /// `random` tells this process from all others.
    pub fn new(random: [u8; 12], node: Option<String>) -> Stamps {
        Stamps {
            process: hex(&random),
            count: 0,
            node,
        }
    }

    /// The body for an event that happened at `time`.
    pub fn body(&mut self, event: &Event, time: SystemTime) -> Bytes {
        self.count += 1;
        let body = Body {
            id: &format!("{}-{}", self.process, self.count),
            time: &humantime::format_rfc3339_millis(time).to_string(),
            event,
            node: self.node.as_deref(),
        };
        let text = serde_json::to_vec(&body).expect("its keys are strings");
        text.into()
    }
}

/// In this order, the longest part last.
impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.id)?;
        map.serialize_entry("time", self.time)?;
        map.serialize_entry("event", self.event.what.name())?;
        map.serialize_entry("stream", &*self.event.stream)?;
        if let Some(node) = self.node {
            map.serialize_entry("node", node)?;
        }
        match &self.event.what {
            What::PublishEnded { reason } => map.serialize_entry("reason", reason)?,
            What::RecordingFinished {
                file,
                url,
                duration_ms,
                bytes,
            } => {
                map.serialize_entry("file", file)?;
                map.serialize_entry("url", url)?;
                map.serialize_entry("duration_ms", duration_ms)?;
                map.serialize_entry("bytes", bytes)?;
            }
            What::PublishStarted | What::FirstViewer | What::LastViewerLeft => {}
        }
        map.end()
    }
}

/// The value of [`SIGNATURE`]: the HMAC-SHA256 of the body.
pub fn signature(secret: &Secret, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes());
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline_reason::OfflineReason;
    use std::time::{Duration, Instant};

    fn body(stamps: &mut Stamps, what: What) -> String {
        let event = Event {
            stream: "garden".into(),
            at: Instant::now(),
            what,
        };
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_839_925_042);
        String::from_utf8(stamps.body(&event, time).to_vec()).unwrap()
    }

    #[test]
    fn body_tells_what_happened_when_and_to_which_stream() {
        let mut stamps = Stamps::new([0xab; 12], None);
        let start = |count, event| {
            format!(
                r#"{{"id":"abababababababababababab-{count}","time":"2025-11-22T19:32:05.042Z","event":"{event}","stream":"garden""#
            )
        };
        for (count, what, rest) in [
            (1, What::PublishStarted, "}"),
            (2, What::FirstViewer, "}"),
            (3, What::LastViewerLeft, "}"),
        ] {
            let expected = start(count, what.name()) + rest;
            assert_eq!(body(&mut stamps, what), expected);
        }
        let reason = OfflineReason::Lost;
        assert_eq!(
            body(&mut stamps, What::PublishEnded { reason }),
            start(4, "publish-ended") + r#","reason":"lost"}"#
        );
        let finished = What::RecordingFinished {
            file: "a.webm".into(),
            url: "/recordings/garden/a.webm".into(),
            duration_ms: 1500,
            bytes: 4096,
        };
        assert_eq!(
            body(&mut stamps, finished),
            start(5, "recording-finished")
                + r#","file":"a.webm","url":"/recordings/garden/a.webm","duration_ms":1500,"bytes":4096}"#
        );
    }

    /// RFC 4231, test case 2.
    #[test]
    fn signature_is_the_hmac_of_the_body() {
        assert_eq!(
            signature(&"Jefe".into(), b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
