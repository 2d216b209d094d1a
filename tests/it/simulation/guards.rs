//! Keys and tokens of a simulation: what the server requires, what each peer shows, and, told anew
//! without the server's code, what that permits.

use videostream::access::StreamKeys;
use videostream::access::token::{Act, Grant, TokenKey};
use videostream::config::{Options, StreamOptions};
use videostream::secret::Secret;
use videostream::stream_name::StreamName;

/// What the options require of publishers and viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    Open,
    /// `--publish-key`: watching is open.
    PublishKey,
    /// `--publish-key` and `--watch-key`; the stream [`OWN`] has keys of its own.
    Keys,
    /// `--token-secret`.
    Tokens,
    /// All of that.
    KeysAndTokens,
}

pub const GUARDS: [Guard; 5] = [
    Guard::Open,
    Guard::PublishKey,
    Guard::Keys,
    Guard::Tokens,
    Guard::KeysAndTokens,
];

/// The stream with keys of its own.
pub const OWN: &str = "another";

const SECRET: &str = "a secret that has thirty-two bytes or more";
const OTHER_SECRET: &str = "another secret of thirty-two bytes or more";
const LONG_AGO: u64 = 1_600_000_000;
const LONG_AFTER: u64 = 1_900_000_000;

/// What a peer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Nothing,
    PublishKey,
    WatchKey,
    OwnPublishKey,
    OwnWatchKey,
    WrongKey,
    /// A token for this stream, which expires at this second since 1970.
    Token(Right, &'static str, u64),
    /// The same, signed with another secret.
    ForgedToken(Right, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Publish,
    Watch,
}

/// One of each kind. Tokens are for the stream "honest".
pub const PASSES: [Pass; 13] = [
    Pass::Nothing,
    Pass::PublishKey,
    Pass::WatchKey,
    Pass::OwnPublishKey,
    Pass::OwnWatchKey,
    Pass::WrongKey,
    Pass::Token(Right::Publish, "honest", LONG_AFTER),
    Pass::Token(Right::Watch, "honest", LONG_AFTER),
    Pass::Token(Right::Publish, "honest", LONG_AGO),
    Pass::Token(Right::Watch, "honest", LONG_AGO),
    Pass::Token(Right::Publish, "elsewhere", LONG_AFTER),
    Pass::ForgedToken(Right::Publish, "honest"),
    Pass::ForgedToken(Right::Watch, "honest"),
];

impl Pass {
    /// The same for another stream and time, if it is for one.
    pub fn of(self, stream: &'static str, expires: u64) -> Pass {
        match self {
            Pass::Token(right, _, LONG_AFTER) => Pass::Token(right, stream, expires),
            Pass::ForgedToken(right, _) => Pass::ForgedToken(right, stream),
            other => other,
        }
    }
}

/// How it shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Query,
    Bearer,
    Basic,
}

pub const SHOWS: [Show; 3] = [Show::Query, Show::Bearer, Show::Basic];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    pub pass: Pass,
    pub show: Show,
}

impl Guard {
    pub fn options(self) -> Options {
        let has_keys = matches!(self, Guard::PublishKey | Guard::Keys | Guard::KeysAndTokens);
        let has_watch_key = matches!(self, Guard::Keys | Guard::KeysAndTokens);
        let has_tokens = matches!(self, Guard::Tokens | Guard::KeysAndTokens);
        let mut options = Options {
            publish_key: has_keys.then(|| "publish-key".into()),
            watch_key: has_watch_key.then(|| "watch-key".into()),
            token_secret: has_tokens.then(|| SECRET.into()),
            ..Options::default()
        };
        if has_watch_key {
            let keys = StreamKeys {
                publish: Some("own-publish-key".into()),
                watch: Some("own-watch-key".into()),
            };
            let record = None;
            options
                .streams
                .insert(name(OWN), StreamOptions { keys, record });
        }
        options
    }

    /// Whether this pass permits it, at this second since 1970.
    pub fn permits(self, right: Right, stream: &str, pass: Pass, unix_s: u64) -> bool {
        let has_own = stream == OWN && matches!(self, Guard::Keys | Guard::KeysAndTokens);
        let takes_tokens = matches!(self, Guard::Tokens | Guard::KeysAndTokens);
        let is_open = match (self, right) {
            (Guard::Open, _) | (Guard::PublishKey, Right::Watch) => true,
            (Guard::PublishKey, Right::Publish) => false,
            (Guard::Keys | Guard::Tokens | Guard::KeysAndTokens, _) => false,
        };
        let has_keys = !matches!(self, Guard::Open | Guard::Tokens);
        is_open
            || match pass {
                Pass::Nothing | Pass::WrongKey | Pass::ForgedToken(..) => false,
                Pass::PublishKey => has_keys && !has_own,
                Pass::WatchKey => has_keys && !has_own && right == Right::Watch,
                Pass::OwnPublishKey => has_own,
                Pass::OwnWatchKey => has_own && right == Right::Watch,
                Pass::Token(granted, of, expires) => {
                    let suffices = granted == Right::Publish || right == Right::Watch;
                    takes_tokens && suffices && of == stream && unix_s < expires
                }
            }
    }

    /// A pass that permits it for the whole simulation.
    pub fn good_pass(self, right: Right, stream: &'static str) -> Pass {
        let is_own = stream == OWN;
        match (self, right) {
            (Guard::Open, _) | (Guard::PublishKey, Right::Watch) => Pass::Nothing,
            (Guard::Tokens, _) => Pass::Token(right, stream, LONG_AFTER),
            (Guard::PublishKey, Right::Publish) => Pass::PublishKey,
            (Guard::Keys | Guard::KeysAndTokens, Right::Publish) if is_own => Pass::OwnPublishKey,
            (Guard::Keys | Guard::KeysAndTokens, Right::Watch) if is_own => Pass::OwnWatchKey,
            (Guard::Keys | Guard::KeysAndTokens, Right::Publish) => Pass::PublishKey,
            (Guard::Keys | Guard::KeysAndTokens, Right::Watch) => Pass::WatchKey,
        }
    }

    /// A good pass, or any other.
    pub fn any_pass(self, right: Right, stream: &'static str, chance: &mut fastrand::Rng) -> Pass {
        let soon = super::world::UNIX_START + chance.u64(1..60);
        let pass = PASSES[chance.usize(..PASSES.len())];
        match chance.u8(..4) {
            0 | 1 => self.good_pass(right, stream),
            2 => pass,
            _ => pass.of(stream, soon),
        }
    }
}

impl Credential {
    pub fn nothing() -> Credential {
        Credential {
            pass: Pass::Nothing,
            show: Show::Bearer,
        }
    }

    pub fn by(pass: Pass, chance: &mut fastrand::Rng) -> Credential {
        let show = SHOWS[chance.usize(..SHOWS.len())];
        Credential { pass, show }
    }

    fn text(self) -> Option<String> {
        Some(match self.pass {
            Pass::Nothing => return None,
            Pass::PublishKey => "publish-key".to_owned(),
            Pass::WatchKey => "watch-key".to_owned(),
            Pass::OwnPublishKey => "own-publish-key".to_owned(),
            Pass::OwnWatchKey => "own-watch-key".to_owned(),
            Pass::WrongKey => "wrong-key".to_owned(),
            Pass::Token(right, stream, expires) => token(SECRET, right, stream, expires),
            Pass::ForgedToken(right, stream) => token(OTHER_SECRET, right, stream, LONG_AFTER),
        })
    }

    /// What stands behind the path.
    pub fn query(self) -> String {
        let parameter = match self.pass {
            Pass::Token(..) | Pass::ForgedToken(..) => "token",
            _ => "key",
        };
        match self.text().filter(|_| self.show == Show::Query) {
            Some(text) => format!("?{parameter}={text}"),
            None => String::new(),
        }
    }

    /// What stands among the fields of the request.
    pub fn fields(self) -> String {
        use base64::Engine as _;
        match (self.text(), self.show) {
            (Some(text), Show::Bearer) => format!("Authorization: Bearer {text}\r\n"),
            (Some(text), Show::Basic) => {
                let text = base64::prelude::BASE64_STANDARD.encode(format!("source:{text}"));
                format!("Authorization: Basic {text}\r\n")
            }
            (Some(_), Show::Query) | (None, _) => String::new(),
        }
    }
}

fn name(name: &str) -> StreamName {
    StreamName::try_from(name).expect("it is a name")
}

fn token(secret: &str, right: Right, stream: &str, expires: u64) -> String {
    let key = TokenKey::new(&Secret::new(secret)).expect("it is long enough");
    let act = match right {
        Right::Publish => Act::Publish,
        Right::Watch => Act::Watch,
    };
    let stream = name(stream);
    key.sign(&Grant { stream, act }, expires)
}
