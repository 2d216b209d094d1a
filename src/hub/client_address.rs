//! The client address of a session: the peer's, or the one that a trusted proxy reports.
//!
//! A direct peer is counted as soon as it is accepted. Through a proxy many clients may share one
//! connection, one request after another: there a client is counted when its request makes the
//! connection a viewer or a publisher, which it then stays.
//!
//! A PROXY header comes before anything else. The server peeks at it until it is whole, and then
//! takes exactly its bytes: the protocol behind it finds its first byte.

use super::Hub;
use super::clients::Admission;
use crate::http::proxy_header::{self, HEADER_BYTES_MAX, ProxyHeader};
use crate::http::refusal::Refusal;
use crate::http::{Method, RequestHead};
use crate::session::{SessionId, Socket};
use std::io;
use std::net::IpAddr;

impl<S: Socket> Hub<S> {
    /// Reads the PROXY header. Returns whether it has been taken, and what is behind it may be read.
    pub(super) fn read_proxy_header(&mut self, id: SessionId) -> bool {
        let session = &mut self.sessions[id];
        let header = match take_header(&mut session.socket) {
            Ok(Some(header)) => header,
            // More bytes of the header cause an event of their own, although none have been taken.
            Ok(None) => {
                session.can_read = false;
                return false;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::debug!(peer = %session.client, "no PROXY header");
                let refusal = Refusal::new(400, error.to_string());
                self.refuse(id, &refusal, Method::Other);
                return false;
            }
            Err(_) => {
                self.drop_session(id);
                return false;
            }
        };
        session.is_introduced = true;
        if session.is_counted {
            return true;
        }
        let peer = session.client;
        let client = header.source.unwrap_or(peer).to_canonical();
        session.client = client;
        // This may be another trusted proxy, which reports the client in the request.
        if self.settings.proxies.trusts(client) {
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

    /// Counts the connection for its client when this request makes it a viewer or a publisher.
    pub(super) fn count_client(
        &mut self,
        id: SessionId,
        head: &RequestHead,
    ) -> Result<(), Refusal> {
        let session = &self.sessions[id];
        if session.is_counted {
            return Ok(());
        }
        let forwarded_for = head.forwarded_for.as_deref();
        let client = self.settings.proxies.client(session.client, forwarded_for);
        self.count(id, client)
    }

    fn count(&mut self, id: SessionId, client: IpAddr) -> Result<(), Refusal> {
        let admission = self.clients.come(client);
        if admission != Admission::Dropped {
            let session = &mut self.sessions[id];
            session.client = client;
            session.is_counted = true;
        }
        match admission {
            Admission::Welcome => Ok(()),
            Admission::Refused | Admission::Dropped => {
                self.books.counters.connections_refused += 1;
                tracing::debug!(%client, "too many connections");
                Err(Refusal::too_many_connections())
            }
        }
    }
}

/// The header, taken from the socket; `None` when it is not whole yet.
fn take_header(socket: &mut impl Socket) -> io::Result<Option<ProxyHeader>> {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let length = loop {
        match socket.peek_raw(&mut bytes) {
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
        // The bytes were just peeked at, so they are here.
        socket.discard_raw(header.length)?;
    }
    Ok(header)
}
