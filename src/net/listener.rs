//! Listening sockets, and how many connections the process may hold.

use super::ServeError;
use crate::compat::Port;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Connections accepted in one turn, so that a crowd does not delay the sessions that are there.
const ACCEPTS_MAX: usize = 32;

/// Connections that the kernel keeps until they are accepted, if `net.core.somaxconn` allows so many. It
/// drops further ones, which try again a second later: mio's 128 are few for viewers that all come at once.
const BACKLOG: i32 = 1024;

/// How long accepting paused when the process or the system is out of descriptors. Asking again at
/// once would spin.
const PAUSE: Duration = Duration::from_millis(100);

/// The kernel asks a silent peer after a minute, and then a few times more.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// Descriptors kept back: listeners, epoll, signals, standard streams, and files to come.
const DESCRIPTORS_RESERVED: u64 = 64;

/// What the clients of a listener get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Plain,
    Encrypted,
    /// A redirect to the encrypted listener.
    Redirect,
    /// The old protocol of node-videostream, encrypted as the served addresses are.
    Old {
        port: Port,
        is_encrypted: bool,
    },
}

#[derive(Debug)]
pub struct Listener {
    pub socket: TcpListener,
    pub address: SocketAddr,
    pub service: Service,
    /// As the options name it: with port 0, any.
    pub asked: SocketAddr,
    /// Edge-triggered: there may be more to accept until the kernel says "would block".
    is_ready: bool,
    paused_until: Option<Instant>,
    /// Whether accepting has failed, and some may have been waiting ever since.
    is_failing: bool,
}

impl Listener {
    /// `is_shared`: other processes may listen on the same address, and the kernel spreads connections.
    pub fn bind(
        address: SocketAddr,
        service: Service,
        is_shared: bool,
    ) -> Result<Listener, ServeError> {
        // mio sets SO_REUSEADDR, so a restart gets its port at once.
        let bound = if is_shared {
            bind_shared(address)
        } else {
            TcpListener::bind(address)
        };
        let socket = bound.and_then(|socket| {
            SockRef::from(&socket).listen(BACKLOG)?;
            Ok(socket)
        });
        let socket = socket.map_err(|source| ServeError::Bind {
            option: match service {
                Service::Plain | Service::Encrypted => "--listen",
                Service::Redirect => "--http-redirect",
                Service::Old { .. } => "--compat-node-videostream",
            },
            address,
            source,
        })?;
        Ok(Listener::new(socket, address, service)?)
    }

    /// A socket that listened before this process began.
    pub fn adopt(
        asked: SocketAddr,
        socket: std::net::TcpListener,
        service: Service,
    ) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        Listener::new(TcpListener::from_std(socket), asked, service)
    }

    fn new(socket: TcpListener, asked: SocketAddr, service: Service) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        // Here, once, rather than on each connection: accepted sockets inherit both.
        // A chunk is a whole message: waiting to fill a packet would only delay it.
        let options = SockRef::from(&socket);
        options.set_tcp_nodelay(true)?;
        // For peers that get no bytes: a viewer that waits over HTTP, say, and is long gone.
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_TIME)
            .with_interval(KEEPALIVE_INTERVAL);
        if let Err(error) = options.set_tcp_keepalive(&keepalive) {
            tracing::debug!(%error, "no keepalive");
        }
        Ok(Listener {
            socket,
            address,
            service,
            asked,
            is_ready: true,
            paused_until: None,
            is_failing: false,
        })
    }

    pub fn ready(&mut self) {
        self.is_ready = true;
    }

    /// When this listener wants to be called again, if it does not wait for an event.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.is_ready.then(|| self.paused_until.unwrap_or(now))
    }

    /// Accepts up to one turn's worth of connections.
    pub fn accept(&mut self, now: Instant, accepted: &mut Vec<(TcpStream, IpAddr)>) {
        if !self.is_ready || self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        self.paused_until = None;
        for _ in 0..ACCEPTS_MAX {
            match self.socket.accept() {
                Ok((socket, peer)) => accepted.push((socket, peer.ip())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!(address = %self.address, "accepting resumed");
                    }
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The peer hung up before we came: accept(2) says to go on.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Logged once until no connection waits any more, not once for each connection.
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(%error, address = %self.address, "accepting paused");
                    }
                    self.paused_until = Some(now + PAUSE);
                    return;
                }
            }
        }
    }
}

/// `SO_REUSEPORT` has to be set before the socket is bound, by each process.
fn bind_shared(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Raises the limit of open descriptors as far as it goes, and returns how many connections that
/// allows beside so many files.
pub fn connections_allowed(files: usize) -> usize {
    let allowed = rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _hard)| soft));
    let allowed = allowed.unwrap_or(1024);
    usize::try_from(connections_within(allowed, files as u64)).unwrap_or(usize::MAX)
}

/// Where descriptors are few, files get no more than half of them.
fn connections_within(allowed: u64, files: u64) -> u64 {
    let rest = allowed.saturating_sub(DESCRIPTORS_RESERVED);
    (rest - files.min(rest / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundreds_of_connections_wait_to_be_accepted() {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Service::Plain, false).unwrap();
        let connect = |_| {
            let patience = Duration::from_secs(5);
            std::net::TcpStream::connect_timeout(&listener.address, patience)
        };
        let connected: Vec<io::Result<_>> =
            (0..300).map(connect).take_while(Result::is_ok).collect();
        assert_eq!(connected.len(), 300);
    }

    #[test]
    fn accepted_sockets_inherit_the_options_of_their_listener() {
        let mut listener =
            Listener::bind(([127, 0, 0, 1], 0).into(), Service::Plain, false).unwrap();
        let _peer = std::net::TcpStream::connect(listener.address).unwrap();
        let mut accepted = Vec::new();
        while accepted.is_empty() {
            listener.ready();
            listener.accept(Instant::now(), &mut accepted);
        }
        let options = SockRef::from(&accepted[0].0);
        assert!(options.tcp_nodelay().unwrap() && options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
    }

    #[test]
    fn shared_port_is_bound_twice_and_another_one_is_not() {
        let bind = |address, is_shared| Listener::bind(address, Service::Plain, is_shared);
        let first = bind(([127, 0, 0, 1], 0).into(), true).unwrap();
        assert!(bind(first.address, true).is_ok() && bind(first.address, false).is_err());
    }

    #[test]
    fn files_have_their_descriptors_beside_connections() {
        for (allowed, files, expected) in [
            (20_000, 0, 19_936),
            (20_000, 512, 19_424),
            (1024, 512, 480),
            (64, 512, 1),
            (u64::MAX, u64::MAX, u64::MAX / 2 - 31),
        ] {
            assert_eq!(connections_within(allowed, files), expected, "{allowed}");
        }
    }
}
