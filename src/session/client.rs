//! The client of a session.

use std::net::IpAddr;

/// The client address: the peer's, until a trusted proxy has reported another.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: IpAddr,
    is_counted: bool,
}

impl Client {
    /// A client that does not count yet: a proxy may report another.
    pub fn new(peer: IpAddr) -> Client {
        Client {
            address: peer.to_canonical(),
            is_counted: false,
        }
    }

    /// A client among whose connections this one is.
    pub fn counted(address: IpAddr) -> Client {
        Client {
            is_counted: true,
            ..Client::new(address)
        }
    }

    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Whether the session is among the connections of this client.
    pub fn is_counted(self) -> bool {
        self.is_counted
    }
}
