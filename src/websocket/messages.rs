//! The text messages of the `videostream.v1` subprotocol: JSON objects with a `type`.
//!
//! Both ends speak them: the server writes with `to_json`, the client reads with `parse`, for which
//! an unknown type, or a field it does not know, is no error. So a server may learn new words
//! without a new version.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::offline_reason::OfflineReason;

/// The subprotocol of these messages.
pub const SUBPROTOCOL: &str = "videostream.v1";

/// A text message to a viewer, between the binary messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToViewer {
    /// The first message: which stream this is, and whether its publisher is here. `behind_ms`: how far
    /// behind live the viewer begins; 0 for one that is live. `back_ms`: how far back one can begin, in the
    /// first message alone.
    Hello {
        stream: String,
        live: bool,
        #[serde(default)]
        behind_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back_ms: Option<u64>,
    },
    /// The next binary message is an init segment. `behind_ms`: how long ago the media behind it came; 0
    /// for a viewer that is live. `backlog`: how many binary messages with media are here by now, and come
    /// at once behind it; none where they are paced.
    Init {
        mime: String,
        generation: u64,
        #[serde(default)]
        behind_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backlog: Option<u64>,
    },
    /// The viewer was too slow: the next binary message is of a newer GOP.
    Skip {
        from_ms: u64,
        to_ms: u64,
    },
    /// The publisher is silent: no media for `since_ms` milliseconds by now. It is still connected,
    /// as far as the server can tell.
    Stalled {
        since_ms: u64,
    },
    /// Media come again after `stalled`.
    Resumed,
    /// The publisher is gone. The connection stays: it may come back.
    Offline {
        #[serde(default)]
        reason: OfflineReason,
    },
    Viewers {
        count: u64,
    },
    /// Whether the server records the stream. Told where it does, or no longer does.
    Recording {
        on: bool,
    },
}

/// A text message to a publisher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToPublisher {
    /// The stream may be sent; `watch` is the viewers' address.
    Ready {
        watch: String,
    },
    Viewers {
        count: u64,
    },
    /// `code` for programs (`keyframe-interval`, `text`), `message` for people.
    Warning {
        code: String,
        message: String,
    },
    /// Please start a new recording: the server needs a keyframe.
    Restart,
    /// A newer publisher has taken the stream over.
    Replaced,
    /// Whether the server records the stream. Told at the start, and when it changes, by a server
    /// that can.
    Recording {
        on: bool,
    },
}

impl ToViewer {
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// `None` for what is not ours to understand.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text)
    }
}

impl ToPublisher {
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// `None` for what is not ours to understand.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text)
    }
}

fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("strings, numbers and booleans are always JSON")
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offline(reason: OfflineReason) -> ToViewer {
        ToViewer::Offline { reason }
    }

    #[test]
    fn offline_reasons_have_one_name_everywhere() {
        use OfflineReason::{Ended, Lost, Replaced};
        for reason in [Ended, Lost, Replaced] {
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{}\"", reason.name()));
        }
    }

    #[test]
    fn viewer_messages_read_as_the_contract_says() {
        for (message, json) in [
            (
                ToViewer::Hello {
                    stream: "a".to_owned(),
                    live: true,
                    behind_ms: 0,
                    back_ms: None,
                },
                r#"{"type":"hello","stream":"a","live":true,"behind_ms":0}"#,
            ),
            (
                ToViewer::Hello {
                    stream: "a".to_owned(),
                    live: true,
                    behind_ms: 5000,
                    back_ms: Some(30_000),
                },
                r#"{"type":"hello","stream":"a","live":true,"behind_ms":5000,"back_ms":30000}"#,
            ),
            (
                ToViewer::Init {
                    mime: "video/webm; codecs=\"vp8\"".to_owned(),
                    generation: 2,
                    behind_ms: 60_000,
                    backlog: None,
                },
                r#"{"type":"init","mime":"video/webm; codecs=\"vp8\"","generation":2,"behind_ms":60000}"#,
            ),
            (
                ToViewer::Init {
                    mime: "video/webm; codecs=\"vp8\"".to_owned(),
                    generation: 1,
                    behind_ms: 0,
                    backlog: Some(30),
                },
                r#"{"type":"init","mime":"video/webm; codecs=\"vp8\"","generation":1,"behind_ms":0,"backlog":30}"#,
            ),
            (
                ToViewer::Skip {
                    from_ms: 1,
                    to_ms: 2,
                },
                r#"{"type":"skip","from_ms":1,"to_ms":2}"#,
            ),
            (
                ToViewer::Stalled { since_ms: 2043 },
                r#"{"type":"stalled","since_ms":2043}"#,
            ),
            (ToViewer::Resumed, r#"{"type":"resumed"}"#),
            (
                offline(OfflineReason::Ended),
                r#"{"type":"offline","reason":"ended"}"#,
            ),
            (
                offline(OfflineReason::Lost),
                r#"{"type":"offline","reason":"lost"}"#,
            ),
            (
                offline(OfflineReason::Replaced),
                r#"{"type":"offline","reason":"replaced"}"#,
            ),
            (
                ToViewer::Viewers { count: 3 },
                r#"{"type":"viewers","count":3}"#,
            ),
        ] {
            assert_eq!(message.to_json(), json);
            assert_eq!(ToViewer::parse(json), Some(message));
        }
    }

    #[test]
    fn publisher_messages_read_as_the_contract_says() {
        let (code, message) = ("keyframe-interval".to_owned(), "no keyframe".to_owned());
        for (message, json) in [
            (
                ToPublisher::Ready {
                    watch: "/live/a".to_owned(),
                },
                r#"{"type":"ready","watch":"/live/a"}"#,
            ),
            (
                ToPublisher::Viewers { count: 0 },
                r#"{"type":"viewers","count":0}"#,
            ),
            (
                ToPublisher::Warning { code, message },
                r#"{"type":"warning","code":"keyframe-interval","message":"no keyframe"}"#,
            ),
            (ToPublisher::Restart, r#"{"type":"restart"}"#),
            (ToPublisher::Replaced, r#"{"type":"replaced"}"#),
        ] {
            assert_eq!(message.to_json(), json);
            assert_eq!(ToPublisher::parse(json), Some(message));
        }
    }

    #[test]
    fn unknown_words_are_ignored() {
        for json in [
            r#"{"type":"offline"}"#,
            r#"{"type":"offline","reason":"new"}"#,
            r#"{"type":"offline","reason":"lost","new":1}"#,
        ] {
            assert_eq!(ToViewer::parse(json), Some(offline(OfflineReason::Lost)));
        }
        for text in [
            r#"{"type":"new"}"#,
            r#"{"type":"hello"}"#,
            "{}",
            "[]",
            "",
            "x",
        ] {
            assert_eq!(ToViewer::parse(text), None, "{text}");
            assert_eq!(ToPublisher::parse(text), None, "{text}");
        }
    }
}
