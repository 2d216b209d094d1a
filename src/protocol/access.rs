//! Keys and origins: who may publish, who may watch.
//!
//! The key comes with the request ([`RequestHead::key`](super::http::RequestHead::key)), the rules
//! from the options. A stream's own key takes the place of the server's. A publish key also opens
//! viewing of its stream.
//!
//! Origins guard against one thing: a page elsewhere that opens a WebSocket in the name of the
//! person who looks at it (RFC 6455, 10.2). A client that is no browser can send any Origin, so it
//! is no substitute for a key.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use sha1::{Digest as _, Sha1};
use subtle::{Choice, ConstantTimeEq as _};

use super::route::{Refusal, StreamName};

/// A key, which no log and no error message may show: its `Debug` is `***`.
///
/// Comparing two takes the same time whatever they have in common. What is compared is their SHA-1,
/// worked out once when each is made: so the lengths are equal, and neither the length nor the
/// first letters of a configured key can be found by timing guesses. (No collision helps a guesser:
/// one of the two texts is unknown to them.)
#[derive(Clone, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret {
    text: String,
    digest: [u8; 20],
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let digest = Sha1::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    /// The key itself, for those who must send or print it by name.
    pub fn expose(&self) -> &str {
        &self.text
    }

    fn matches(&self, other: &Self) -> Choice {
        self.digest.ct_eq(&other.digest)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other).into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Who may publish to streams that have no key of their own.
#[derive(Debug, Clone)]
pub enum PublishPolicy {
    Open,
    Key(Secret),
}

/// One stream's own keys; `None` leaves the server's rule.
#[derive(Debug, Clone, Default)]
pub struct StreamKeys {
    pub publish: Option<Secret>,
    pub watch: Option<Secret>,
}

/// An `allow_origin` that no browser would send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a web origin such as https://example.com, nor *")]
pub struct BadOrigin(pub String);

/// All rules about who may do what.
#[derive(Debug, Clone)]
pub struct Access {
    publish: PublishPolicy,
    watch_key: Option<Secret>,
    streams: BTreeMap<StreamName, StreamKeys>,
    any_origin: bool,
    origins: Vec<Origin>,
}

impl Access {
    /// `allow_origin` are origins as browsers send them (`https://example.com`), or `*` for any.
    pub fn new(
        publish: PublishPolicy,
        watch_key: Option<Secret>,
        streams: BTreeMap<StreamName, StreamKeys>,
        allow_origin: &[String],
    ) -> Result<Self, BadOrigin> {
        let mut access = Self {
            publish,
            watch_key,
            streams,
            any_origin: false,
            origins: Vec::new(),
        };
        for text in allow_origin {
            match Origin::parse(text) {
                Some(origin) => access.origins.push(origin),
                None if text == "*" => access.any_origin = true,
                None => return Err(BadOrigin(text.clone())),
            }
        }
        Ok(access)
    }

    /// May whoever offers this key publish (or send a poster to, or end) this stream?
    pub fn publish(&self, name: &StreamName, offered: Option<&Secret>) -> Result<(), Refusal> {
        let Some(key) = self.publish_key(name) else {
            return Ok(());
        };
        admit(offered.map(|offered| key.matches(offered)))
    }

    /// May whoever offers this key watch this stream?
    pub fn watch(&self, name: &StreamName, offered: Option<&Secret>) -> Result<(), Refusal> {
        let Some(key) = self.watch_key(name) else {
            return Ok(());
        };
        admit(offered.map(|offered| match self.publish_key(name) {
            Some(publish) => key.matches(offered) | publish.matches(offered),
            None => key.matches(offered),
        }))
    }

    /// May a page of this origin open a WebSocket here? `host` is the request's own Host.
    pub fn origin(&self, origin: Option<&str>, host: Option<&str>) -> Result<(), Refusal> {
        let Some(origin) = origin else { return Ok(()) };
        if self.any_origin {
            return Ok(());
        }
        let is_welcome = Origin::parse(origin).is_some_and(|origin| {
            host.is_some_and(|host| origin.is_at(host)) || self.origins.contains(&origin)
        });
        if is_welcome {
            return Ok(());
        }
        Err(Refusal::forbidden(
            "pages of this origin may not connect here: see --allow-origin",
        ))
    }

    fn publish_key(&self, name: &StreamName) -> Option<&Secret> {
        let own = self
            .streams
            .get(name)
            .and_then(|keys| keys.publish.as_ref());
        own.or(match &self.publish {
            PublishPolicy::Open => None,
            PublishPolicy::Key(key) => Some(key),
        })
    }

    fn watch_key(&self, name: &StreamName) -> Option<&Secret> {
        let own = self.streams.get(name).and_then(|keys| keys.watch.as_ref());
        own.or(self.watch_key.as_ref())
    }
}

fn admit(matched: Option<Choice>) -> Result<(), Refusal> {
    match matched.map(bool::from) {
        Some(true) => Ok(()),
        Some(false) | None => Err(Refusal::unauthorized()),
    }
}

/// A web origin (RFC 6454): scheme, host and port, in lower case.
///
/// `null`, which browsers send for sandboxed frames and files, is none: it matches nothing but `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    fn parse(origin: &str) -> Option<Self> {
        let origin = origin.to_ascii_lowercase();
        let (scheme, authority) = origin.split_once("://")?;
        // The slash that people copy from the address bar does no harm.
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = host_and_port(authority, default_port(scheme)?)?;
        Some(Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Whether `host`, a Host field, names the server that this origin's pages came from.
    ///
    /// A Host without a port is taken to mean the default port of the origin's scheme: behind a
    /// proxy that ends TLS, we could not know whether the person sees `http` or `https`.
    fn is_at(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let default = default_port(&self.scheme);
        let found = default.and_then(|default| host_and_port(&host, default));
        found.is_some_and(|(host, port)| host == self.host && port == self.port)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn host_and_port(authority: &str, default: u16) -> Option<(&str, u16)> {
    // The colons inside `[::1]` are not the port's.
    let after_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match authority[after_brackets..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_brackets + colon);
            (host, port[1..].parse().ok()?)
        }
        None => (authority, default),
    };
    let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    is_host.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> StreamName {
        StreamName::try_from(name).expect("a valid name")
    }

    fn access(publish: PublishPolicy, watch: Option<&str>) -> Access {
        let own = StreamKeys {
            publish: Some("own-p".into()),
            watch: Some("own-w".into()),
        };
        let streams = BTreeMap::from([(name("own"), own)]);
        let origins = ["https://Good.example/".to_owned(), "http://b:81".to_owned()];
        Access::new(publish, watch.map(Secret::from), streams, &origins).expect("origins")
    }

    fn keyed() -> Access {
        access(PublishPolicy::Key("p".into()), Some("w"))
    }

    #[test]
    fn publishing_needs_the_key_unless_open() {
        let key = |key: &'static str| Some(Secret::from(key));
        let may = |access: &Access, stream, offered: Option<Secret>| {
            access.publish(&name(stream), offered.as_ref()).is_ok()
        };
        assert!(may(&keyed(), "a", key("p")));
        for wrong in [None, key("w"), key("P"), key("pp"), key("")] {
            assert_eq!(
                keyed().publish(&name("a"), wrong.as_ref()),
                Err(Refusal::unauthorized())
            );
        }
        let open = access(PublishPolicy::Open, None);
        assert!(may(&open, "a", None) && may(&open, "a", key("anything")));
        assert!(!may(&open, "own", None) && may(&open, "own", key("own-p")));
        assert!(!may(&keyed(), "own", key("p")));
    }

    #[test]
    fn watching_needs_the_watch_key_or_the_publish_key_of_the_stream() {
        let may = |stream, key: &str| keyed().watch(&name(stream), Some(&key.into())).is_ok();
        assert!(may("a", "w") && may("a", "p") && !may("a", "own-w"));
        assert!(may("own", "own-w") && may("own", "own-p") && !may("own", "w"));
        assert!(keyed().watch(&name("a"), None).is_err());
        assert!(
            access(PublishPolicy::Key("p".into()), None)
                .watch(&name("a"), None)
                .is_ok()
        );
    }

    #[test]
    fn same_origin_counts_default_ports_and_ignores_case() {
        let same = |origin, host| keyed().origin(Some(origin), Some(host)).is_ok();
        assert!(same("http://localhost:8080", "localhost:8080"));
        assert!(same("http://Example.com", "example.COM:80"));
        assert!(same("https://example.com", "example.com"));
        assert!(same("http://[::1]:8080", "[::1]:8080"));
        assert!(same("http://[::1]", "[::1]"));
        assert!(!same("http://localhost:8080", "localhost:8081"));
        assert!(!same("http://localhost:8080", "127.0.0.1:8080"));
        assert!(!same("http://example.com", "example.com:443"));
        assert!(!same("http://evil.example", "example.com"));
    }

    #[test]
    fn foreign_origin_gets_403_unless_listed() {
        let origin = |origin| keyed().origin(Some(origin), Some("here"));
        assert!(
            origin("https://good.example").is_ok() && origin("https://good.example:443").is_ok()
        );
        assert!(origin("http://b:81").is_ok());
        for foreign in [
            "http://good.example",
            "http://b",
            "null",
            "",
            "file://",
            "http://",
            "*",
        ] {
            assert_eq!(
                origin(foreign).map_err(|refusal| refusal.status),
                Err(403),
                "{foreign}"
            );
        }
        assert!(keyed().origin(None, None).is_ok());
        assert!(keyed().origin(Some("http://here"), None).is_err());
    }

    #[test]
    fn star_lets_every_origin_in() {
        let listed = |origin: &str| {
            Access::new(
                PublishPolicy::Open,
                None,
                BTreeMap::new(),
                &[origin.to_owned()],
            )
        };
        let any = listed("*").expect("any origin");
        assert!(any.origin(Some("null"), Some("a")).is_ok());
        assert!(any.origin(Some("http://evil.example"), None).is_ok());
        assert_eq!(
            listed("example.com").err(),
            Some(BadOrigin("example.com".to_owned()))
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let key = Secret::new("hunter2");
        assert_eq!(format!("{key:?}"), "***");
        assert!(!format!("{:?}", access(PublishPolicy::Key(key), None)).contains("hunter2"));
    }
}
