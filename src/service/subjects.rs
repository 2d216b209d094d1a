//! Subjects of one service on the bus: all begin with its prefix.
//!
//! ```text
//! PREFIX.NAME.media        chunks of a stream          publisher's node → watching nodes
//! PREFIX.NAME.news         a lease was taken           publisher's node → all that care
//! PREFIX.NAME.join         init and newest GOP, please watching node → publisher's node
//! PREFIX.NAME.order        end it, record it, …        any node → publisher's node
//! PREFIX.NAME.picture      a picture of it, please     any node → publisher's node
//! PREFIX.@nodes            what a node has, each second any node → all
//! PREFIX.@inbox.NODE.N     answers to request N        → the node that asked
//! ```
//!
//! Dots separate the tokens of a subject, so a dot in a stream's name becomes a slash. `@` begins no
//! stream's name.

use crate::stream_name::StreamName;

/// Makes and reads subjects.
#[derive(Debug, Clone)]
pub struct Subjects {
    prefix: String,
    /// Names this process alone.
    instance: String,
    /// Where JetStream takes requests.
    api: String,
    has_domain: bool,
}

/// What a subject is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    Media(StreamName),
    News(StreamName),
    Join(StreamName),
    Order(StreamName),
    Picture(StreamName),
    Nodes,
    /// An answer to this request of ours.
    Inbox(u64),
}

impl Subjects {
    /// `domain` is JetStream's, where it has one.
    pub fn new(prefix: &str, instance: &str, domain: Option<&str>) -> Subjects {
        Subjects {
            prefix: prefix.to_owned(),
            instance: instance.to_owned(),
            api: match domain {
                Some(domain) => format!("$JS.{domain}.API"),
                None => "$JS.API".to_owned(),
            },
            has_domain: domain.is_some(),
        }
    }

    /// Whether `text` can be a prefix: it is also part of the bucket's name.
    pub fn is_prefix(text: &str) -> bool {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(is_letter)
    }

    fn of_stream(&self, name: &str, what: &str) -> String {
        format!("{}.{}.{what}", self.prefix, token(name))
    }

    pub fn media(&self, name: &str) -> String {
        self.of_stream(name, "media")
    }

    pub fn news(&self, name: &str) -> String {
        self.of_stream(name, "news")
    }

    pub fn join(&self, name: &str) -> String {
        self.of_stream(name, "join")
    }

    pub fn order(&self, name: &str) -> String {
        self.of_stream(name, "order")
    }

    pub fn picture(&self, name: &str) -> String {
        self.of_stream(name, "picture")
    }

    pub fn nodes(&self) -> String {
        format!("{}.@nodes", self.prefix)
    }

    pub fn inbox(&self, ticket: u64) -> String {
        format!("{}.@inbox.{}.{ticket}", self.prefix, self.instance)
    }

    /// Takes the answers to all our requests.
    pub fn inboxes(&self) -> String {
        format!("{}.@inbox.{}.*", self.prefix, self.instance)
    }

    /// The bucket of leases, as JetStream names its stream.
    pub fn bucket(&self) -> String {
        format!("KV_{}", self.prefix)
    }

    pub fn bucket_subjects(&self) -> String {
        format!("$KV.{}.>", self.prefix)
    }

    /// What the bucket calls the lease of a stream.
    fn lease(&self, name: &str) -> String {
        format!("$KV.{}.{}", self.prefix, token(name))
    }

    /// Where it is written. A leaf server without JetStream lets nothing through on the bucket's own
    /// subjects: what has a domain goes by that.
    pub fn write_lease(&self, name: &str) -> String {
        let lease = self.lease(name);
        if self.has_domain {
            format!("{}.{lease}", self.api)
        } else {
            lease
        }
    }

    /// Where it is read.
    pub fn read_lease(&self, name: &str) -> String {
        format!(
            "{}.DIRECT.GET.{}.{}",
            self.api,
            self.bucket(),
            self.lease(name)
        )
    }

    /// Where the bucket is made.
    pub fn create_bucket(&self) -> String {
        format!("{}.STREAM.CREATE.{}", self.api, self.bucket())
    }

    /// `None`: not one of ours.
    pub fn topic(&self, subject: &str) -> Option<Topic> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        let (first, rest) = match rest.split_once('.') {
            Some((first, rest)) => (first, rest),
            None => (rest, ""),
        };
        match (first, rest) {
            ("@nodes", "") => Some(Topic::Nodes),
            ("@inbox", rest) => {
                let (instance, ticket) = rest.split_once('.')?;
                (instance == self.instance).then(|| ticket.parse().map(Topic::Inbox).ok())?
            }
            (token, what) => {
                let name = StreamName::try_from(&*token.replace('/', ".")).ok()?;
                match what {
                    "media" => Some(Topic::Media(name)),
                    "news" => Some(Topic::News(name)),
                    "join" => Some(Topic::Join(name)),
                    "order" => Some(Topic::Order(name)),
                    "picture" => Some(Topic::Picture(name)),
                    _ => None,
                }
            }
        }
    }
}

fn token(name: &str) -> String {
    name.replace('.', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_one_token() {
        let subjects = Subjects::new("videostream", "n1", None);
        for name in ["demo", "a..b", "a.", "-", "A_1.x"] {
            let name = StreamName::try_from(name).unwrap();
            let media = subjects.media(name.as_str());
            assert_eq!(media.split('.').count(), 3, "{media}");
            assert_eq!(subjects.topic(&media), Some(Topic::Media(name.clone())));
            let join = subjects.join(name.as_str());
            assert_eq!(subjects.topic(&join), Some(Topic::Join(name)));
        }
    }

    #[test]
    fn subjects_of_others_are_none_of_ours() {
        let subjects = Subjects::new("v", "n1", Some("hub"));
        assert_eq!(subjects.topic(&subjects.inbox(7)), Some(Topic::Inbox(7)));
        assert_eq!(subjects.topic("v.@nodes"), Some(Topic::Nodes));
        for other in [
            "v.@inbox.n2.7",
            "w.demo.media",
            "v.demo.other",
            "vv.demo.media",
            "v",
            "v.@inbox.n1.x",
            "v.a b.media",
        ] {
            assert_eq!(subjects.topic(other), None, "{other}");
        }
    }

    #[test]
    fn lease_of_a_domain_is_written_and_read_through_it() {
        let own = Subjects::new("v", "n1", None);
        let other = Subjects::new("v", "n1", Some("hub"));
        assert_eq!(own.write_lease("a.b"), "$KV.v.a/b");
        assert_eq!(other.write_lease("a"), "$JS.hub.API.$KV.v.a");
        assert_eq!(own.read_lease("a"), "$JS.API.DIRECT.GET.KV_v.$KV.v.a");
        assert_eq!(other.read_lease("a"), "$JS.hub.API.DIRECT.GET.KV_v.$KV.v.a");
    }

    #[test]
    fn prefix_is_one_token_that_a_bucket_may_be_called() {
        assert!(Subjects::is_prefix("videostream") && Subjects::is_prefix("a-B_1"));
        for prefix in ["", "a.b", "a b", "*", ">", "$x", "ä"] {
            assert!(!Subjects::is_prefix(prefix), "{prefix}");
        }
    }
}
