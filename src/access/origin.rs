//! Where a request of a browser comes from (Origin), and which name it was sent to (Host).
//!
//! Two guards against pages elsewhere that act in the name of the person who looks at them. A
//! client that is no browser can send any Origin and any Host: neither is a substitute for a key.
//!
//! - [`Origins`]: a page of another site opens a WebSocket here, or uploads (RFC 6455, 10.2).
//! - [`LocalNames`]: a page has its own name lead to this machine (DNS rebinding). To the browser
//!   it is of the same site then, so that only the Host tells.

use crate::http::host;
use crate::http::refusal::{Cause, Refusal};
use crate::http::response::Readers;

/// An `allow_origin` that no browser would send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a web origin such as https://example.com, nor *", host::without_secrets(.0))]
pub struct BadOrigin(pub String);

/// An `allow_host` that no browser would send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a host name such as video.example.com, without a port", host::without_secrets(.0))]
pub struct BadHost(pub String);

/// The origins, besides the server's own, whose pages may act here.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    any: bool,
    listed: Vec<Origin>,
}

impl Origins {
    /// Origins as browsers send them (`https://example.com`), or `*` for any.
    pub fn parse(texts: &[String]) -> Result<Self, BadOrigin> {
        let mut origins = Self::default();
        for text in texts {
            match Origin::parse(text) {
                Some(origin) => origins.listed.push(origin),
                None if text == "*" => origins.any = true,
                None => return Err(BadOrigin(text.clone())),
            }
        }
        Ok(origins)
    }

    /// May a page of this origin act here? `host` is the request's own Host.
    pub fn admit(&self, origin: Option<&str>, host: Option<&str>) -> Result<(), Refusal> {
        let Some(origin) = origin else { return Ok(()) };
        if self.any {
            return Ok(());
        }
        let is_allowed = Origin::parse(origin).is_some_and(|origin| {
            host.is_some_and(|host| origin.is_at(host)) || self.listed.contains(&origin)
        });
        if is_allowed {
            return Ok(());
        }
        let reason = "pages of this origin may not connect: see --allow-origin";
        Err(Refusal::forbidden(reason).because(Cause::Origin))
    }

    /// The same, for ports that pages of this host open although they come from another of its ports. The
    /// names of the machine itself are one host: a page at `localhost` opens `127.0.0.1`.
    pub fn admit_same_name(&self, origin: Option<&str>, host: Option<&str>) -> Result<(), Refusal> {
        let of_origin = origin.and_then(Origin::parse).map(|origin| origin.host);
        let lower = host.unwrap_or_default().to_ascii_lowercase();
        let of_host = host::split(&lower, 0).map(|(name, _)| name);
        let is_same = match (&of_origin, of_host) {
            (Some(origin), Some(host)) => {
                origin == host || (is_loopback(origin) && is_loopback(host))
            }
            _ => false,
        };
        if is_same {
            return Ok(());
        }
        self.admit(origin, host)
    }

    /// Which pages elsewhere may read the answer to a request of this origin: pages of an allowed
    /// origin. Keys go in `Authorization` or the query, so no page may use a browser's own
    /// credentials, and `*` gives nothing away that is guarded.
    pub fn readers(&self, origin: Option<&str>) -> Readers {
        if !self.any && self.listed.is_empty() {
            return Readers::Own;
        }
        let Some(origin) = origin else {
            return Readers::OwnThisTime;
        };
        let is_listed = || Origin::parse(origin).is_some_and(|it| self.listed.contains(&it));
        if self.any || is_listed() {
            Readers::Origin(origin.to_owned())
        } else {
            Readers::OwnThisTime
        }
    }
}

/// The names of a server that only its own machine reaches, and that lets any client there publish.
///
/// An IP address as Host is always right: only a name can lead elsewhere than its reader thinks. A
/// name without a dot is right too: it is not for sale.
#[derive(Debug, Clone, Default)]
pub struct LocalNames {
    any: bool,
    listed: Vec<String>,
}

impl LocalNames {
    /// `hosts` are further names. A page of an allowed origin may also use the name of that origin.
    pub fn new(hosts: &[String], origins: &Origins) -> Result<Self, BadHost> {
        let mut listed: Vec<String> = origins
            .listed
            .iter()
            .map(|origin| origin.host.clone())
            .collect();
        for host in hosts {
            match host::split(host, 0) {
                Some((name, _)) if name == host && !name.contains('*') => {
                    listed.push(host.to_ascii_lowercase());
                }
                Some(_) | None => return Err(BadHost(host.clone())),
            }
        }
        Ok(Self {
            any: origins.any,
            listed,
        })
    }

    /// May a request use the name in this Host field?
    pub fn admit(&self, host: Option<&str>) -> Result<(), Refusal> {
        let host = host.unwrap_or_default().to_ascii_lowercase();
        let name = host::split(&host, 0).map_or(host.as_str(), |(name, _)| name);
        // The dot at the end of a whole name does not make it another.
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_allowed = self.any || is_local(name) || self.listed.iter().any(|one| one == name);
        if is_allowed {
            return Ok(());
        }
        let reason = "this server lets anyone on its own machine publish, so it is called localhost: \
                      behind a proxy, give --publish-key, or the name with --allow-host";
        Err(Refusal::forbidden(reason).because(Cause::Host))
    }
}

fn is_local(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    !name.contains('.') || name.ends_with(".localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a host is the machine itself.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
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
        let (host, port) = host::split(authority, default_port(scheme)?)?;
        // A wildcard means many hosts, which we do not know.
        if host.contains('*') {
            return None;
        }
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
        let found = default.and_then(|default| host::split(&host, default));
        found.is_some_and(|(host, port)| host == self.host && port == self.port)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::parse(&["https://Good.example/".to_owned(), "http://b:81".to_owned()]).unwrap()
    }

    #[test]
    fn same_origin_counts_default_ports_and_ignores_case() {
        let same = |origin, host| origins().admit(Some(origin), Some(host)).is_ok();
        assert!(same("http://localhost:8080", "localhost:8080"));
        assert!(same("http://Example.com", "example.COM:80"));
        assert!(same("https://example.com", "example.com"));
        assert!(same("http://[::1]:8080", "[::1]:8080"));
        assert!(same("http://[::1]", "[::1]"));
        assert!(same("http://a", "a:"));
        assert!(!same("http://localhost:8080", "localhost:8081"));
        assert!(!same("http://localhost:8080", "127.0.0.1:8080"));
        assert!(!same("http://example.com", "example.com:443"));
        assert!(!same("http://evil.example", "example.com"));
    }

    #[test]
    fn foreign_origin_gets_403_unless_listed() {
        let origin = |origin| origins().admit(Some(origin), Some("here"));
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
        assert!(origins().admit(None, None).is_ok());
        assert!(origins().admit(Some("http://here"), None).is_err());
    }

    #[test]
    fn star_admits_every_origin() {
        let any = Origins::parse(&["*".to_owned()]).expect("any origin");
        assert!(any.admit(Some("null"), Some("a")).is_ok());
        assert!(any.admit(Some("http://evil.example"), None).is_ok());
        assert_eq!(
            Origins::parse(&["example.com".to_owned()]).err(),
            Some(BadOrigin("example.com".to_owned()))
        );
    }

    #[test]
    fn answers_are_read_by_listed_origins_alone() {
        let readers = |origin| origins().readers(origin);
        let good = "https://good.example";
        assert_eq!(readers(Some(good)), Readers::Origin(good.to_owned()));
        for other in [
            None,
            Some("http://good.example"),
            Some("null"),
            Some("*"),
            Some(""),
        ] {
            assert_eq!(readers(other), Readers::OwnThisTime, "{other:?}");
        }
        assert_eq!(Origins::default().readers(Some(good)), Readers::Own);
        let any = Origins::parse(&["*".to_owned()]).expect("any origin");
        assert_eq!(
            any.readers(Some("null")),
            Readers::Origin("null".to_owned())
        );
        assert_eq!(any.readers(None), Readers::OwnThisTime);
    }

    #[test]
    fn a_local_server_answers_to_addresses_local_names_and_those_listed() {
        let hosts = ["Video.example".to_owned(), "10.0.0.1".to_owned()];
        let names = LocalNames::new(&hosts, &origins()).unwrap();
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "demo.localhost:80",
            "127.0.0.1:8080",
            "127.0.0.1:",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "192.168.0.7",
            "raspberry:8080",
            "video.example",
            "VIDEO.example.:8080",
            // The host of an origin that may act here.
            "good.example",
        ] {
            assert!(names.admit(Some(host)).is_ok(), "{host}");
        }
        assert!(names.admit(None).is_ok());
        for host in [
            "evil.example",
            "evil.example:8080",
            "evil.example.",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "video.example.evil.example",
            "1.2.3.4.5",
            "evil.example:port",
            "notlocalhost.example",
        ] {
            let refused = names.admit(Some(host)).map_err(|refusal| refusal.status);
            assert_eq!(refused, Err(403), "{host}");
        }
        let any = Origins::parse(&["*".to_owned()]).unwrap();
        let any = LocalNames::new(&[], &any).unwrap();
        assert!(any.admit(Some("evil.example")).is_ok());
    }

    #[test]
    fn invalid_host_name_is_refused() {
        for bad in ["", "a:80", "http://a", "a/b", "*", "*.example"] {
            let refused = LocalNames::new(&[bad.to_owned()], &Origins::default());
            assert_eq!(refused.err(), Some(BadHost(bad.to_owned())), "{bad}");
        }
    }
}
