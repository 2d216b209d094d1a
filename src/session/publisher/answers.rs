//! The last bytes that a publisher gets: an answer to what it did, or the server's end.

use super::{Fed, Feed, Publisher, PublisherEnd, Upload};
use crate::http::Method;
use crate::http::date::HttpDate;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, ResponseHead, refuse};
use crate::websocket::messages::ToPublisher;
use crate::websocket::{CloseCode, close_frame};

/// The answer to a text message.
const SEND_BINARY: &str = "send binary messages";

impl Publisher {
    /// The final answer: what the publisher did wrong, or that all is well. `is_serving`: another
    /// request may follow.
    pub fn answer(&mut self, fed: &Fed, date: HttpDate, is_serving: bool) -> Vec<u8> {
        match &mut self.feed {
            Feed::Handed | Feed::Remote(_) => Vec::new(),
            Feed::WebSocket { .. } => self.answer_websocket(fed),
            Feed::Body(upload) => {
                upload.stamp.date = Some(date);
                upload.may_ask_again &= is_serving;
                upload.answer(fed)
            }
        }
    }

    fn answer_websocket(&self, fed: &Fed) -> Vec<u8> {
        match fed {
            Fed::Blocked | Fed::More | Fed::Ready | Fed::Gone => Vec::new(),
            // tungstenite has answered.
            Fed::Finished | Fed::Aborted | Fed::BadBody(_) => Vec::new(),
            Fed::Text => {
                let warning = ToPublisher::Warning {
                    code: "text".into(),
                    message: SEND_BINARY.into(),
                };
                let close = close_frame(CloseCode::Unsupported, SEND_BINARY);
                [self.frame(&warning), close].concat()
            }
            Fed::BadFrames(code, reason) => close_frame(*code, reason),
            Fed::BadMedia(error) => {
                let code = if error.is_other_format() {
                    CloseCode::Unsupported
                } else {
                    CloseCode::InvalidPayload
                };
                close_frame(code, &error.to_string())
            }
        }
    }

    /// The last bytes, when the server ends it.
    pub fn closing(&mut self, end: PublisherEnd<'_>, date: HttpDate) -> Vec<u8> {
        match &mut self.feed {
            Feed::WebSocket { .. } | Feed::Handed => close_frame(end.code, end.reason),
            Feed::Remote(_) => Vec::new(),
            Feed::Body(upload) => {
                upload.stamp.date = Some(date);
                upload.refuse(&Refusal::new(end.status, end.reason.to_owned()))
            }
        }
    }
}

impl Upload {
    fn answer(&self, fed: &Fed) -> Vec<u8> {
        match fed {
            Fed::Blocked | Fed::More | Fed::Ready | Fed::Gone => Vec::new(),
            Fed::BadFrames(..) | Fed::Text | Fed::Aborted => Vec::new(),
            Fed::Finished => {
                let head = ResponseHead::new(200).stamp(&self.stamp).length(0);
                let connection = Connection::keep_alive(self.may_ask_again);
                head.connection(connection).into_bytes()
            }
            Fed::BadBody(error) => self.refuse(&Refusal::from(error.clone())),
            Fed::BadMedia(error) => {
                let status = if error.is_other_format() { 415 } else { 400 };
                self.refuse(&Refusal::new(status, error.to_string()))
            }
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Vec<u8> {
        refuse(refusal, Method::Put, Connection::Close, &self.stamp)
    }
}
