//! Keys and tokens: which requests may publish, and which may watch.
//!
//! What a request shows ([`Shown`]) comes with its head, the rules from the options, the time from
//! outside. [`Access::admit`] goes through all that guards a [`Route`]:
//!
//! ```text
//! names (a server on loopback alone) ─► origins (what pages may do) ─► a key, or a token
//! ```
//!
//! A stream's own key takes the place of the server's. A publish key, and a publish token, also
//! open viewing of their stream. A token is good wherever a key is, and takes no key's place.

pub mod origin;
pub mod token;

use std::collections::BTreeMap;

use subtle::Choice;

use crate::http::RequestHead;
use crate::http::refusal::{Cause, Refusal};
use crate::routes::{Permission, Route};
use crate::secret::Secret;
use crate::stream_name::StreamName;
use origin::{LocalNames, Origins};
use token::{Grant, TokenKey};

/// The rule for one thing, publishing or watching, on streams that have no key of their own for it.
#[derive(Debug, Clone)]
pub enum Policy {
    Open,
    /// Requests with this key, or with a token.
    Key(Secret),
    /// Requests with a token.
    Token,
}

/// One stream's own keys; `None` leaves the server's rule.
#[derive(Debug, Clone, Default)]
pub struct StreamKeys {
    pub publish: Option<Secret>,
    pub watch: Option<Secret>,
}

/// All rules about publishing and watching.
#[derive(Debug, Clone)]
pub struct Access {
    pub publish: Policy,
    pub watch: Policy,
    pub streams: BTreeMap<StreamName, StreamKeys>,
    /// What tokens are checked with, if there are any.
    pub tokens: Option<TokenKey>,
    pub origins: Origins,
    /// The host names under which the server may be addressed, if that matters.
    pub local_names: Option<LocalNames>,
}

/// The keys and grants that a request shows.
#[derive(Debug, Clone, Default)]
pub struct Shown<'a> {
    pub keys: Vec<&'a Secret>,
    /// The grants of its valid tokens.
    pub grants: Vec<Grant>,
}

impl Access {
    /// What this request shows, at `now` in seconds since 1970.
    ///
    /// A token may also come in a key's place: programs that know keys alone, as Bearer or as
    /// Basic's password, need not learn of it.
    pub fn shown<'a>(&self, head: &'a RequestHead, now: u64) -> Shown<'a> {
        let keys: Vec<&Secret> = head.keys.iter().collect();
        let grants = self.tokens.as_ref().map(|tokens| {
            let offered = head.token.iter().chain(&head.keys);
            offered
                .filter_map(|token| tokens.check(token.expose(), now))
                .collect()
        });
        Shown {
            keys,
            grants: grants.unwrap_or_default(),
        }
    }

    /// May this request be served?
    pub fn admit(
        &self,
        route: &Route,
        head: &RequestHead,
        shown: &Shown<'_>,
    ) -> Result<(), Refusal> {
        let Some(permission) = route.permission() else {
            return Ok(());
        };
        let host = head.host.as_deref();
        if let Some(names) = &self.local_names {
            names.admit(host)?;
        }
        if let Route::Old { .. } = route {
            self.origins.admit_same_name(head.origin.as_deref(), host)?;
        } else if route.acts_for_a_page() {
            self.origins.admit(head.origin.as_deref(), host)?;
        }
        let is_admitted = match permission {
            Permission::Publish(name) => self.may_publish(name, shown),
            Permission::Watch(name) => self.may_watch(name, shown),
            // Every client may list, but sees only the streams that it may watch.
            Permission::List => true,
        };
        if is_admitted {
            Ok(())
        } else {
            Err(Refusal::unauthorized().because(self.cause(&permission, head)))
        }
    }

    /// What was missing or wrong: a token, where one was shown or nothing else would do.
    fn cause(&self, permission: &Permission<'_>, head: &RequestHead) -> Cause {
        let has_key = match permission {
            Permission::Publish(name) => self.publish_guard(name).key.is_some(),
            Permission::Watch(name) => self.watch_guard(name).key.is_some(),
            Permission::List => true,
        };
        if has_key && head.token.is_none() {
            Cause::Key
        } else {
            Cause::Token
        }
    }

    /// Whether there are, or might be, streams that these keys or this token may not watch: a key
    /// would show more. Only the rules decide, so that the answer does not reveal whether such a
    /// stream is on air.
    pub fn hides_streams(&self, shown: &Shown<'_>) -> bool {
        let is_open = match &self.watch {
            Policy::Open => true,
            Policy::Key(_) | Policy::Token => {
                let guards = [&self.watch, &self.publish].map(|policy| Guard::new(None, policy));
                let opened = guards.map(|guard| guard.is_opened_by(shown));
                opened.into_iter().any(bool::from)
            }
        };
        let mut own = self.streams.keys();
        !is_open || own.any(|name| !self.may_watch(name, shown))
    }

    /// May a request with these keys or this token publish this stream, send its poster, or end it?
    pub fn may_publish(&self, name: &StreamName, shown: &Shown<'_>) -> bool {
        let guard = self.publish_guard(name);
        let has_token = || shown.grants.iter().any(|it| it.lets_publish(name));
        guard.is_open || guard.is_opened_by(shown).into() || has_token()
    }

    /// May a request with these keys or this token watch this stream?
    pub fn may_watch(&self, name: &StreamName, shown: &Shown<'_>) -> bool {
        let (guard, publish) = (self.watch_guard(name), self.publish_guard(name));
        let has_key = || guard.is_opened_by(shown) | publish.is_opened_by(shown);
        let has_token = || shown.grants.iter().any(|it| it.lets_watch(name));
        guard.is_open || has_key().into() || has_token()
    }

    fn publish_guard(&self, name: &StreamName) -> Guard<'_> {
        let own = self.streams.get(name);
        Guard::new(own.and_then(|keys| keys.publish.as_ref()), &self.publish)
    }

    fn watch_guard(&self, name: &StreamName) -> Guard<'_> {
        let own = self.streams.get(name);
        Guard::new(own.and_then(|keys| keys.watch.as_ref()), &self.watch)
    }
}

/// What stands before one stream.
struct Guard<'a> {
    is_open: bool,
    key: Option<&'a Secret>,
}

impl<'a> Guard<'a> {
    fn new(own: Option<&'a Secret>, policy: &'a Policy) -> Self {
        let (is_open, key) = match (own, policy) {
            (Some(own), _) => (false, Some(own)),
            (None, Policy::Key(key)) => (false, Some(key)),
            (None, Policy::Token) => (false, None),
            (None, Policy::Open) => (true, None),
        };
        Self { is_open, key }
    }

    fn is_opened_by(&self, shown: &Shown<'_>) -> Choice {
        let Some(key) = self.key else {
            return Choice::from(0);
        };
        let matches = shown.keys.iter().map(|shown| key.matches(shown));
        matches.fold(Choice::from(0), |any, one| any | one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::token::Act;
    use crate::http::{HEAD_BYTES_DEFAULT, parse_request};
    use crate::routes::route;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    const NOW: u64 = 1_800_000_000;

    fn name(name: &str) -> StreamName {
        StreamName::try_from(name).expect("a valid name")
    }

    fn tokens() -> TokenKey {
        TokenKey::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("long enough")
    }

    fn token(stream: &str, act: Act) -> String {
        let stream = name(stream);
        tokens().sign(&Grant { stream, act }, NOW + 60)
    }

    fn access(publish: Policy, watch: Policy) -> Access {
        let own = StreamKeys {
            publish: Some("own-p".into()),
            watch: Some("own-w".into()),
        };
        Access {
            publish,
            watch,
            streams: BTreeMap::from([(name("own"), own)]),
            tokens: Some(tokens()),
            origins: Origins::default(),
            local_names: None,
        }
    }

    fn keyed() -> Access {
        access(Policy::Key("p".into()), Policy::Key("w".into()))
    }

    fn head(request: &str) -> RequestHead {
        let request = format!("{request}\r\n\r\n");
        let parsed = parse_request(request.as_bytes(), HEAD_BYTES_DEFAULT);
        parsed.expect("a valid head").expect("a whole head").0
    }

    /// The status that a request gets from these rules; 200 when it is let through.
    fn status(access: &Access, request: &str) -> u16 {
        let head = head(request);
        let route = route(&head).expect("a route");
        let shown = access.shown(&head, NOW);
        access
            .admit(&route, &head, &shown)
            .map_or_else(|refusal| refusal.status, |()| 200)
    }

    fn shows(key: &Secret) -> Shown<'_> {
        Shown {
            keys: vec![key],
            grants: Vec::new(),
        }
    }

    #[test]
    fn publishing_needs_the_key_unless_open() {
        let may = |access: &Access, stream, key: &str| {
            access.may_publish(&name(stream), &shows(&key.into()))
        };
        assert!(may(&keyed(), "a", "p"));
        for wrong in ["w", "P", "pp", "", "own-p"] {
            assert!(!may(&keyed(), "a", wrong), "{wrong}");
        }
        assert!(!keyed().may_publish(&name("a"), &Shown::default()));
        let open = access(Policy::Open, Policy::Open);
        assert!(open.may_publish(&name("a"), &Shown::default()) && may(&open, "a", "anything"));
        assert!(!open.may_publish(&name("own"), &Shown::default()));
        assert!(may(&open, "own", "own-p") && !may(&keyed(), "own", "p"));
    }

    #[test]
    fn watching_needs_the_watch_key_or_the_publish_key_of_the_stream() {
        let may = |stream, key: &str| keyed().may_watch(&name(stream), &shows(&key.into()));
        assert!(may("a", "w") && may("a", "p") && !may("a", "own-w"));
        assert!(may("own", "own-w") && may("own", "own-p") && !may("own", "w"));
        assert!(!keyed().may_watch(&name("a"), &Shown::default()));
        let open = access(Policy::Key("p".into()), Policy::Open);
        assert!(open.may_watch(&name("a"), &Shown::default()));
        // Open publishing does not open guarded viewing.
        let closed = access(Policy::Open, Policy::Key("w".into()));
        assert!(!closed.may_watch(&name("a"), &Shown::default()));
    }

    #[test]
    fn a_token_is_good_for_its_stream_beside_every_key() {
        for access in [keyed(), access(Policy::Token, Policy::Token)] {
            let ask = |method: &str, target: &str, token: &str| {
                status(
                    &access,
                    &format!("{method} {target}?token={token} HTTP/1.0"),
                )
            };
            let get = |target: &str, token: &str| ask("GET", target, token);
            for stream in ["a", "own"] {
                let (publish, watch) = (token(stream, Act::Publish), token(stream, Act::Watch));
                assert_eq!(ask("PUT", &format!("/publish/{stream}"), &publish), 200);
                assert_eq!(ask("PUT", &format!("/publish/{stream}"), &watch), 401);
                assert_eq!(get(&format!("/live/{stream}.webm"), &publish), 200);
                assert_eq!(get(&format!("/live/{stream}.webm"), &watch), 200);
                assert_eq!(get("/live/b.webm", &publish), 401);
                assert_eq!(ask("PUT", "/publish/b", &publish), 401);
            }
            assert_eq!(get("/live/a.webm", "nonsense"), 401);
            assert_eq!(get("/live/a.webm", ""), 401);
        }
    }

    #[test]
    fn a_token_comes_in_a_keys_place_as_well() {
        let access = access(Policy::Token, Policy::Token);
        let other = token("b", Act::Watch);
        let token = token("a", Act::Watch);
        let bearer = format!("GET /live/a.webm HTTP/1.0\r\nAuthorization: Bearer {token}");
        assert_eq!(status(&access, &bearer), 200);
        assert_eq!(
            status(&access, &format!("GET /live/a.webm?key={token} HTTP/1.0")),
            200
        );
        // An invalid token does not block a valid one.
        let both =
            format!("GET /live/a.webm?token=x.y.z HTTP/1.0\r\nAuthorization: Bearer {token}");
        assert_eq!(status(&access, &both), 200);
        // Nor does one that is good for another stream.
        let both =
            format!("GET /live/a.webm?token={other} HTTP/1.0\r\nAuthorization: Bearer {token}");
        assert_eq!(status(&access, &both), 200);
        // Without a secret no token is good.
        let none = Access {
            tokens: None,
            ..keyed()
        };
        assert_eq!(status(&none, &bearer), 401);
    }

    #[test]
    fn right_key_opens_beside_any_other_credentials() {
        // A browser that was once asked for the watch key sends it ever after.
        for key in ["w", "nonsense"] {
            let basic = BASE64_STANDARD.encode(format!("x:{key}"));
            for field in [format!("Basic {basic}"), format!("Bearer {key}")] {
                let ask = |start: &str| {
                    status(
                        &keyed(),
                        &format!("{start} HTTP/1.0\r\nAuthorization: {field}"),
                    )
                };
                assert_eq!(ask("DELETE /api/streams/a?key=p"), 200, "{field}");
                assert_eq!(ask("PUT /publish/a?key=p"), 200, "{field}");
                assert_eq!(ask("GET /live/a.webm?key=w"), 200, "{field}");
                assert_eq!(ask("PUT /publish/a?key=nonsense"), 401, "{field}");
                assert_eq!(ask("PUT /publish/a"), 401, "{field}");
            }
        }
    }

    #[test]
    fn names_come_before_origins_and_origins_before_keys() {
        let access = Access {
            local_names: Some(LocalNames::default()),
            ..keyed()
        };
        let socket = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==";
        let ask =
            |path: &str, fields: &str| status(&access, &format!("GET {path} HTTP/1.1\r\n{fields}"));
        assert_eq!(ask("/live/a.webm", "Host: evil.example"), 403);
        assert_eq!(ask("/live/a.webm", "Host: localhost"), 401);
        let foreign = "Host: localhost\r\nOrigin: http://evil.example";
        assert_eq!(ask("/live/a", &format!("{foreign}\r\n{socket}")), 403);
        // A page elsewhere may link to ours, and show our pictures.
        assert_eq!(ask("/live/a.jpg", foreign), 401);
        // Our pages are open to all clients.
        assert_eq!(ask("/live/a", "Host: evil.example"), 200);
        // A route without a required permission answers to any name.
        let health = "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nOrigin: null";
        assert_eq!(status(&access, health), 200);
    }

    #[test]
    fn refusal_names_the_wrong_credential() {
        let cause = |access: &Access, target: &str| {
            let head = head(&format!("GET {target} HTTP/1.0"));
            let route = route(&head).expect("a route");
            let refused = access.admit(&route, &head, &access.shown(&head, NOW));
            refused.expect_err("a refusal").cause
        };
        assert_eq!(cause(&keyed(), "/live/a.webm"), Some(Cause::Key));
        assert_eq!(cause(&keyed(), "/live/a.webm?key=no"), Some(Cause::Key));
        assert_eq!(cause(&keyed(), "/live/a.webm?token=no"), Some(Cause::Token));
        let signed = access(Policy::Token, Policy::Token);
        assert_eq!(cause(&signed, "/live/a.webm"), Some(Cause::Token));
        assert_eq!(cause(&signed, "/live/own.webm"), Some(Cause::Key));
    }

    #[test]
    fn streams_are_hidden_if_a_key_would_show_more() {
        let nothing = Shown::default();
        let (publish, watch) = (Secret::new("p"), Secret::new("w"));
        let bare = |publish, watch| Access {
            streams: BTreeMap::new(),
            ..access(publish, watch)
        };
        let open = bare(Policy::Key(publish.clone()), Policy::Open);
        assert!(!open.hides_streams(&nothing));
        let keyed_alone = bare(Policy::Key(publish.clone()), Policy::Key(watch.clone()));
        assert!(keyed_alone.hides_streams(&nothing));
        assert!(!keyed_alone.hides_streams(&shows(&watch)));
        assert!(!keyed_alone.hides_streams(&shows(&publish)));
        assert!(keyed_alone.hides_streams(&shows(&Secret::new("no"))));
        // A stream has a key of its own.
        assert!(access(Policy::Open, Policy::Open).hides_streams(&nothing));
        assert!(keyed().hides_streams(&shows(&watch)));
        assert!(!access(Policy::Open, Policy::Open).hides_streams(&shows(&Secret::new("own-w"))));
        // A token shows its own stream.
        assert!(bare(Policy::Token, Policy::Token).hides_streams(&nothing));
    }

    #[test]
    fn authorization_field_of_a_key_parses_as_that_key() {
        for key in [
            "k",
            "correct horse",
            " Größe: №5 ",
            "a+b%20=",
            "k\r\nEvil: x",
        ] {
            let field = Secret::new(key).authorization();
            let head = head(&format!("GET / HTTP/1.0\r\nAuthorization: {field}"));
            assert_eq!(head.keys, [Secret::new(key)], "{field}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = Secret::new("hunter2");
        assert_eq!(format!("{key:?}"), "***");
        let access = access(Policy::Key(key.clone()), Policy::Open);
        assert!(!format!("{access:?}").contains("hunter2"));
        assert!(!format!("{:?}", shows(&key)).contains("hunter2"));
    }
}
