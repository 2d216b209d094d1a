//! Whole responses: pages, JSON, posters, and "nothing has changed".

use crate::http::response::{Connection, Readers, ResponseHead, Stamp};
use crate::http::{Method, RequestHead};
use crate::pages::{CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_EMBED, Page};
use crate::picture::Picture;
use bytes::Bytes;

/// What a page elsewhere may send beside the fields that any page may send.
const CORS_REQUEST_FIELDS: &str = "Authorization, Content-Type, Range";

/// Seconds for which a browser may reuse the answer to a CORS preflight: two hours, the most that
/// Chromium takes.
const CORS_MAX_AGE_S: u32 = 7200;

/// A response in two parts: the body is shared, not copied.
#[derive(Debug)]
pub struct WholeResponse {
    pub head: Vec<u8>,
    /// Empty for HEAD and 304.
    pub body: Bytes,
}

/// Which pages may put a page into a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedding {
    SameOrigin,
    /// The bare player.
    Anyone,
}

/// Something that caches may keep.
#[derive(Debug)]
pub struct Kept {
    pub media_type: String,
    /// `None` for what changes.
    pub etag: Option<String>,
    pub cache_control: &'static str,
    pub bytes: Bytes,
}

/// What a response needs to know of its request.
#[derive(Debug, Clone, Copy)]
pub struct ResponseTo<'a> {
    pub head: &'a RequestHead,
    pub connection: Connection,
    pub stamp: &'a Stamp,
}

impl ResponseTo<'_> {
    /// A page or one of its parts, compressed if that pays.
    pub fn page(self, page: &Page, embedding: Embedding) -> WholeResponse {
        let policy = match embedding {
            Embedding::SameOrigin => CONTENT_SECURITY_POLICY,
            Embedding::Anyone => CONTENT_SECURITY_POLICY_EMBED,
        };
        let gzip = page.gzip();
        let sent = gzip
            .filter(|_| self.head.accepts_gzip)
            .unwrap_or_else(|| page.plain());
        let cache_control = if page.is_immutable {
            "public, max-age=31536000, immutable"
        } else {
            // A browser asks for it again each time and gets 304: a new server is seen at once.
            "no-cache"
        };
        let head = |status| {
            let mut head = ResponseHead::new(status)
                .header("ETag", &sent.etag)
                .header("Cache-Control", cache_control);
            if page.needs_policy() {
                head = head
                    .header("Content-Security-Policy", policy)
                    .header("Referrer-Policy", "no-referrer");
            }
            if gzip.is_some() {
                head = head.vary("Accept-Encoding");
            }
            // Pages see no request headers: `web/start-alone.js` reads it here.
            match self.head.led_by {
                Some(led_by) if page.is_document() => {
                    let entry = format!("led-by;desc=\"{}\"", led_by.as_str());
                    head.header("Server-Timing", entry)
                }
                _ => head,
            }
        };
        if self.has(&sent.etag) {
            return self.bodiless(head(304));
        }
        let mut head = head(200).header("Content-Type", page.content_type);
        if gzip.is_some_and(|gzip| std::ptr::eq(gzip, sent)) {
            head = head.header("Content-Encoding", "gzip");
        }
        self.body(head, sent.bytes.clone())
    }

    /// A part of a page. Pages elsewhere may read it: `/player.js` is a module for them, and imports others.
    pub fn asset(self, page: &Page) -> WholeResponse {
        let stamp = Stamp {
            readers: Readers::Any,
            ..self.stamp.clone()
        };
        let to = ResponseTo {
            stamp: &stamp,
            ..self
        };
        to.page(page, Embedding::SameOrigin)
    }

    /// A picture. With `no-cache` a client asks for it again each time, and gets 304 while it is the same.
    pub fn picture(self, picture: &Picture, cache_control: &str) -> WholeResponse {
        let head = |status| {
            let head = ResponseHead::new(status)
                .header("ETag", &picture.etag)
                .header("Cache-Control", cache_control);
            if picture.media_type == "image/svg+xml" {
                // As a document of its own it does no more than as a picture.
                head.header("Content-Security-Policy", "default-src 'none'")
            } else {
                head
            }
        };
        if self.has(&picture.etag) {
            return self.bodiless(head(304));
        }
        let head = head(200).header("Content-Type", picture.media_type);
        self.body(head, picture.bytes.clone())
    }

    /// What caches keep.
    pub fn kept(self, kept: Kept) -> WholeResponse {
        let head = |status| {
            let head = ResponseHead::new(status).header("Cache-Control", kept.cache_control);
            match &kept.etag {
                Some(etag) => head.header("ETag", etag),
                None => head,
            }
        };
        if kept.etag.as_deref().is_some_and(|etag| self.has(etag)) {
            return self.bodiless(head(304));
        }
        let head = head(200).header("Content-Type", &kept.media_type);
        self.body(head, kept.bytes)
    }

    /// The answer to OPTIONS: `allow` are the methods of the address. A page of an allowed origin
    /// also learns that it may use them.
    pub fn options(self, allow: &str) -> WholeResponse {
        let mut head = ResponseHead::new(204).header("Allow", format!("{allow}, OPTIONS"));
        if let Readers::Origin(_) = self.stamp.readers {
            head = head
                .header("Access-Control-Allow-Methods", allow)
                .header("Access-Control-Allow-Headers", CORS_REQUEST_FIELDS)
                .header("Access-Control-Max-Age", CORS_MAX_AGE_S);
        }
        self.bodiless(head)
    }

    pub fn text(self, content_type: &str, text: impl Into<Bytes>) -> WholeResponse {
        let head = ResponseHead::new(200)
            .header("Content-Type", content_type)
            .header("Cache-Control", "no-store");
        self.body(head, text.into())
    }

    pub fn no_content(self) -> WholeResponse {
        self.bodiless(ResponseHead::new(204))
    }

    fn body(self, head: ResponseHead, body: Bytes) -> WholeResponse {
        let head = head.length(body.len() as u64).connection(self.connection);
        let head = head.stamp(self.stamp);
        WholeResponse {
            head: head.into_bytes(),
            body: match self.head.method {
                Method::Head => Bytes::new(),
                _ => body,
            },
        }
    }

    fn bodiless(self, head: ResponseHead) -> WholeResponse {
        let head = head.connection(self.connection).stamp(self.stamp);
        WholeResponse {
            head: head.into_bytes(),
            body: Bytes::new(),
        }
    }

    /// Whether the client has this version already (RFC 9110, section 13.1.2).
    fn has(self, etag: &str) -> bool {
        self.head.has_etag(etag)
    }
}
