//! Where a client connects to: a URL, taken apart.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::connection::ServerConnection;
use crate::http::host;
use crate::stream_name::{BadName, StreamName};

/// A server that does not answer for so long counts as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that accepts no byte for so long is gone: the server's own default for viewers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// An address such as `ws://127.0.0.1:8080/publish/live`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub scheme: Scheme,
    /// Whether it is `wss` or `https`.
    pub is_encrypted: bool,
    /// Host, and port if it was given, as the Host field wants them.
    pub authority: String,
    /// Path and query.
    pub target: String,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    WebSocket,
    Http,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("not a URL such as ws://127.0.0.1:8080/publish/live")]
    NotUrl,
    #[error("unknown scheme {0}://: use ws://, wss://, http:// or https://")]
    Scheme(String),
    #[error("a URL with a user name or password is not supported: use --key")]
    UserInfo,
    #[error("a port is a number from 1 to 65535")]
    Port,
    #[error(transparent)]
    Name(#[from] BadName),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::NotUrl)?;
        let (scheme, is_encrypted) = match uri.scheme_str() {
            Some("ws") => (Scheme::WebSocket, false),
            Some("wss") => (Scheme::WebSocket, true),
            Some("http") => (Scheme::Http, false),
            Some("https") => (Scheme::Http, true),
            Some(scheme) => return Err(AddressError::Scheme(scheme.to_owned())),
            None => return Err(AddressError::NotUrl),
        };
        let authority = uri.authority().ok_or(AddressError::NotUrl)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::UserInfo);
        }
        let default = default_port(is_encrypted);
        let (host, port) = match host::split(authority.as_str(), default) {
            Some((_, 0)) => return Err(AddressError::Port),
            Some(_) if authority.as_str().ends_with(':') => return Err(AddressError::Port),
            Some(found) => found,
            None if host::split(authority.host(), default).is_some() => {
                return Err(AddressError::Port);
            }
            None => return Err(AddressError::NotUrl),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        check_name(uri.path())?;
        Ok(Address {
            scheme,
            is_encrypted,
            authority: authority.to_string(),
            target: uri
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
            host: host.to_owned(),
            port,
        })
    }
}

/// An address that looks like one of ours must have a stream name that the server accepts.
fn check_name(path: &str) -> Result<(), BadName> {
    let rooms = ["/publish/", "/live/"];
    let last = rooms.iter().find_map(|room| path.strip_prefix(room));
    let Some(last) = last.filter(|last| !last.is_empty() && !last.contains('/')) else {
        return Ok(());
    };
    let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    StreamName::try_from(name.strip_suffix(".webm").unwrap_or(&name)).map(drop)
}

/// Without the query: a key may stand there, or behind a `&` that should have begun one.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.name(self.is_encrypted);
        let path = self.target.split(['?', '&']).next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

impl Scheme {
    pub(crate) fn name(self, is_encrypted: bool) -> &'static str {
        match (self, is_encrypted) {
            (Scheme::WebSocket, false) => "ws",
            (Scheme::WebSocket, true) => "wss",
            (Scheme::Http, false) => "http",
            (Scheme::Http, true) => "https",
        }
    }
}

pub(crate) fn default_port(is_encrypted: bool) -> u16 {
    if is_encrypted { 443 } else { 80 }
}

impl Address {
    /// Without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The name that the server has to prove.
    pub(crate) fn server_name(&self) -> io::Result<ServerName<'static>> {
        ServerName::try_from(self.host.clone())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Connects, and speaks TLS if the address asks for it: then `tls` says how.
    pub(crate) fn open(&self, tls: Option<&Arc<ClientConfig>>) -> io::Result<ServerConnection> {
        let tcp = self.connect()?;
        if !self.is_encrypted {
            return Ok(ServerConnection::Plain(tcp));
        }
        let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
        ServerConnection::encrypt(tcp, self.server_name()?, tls.clone())
    }

    /// Tries the host's addresses in their order, and says why the last one failed.
    fn connect(&self) -> io::Result<TcpStream> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    // Each write is a whole message; waiting for more would only delay it.
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
                    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                    return Ok(stream);
                }
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
    fn url_is_split_into_host_port_and_target() {
        let address: Address = "ws://example.org/publish/door?key=k".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port), ("example.org", 80));
        assert_eq!(address.target, "/publish/door?key=k");
        assert_eq!(address.to_string(), "ws://example.org/publish/door");

        let address: Address = "http://[::1]:8080".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", 8080));
        assert_eq!(
            (address.authority.as_str(), address.target.as_str()),
            ("[::1]:8080", "/")
        );
        assert_eq!(
            (address.scheme, address.is_encrypted),
            (Scheme::Http, false)
        );

        let address: Address = "wss://example.org/publish/door".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port), ("example.org", 443));
        assert_eq!(
            (address.scheme, address.is_encrypted),
            (Scheme::WebSocket, true)
        );
        assert_eq!(address.to_string(), "wss://example.org/publish/door");
    }

    #[test]
    fn bad_address_is_refused_with_its_fault() {
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        for bad in [
            "",
            "live",
            "/publish/live",
            "127.0.0.1:8080",
            "ws://",
            "ws://[::zz]/",
            "ws://a,b/",
        ] {
            assert_eq!(refused(bad), AddressError::NotUrl, "{bad:?}");
        }
        for bad in [
            "ws://h:/",
            "ws://h:x/",
            "ws://h:99999/",
            "ws://h:0/",
            "http://[::1]:99999999/",
        ] {
            assert_eq!(refused(bad), AddressError::Port, "{bad:?}");
        }
        for bad in [
            "ws://h/publish/cam.jpg",
            "ws://h/publish/cam.webm.webm",
            "http://h/live/cam.mkv",
            "http://h/live/cam.webp.webm?key=k",
        ] {
            assert_eq!(refused(bad), AddressError::Name(BadName::Ending), "{bad:?}");
        }
        assert_eq!(
            refused("ws://h/publish/.a"),
            AddressError::Name(BadName::Letters)
        );
        assert!("http://h/live/cam.webm".parse::<Address>().is_ok());
        assert!("http://h/other/cam.jpg".parse::<Address>().is_ok());
        assert_eq!(
            refused("icecast://h/a"),
            AddressError::Scheme("icecast".into())
        );
        assert_eq!(refused("http://source:k@h/a"), AddressError::UserInfo);
    }
}
