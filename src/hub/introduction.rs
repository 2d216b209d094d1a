//! Who a connection is for: the peer itself, or whoever a trusted proxy asks for.
//!
//! A direct peer is counted as soon as it is accepted. Through a proxy many clients may share one
//! connection, one request after another: there a client is counted when its request makes the
//! connection a viewer or a publisher, which it then stays.
//!
//! A PROXY header comes before anything else. It is looked at without being taken, until it is
//! whole, and then exactly its bytes are taken: whatever is spoken behind it finds its first byte.

use super::clients::Admission;
use crate::net::reactor::Reactor;
use crate::protocol::http::{Method, RequestHead};
use crate::protocol::proxy_header::{self, HEADER_BYTES_MAX, ProxyHeader};
use crate::protocol::route::Refusal;
use crate::session::Connection;
use std::io::{self, Read};
use std::net::IpAddr;

impl Reactor {
    /// Whether this peer is a client, and counted as one when it comes. A PROXY header of its own
    /// changes nothing: it is not believed.
    pub(crate) fn is_direct(&self, peer: IpAddr) -> bool {
        !self.proxies.trusts(peer)
    }

    /// Reads the PROXY header. Returns whether it has been taken, and what is behind it may be read.
    pub(crate) fn read_introduction(&mut self, id: usize) -> bool {
        let connection = &mut self.connections[id];
        let header = match take_header(connection) {
            Ok(Some(header)) => header,
            // More of it is an event of its own, although nothing has been taken.
            Ok(None) => {
                connection.can_read = false;
                return false;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::debug!(peer = %connection.client, "no PROXY header");
                let refusal = Refusal::new(400, error.to_string());
                self.refuse(id, &refusal, Method::Other);
                return false;
            }
            Err(_) => {
                self.drop_connection(id);
                return false;
            }
        };
        connection.is_introduced = true;
        if connection.is_counted {
            return true;
        }
        let peer = connection.client;
        let client = header.source.unwrap_or(peer).to_canonical();
        connection.client = client;
        // Further proxies may stand behind this one, and tell in the request.
        if self.proxies.trusts(client) {
            return true;
        }
        match self.count(id, client) {
            Ok(()) => true,
            Err(refusal) => {
                self.refuse(id, &refusal, Method::Other);
                false
            }
        }
    }

    /// Takes note of the client for whom this request makes the connection a viewer or publisher.
    pub(crate) fn count_client(&mut self, id: usize, head: &RequestHead) -> Result<(), Refusal> {
        let connection = &self.connections[id];
        if connection.is_counted {
            return Ok(());
        }
        let forwarded_for = head.forwarded_for.as_deref();
        let client = self.proxies.client(connection.client, forwarded_for);
        self.count(id, client)
    }

    fn count(&mut self, id: usize, client: IpAddr) -> Result<(), Refusal> {
        let admission = self.clients.come(client);
        if admission != Admission::Dropped {
            let connection = &mut self.connections[id];
            connection.client = client;
            connection.is_counted = true;
        }
        match admission {
            Admission::Welcome => Ok(()),
            Admission::Refused | Admission::Dropped => {
                self.counters.connections_refused += 1;
                tracing::debug!(%client, "too many connections");
                Err(Refusal::too_many_connections())
            }
        }
    }
}

/// The header, taken from the socket; `None` when it is not whole yet.
fn take_header(connection: &mut Connection) -> io::Result<Option<ProxyHeader>> {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let length = loop {
        match connection.socket.tcp().peek(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => break length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let header = proxy_header::parse(&bytes[..length])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    if let Some(header) = header {
        // They have just been seen, so they are here.
        connection
            .socket
            .tcp_mut()
            .read_exact(&mut bytes[..header.length])?;
    }
    Ok(header)
}
