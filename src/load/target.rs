//! Where viewers connect to and where our own publisher does: one URL, taken apart.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use super::options::Protocol;
use crate::client::address::default_port;
use crate::client::{Address, AddressError, Scheme};

/// A server that does not answer for so long counts as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const LIVE: &str = "/live/";
const SUFFIX: &str = ".webm";
const LIST: &str = "/live.json";

/// What was asked to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) authority: String,
    path: String,
    /// With its question mark, or empty. It may hold a key.
    query: String,
    /// As in `/live/NAME`; `None` for an address that another server made up.
    name: Option<String>,
    scheme: Scheme,
    /// Whether it is `wss` or `https`.
    pub(super) is_encrypted: bool,
    /// The name that the server has to prove.
    pub(super) server_name: String,
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Target, AddressError> {
        // HOST:PORT/live/NAME, as one may write it in a browser.
        let address: Address = if url.contains("://") {
            url.parse()?
        } else {
            format!("http://{url}").parse()?
        };
        let (path, query) = match address.target.find('?') {
            Some(at) => address.target.split_at(at),
            None => (&*address.target, ""),
        };
        let name = path
            .strip_prefix(LIVE)
            .map(|name| name.strip_suffix(SUFFIX).unwrap_or(name));
        let name = name
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned);
        Ok(Target {
            authority: address.authority.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            name,
            scheme: address.scheme,
            is_encrypted: address.is_encrypted,
            server_name: address.host().to_owned(),
        })
    }
}

impl Target {
    /// Whether both ask for the same stream, of whatever server.
    pub(super) fn is_same_stream(&self, other: &Target) -> bool {
        (&self.path, &self.query) == (&other.path, &other.query)
    }

    /// What the address itself says.
    pub(super) fn protocol(&self) -> Protocol {
        match self.scheme {
            Scheme::Http if self.path.ends_with(SUFFIX) => Protocol::Http,
            Scheme::Http | Scheme::WebSocket => Protocol::Ws,
        }
    }

    /// The names of the streams; `None` when the address has no name to number.
    pub(super) fn names(&self, streams: Option<u64>) -> Option<Vec<String>> {
        let name = self.name.as_ref()?;
        Some(match streams {
            None => vec![name.clone()],
            Some(count) => (1..=count).map(|n| format!("{name}-{n}")).collect(),
        })
    }

    /// Path and query at which a stream is watched.
    pub(super) fn watch(&self, names: Option<&[String]>, protocol: Protocol) -> Vec<String> {
        let suffix = match protocol {
            Protocol::Ws => "",
            Protocol::Http => SUFFIX,
            Protocol::Segments => LIST,
        };
        match names {
            None => vec![format!("{}{}", self.path, self.query)],
            Some(names) => names
                .iter()
                .map(|name| format!("{LIVE}{name}{suffix}{}", self.query))
                .collect(),
        }
    }

    /// Where a stream of this name is published.
    pub(super) fn publish(&self, name: &str) -> Result<Address, AddressError> {
        let scheme = Scheme::WebSocket.name(self.is_encrypted);
        format!("{scheme}://{}/publish/{name}{}", self.authority, self.query).parse()
    }

    /// The address for the report: without the query, where a key may stand.
    pub(super) fn url(&self, protocol: Protocol) -> String {
        let path = match &self.name {
            Some(name) => match protocol {
                Protocol::Ws | Protocol::Segments => format!("{LIVE}{name}"),
                Protocol::Http => format!("{LIVE}{name}{SUFFIX}"),
            },
            None => self.path.split('&').next().unwrap_or_default().to_owned(),
        };
        let scheme = match protocol {
            Protocol::Ws => Scheme::WebSocket,
            Protocol::Http | Protocol::Segments => Scheme::Http,
        };
        let scheme = scheme.name(self.is_encrypted);
        format!("{scheme}://{}{path}", self.authority)
    }

    /// The first of the host's addresses that takes a connection.
    pub(super) fn find_server(&self) -> io::Result<SocketAddr> {
        let has_port = self.authority.parse::<http::uri::Authority>();
        let has_port = has_port.is_ok_and(|authority| authority.port_u16().is_some());
        let host = if has_port {
            self.authority.clone()
        } else {
            format!("{}:{}", self.authority, default_port(self.is_encrypted))
        };
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in host.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(_) => return Ok(address),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address_names_the_stream() {
        for (url, protocol) in [
            ("http://h:1/live/door", Protocol::Ws),
            ("ws://h:1/live/door", Protocol::Ws),
            ("h:1/live/door", Protocol::Ws),
            ("h:1/live/door.webm", Protocol::Http),
            ("http://h:1/live/door.webm", Protocol::Http),
            ("ws://h:1/live/door.webm", Protocol::Ws),
        ] {
            let target = url.parse::<Target>().unwrap();
            assert_eq!(target.protocol(), protocol, "{url}");
            let names = target.names(None).unwrap();
            assert_eq!(
                target.watch(Some(&names), Protocol::Ws),
                ["/live/door"],
                "{url}"
            );
            assert_eq!(
                target.watch(Some(&names), Protocol::Http),
                ["/live/door.webm"],
                "{url}"
            );
            assert_eq!(
                target.publish("door").unwrap().to_string(),
                "ws://h:1/publish/door"
            );
        }
    }

    #[test]
    fn several_streams_are_numbered() {
        let target = "http://h/live/door?key=k".parse::<Target>().unwrap();
        let names = target.names(Some(2)).unwrap();
        assert_eq!(
            target.watch(Some(&names), Protocol::Http),
            ["/live/door-1.webm?key=k", "/live/door-2.webm?key=k",]
        );
        assert_eq!(
            target.publish("door-2").unwrap().target,
            "/publish/door-2?key=k"
        );
        assert_eq!(target.url(Protocol::Ws), "ws://h/live/door");
    }

    #[test]
    fn another_servers_address_is_watched_as_it_is() {
        let target = "ws://h:9/stream?x=1".parse::<Target>().unwrap();
        assert_eq!((target.names(None), target.names(Some(3))), (None, None));
        assert_eq!(target.watch(None, Protocol::Ws), ["/stream?x=1"]);
        assert!("".parse::<Target>().is_err() && "ftp://h/live/a".parse::<Target>().is_err());
    }

    #[test]
    fn an_encrypted_address_is_encrypted_both_ways() {
        let target = "https://h/live/door".parse::<Target>().unwrap();
        assert!(target.is_encrypted && target.protocol() == Protocol::Ws);
        assert_eq!(target.url(Protocol::Ws), "wss://h/live/door");
        assert_eq!(target.url(Protocol::Http), "https://h/live/door.webm");
        let publish = target.publish("door").unwrap();
        assert_eq!(publish.to_string(), "wss://h/publish/door");
    }
}
