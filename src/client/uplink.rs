//! A publisher's connection, whichever protocol it speaks.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::address::{Address, Scheme};
use super::connection::ServerConnection;
use super::upload::HttpUplink;
use super::websocket::WebSocketUplink;
use crate::secret::Secret;
use crate::websocket::HandshakeError;
use crate::websocket::messages::ToPublisher;

/// How long the server has to answer a request, or the closing handshake.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends media, and listens to the server in between.
pub(crate) trait Uplink {
    /// Sends the next bytes of the stream.
    fn send(&mut self, bytes: Bytes) -> Result<(), UplinkError>;

    /// Listens until the given time, and passes on the server's messages. This is how a publisher
    /// waits: pings are answered, and a refusal is noticed at once.
    fn listen(
        &mut self,
        until: Instant,
        on_message: &mut dyn FnMut(ToPublisher),
    ) -> Result<(), UplinkError>;

    /// Ends the stream in good order. `Ok` when the server took all of it.
    fn finish(&mut self) -> Result<(), UplinkError>;
}

/// Opens one on a new connection, as the address says.
pub(crate) fn open(
    stream: ServerConnection,
    address: &Address,
    bearer: Option<&Secret>,
) -> Result<Box<dyn Uplink + Send>, UplinkError> {
    Ok(match address.scheme {
        Scheme::WebSocket => Box::new(WebSocketUplink::open(stream, address, bearer)?),
        Scheme::Http => Box::new(HttpUplink::open(stream, address, bearer)?),
    })
}

/// Why a stream could not be sent on.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    #[error(transparent)]
    Refused(#[from] HandshakeError),
    #[error("the server closed the connection{}", because(.0))]
    Closed(String),
    #[error("the server did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    NoAnswer,
    #[error("a newer publisher took the stream over")]
    Replaced,
    #[error("this is an address for viewers: publish to /publish/NAME")]
    ForViewers,
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
    #[error("the server broke the WebSocket protocol: {0}")]
    Protocol(String),
}

fn because(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

/// Makes the next read wait until the given time, or not at all if that is past.
pub(crate) fn wait_until(stream: &TcpStream, until: Instant) -> io::Result<()> {
    let wait = until.saturating_duration_since(Instant::now());
    stream.set_nonblocking(wait.is_zero())?;
    if !wait.is_zero() {
        stream.set_read_timeout(Some(wait))?;
    }
    Ok(())
}

/// Whether a read ended because its time was up: systems differ in how they say it.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
