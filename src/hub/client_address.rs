//! The client address of a session: the peer's, or the one that a trusted proxy reports.
//!
//! A direct peer is counted as soon as it is accepted. Through a proxy many clients may share one
//! connection, one request after another: there a client is counted when its request makes the
//! connection a viewer or a publisher, which it then stays. A request for a segment is counted until its
//! answer ends: for the client that the proxy reports, and for none where it reports none, since a cache
//! asks for all its viewers.
//!
//! A PROXY header comes before anything else. The server peeks at it until it is whole, and then
//! takes exactly its bytes: the protocol behind it finds its first byte.

use super::Hub;
use super::clients::Admission;
use crate::http::refusal::Refusal;
use crate::http::{Method, RequestHead};
use crate::session::{Client, SessionId, Socket};
use std::io;
use std::net::IpAddr;

impl<S: Socket> Hub<S> {
    /// Reads the PROXY header. Returns whether it has been taken, and what is behind it may be read.
    pub(super) fn read_proxy_header(&mut self, id: SessionId) -> bool {
        let session = &mut self.sessions[id];
        let header = match session.read_proxy_header() {
            Ok(Some(header)) => header,
            Ok(None) => return false,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::debug!(peer = %session.address(), "no PROXY header");
                let refusal = Refusal::new(400, error.to_string());
                self.refuse(id, &refusal, Method::Other);
                return false;
            }
            Err(_) => {
                self.drop_session(id);
                return false;
            }
        };
        if session.client().is_counted() {
            return true;
        }
        let reported = Client::new(header.source.unwrap_or(session.address()));
        session.set_client(reported);
        let client = reported.address();
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
        if session.client().is_counted() {
            return Ok(());
        }
        let forwarded_for = head.forwarded_for.as_deref();
        let client = self
            .settings
            .proxies
            .client(session.address(), forwarded_for);
        self.count(id, client)
    }

    /// Counts the connection while this request waits for a segment, or is sent one. Returns the peer, a
    /// proxy, where the request counts for the client that it reports: see `count_no_more`.
    pub(super) fn count_segment_reader(
        &mut self,
        id: SessionId,
        head: &RequestHead,
    ) -> Result<Option<IpAddr>, Refusal> {
        let peer = self.sessions[id].client();
        let proxies = &self.settings.proxies;
        let client = proxies.client(peer.address(), head.forwarded_for.as_deref());
        if peer.is_counted() || client == peer.address() {
            return Ok(None);
        }
        self.count(id, client)?;
        Ok(Some(peer.address()))
    }

    /// The request that counted has its answer: the next one may be another client's.
    pub(super) fn count_no_more(&mut self, id: SessionId, proxy: IpAddr) {
        self.clients.leave(self.sessions[id].address());
        self.sessions[id].set_client(Client::new(proxy));
    }

    fn count(&mut self, id: SessionId, client: IpAddr) -> Result<(), Refusal> {
        let admission = self.clients.come(client);
        if admission != Admission::Dropped {
            self.sessions[id].set_client(Client::counted(client));
        }
        match admission {
            Admission::Admitted => Ok(()),
            Admission::Refused | Admission::Dropped => {
                self.books.counters.connections_refused += 1;
                tracing::debug!(%client, "too many connections");
                Err(Refusal::too_many_connections())
            }
        }
    }
}
