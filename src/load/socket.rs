//! What a viewer asks of the kernel: a socket that connects, and bytes dropped unseen.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Connections from one address to one server. Linux has 28,232 ports for them.
const PORTS_PER_ADDRESS: u64 = 25_000;

/// Bytes that the kernel holds for a viewer that does not read as it should. Linux lets a receive
/// buffer grow to 6 MB and more, which hides a slow reader from the server for as long as that
/// takes to fill: a real one is slow on its way, where nothing holds so much.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Keeps a viewer's receive buffer at what Linux begins with.
pub(super) fn hold_little(socket: &TcpStream) -> io::Result<()> {
    SockRef::from(socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)
}

/// A socket that begins to connect. Beyond what one source address has ports for, from another one
/// of the loopback network.
pub(super) fn open_socket(server: SocketAddr, index: u64) -> io::Result<TcpStream> {
    let block = index / PORTS_PER_ADDRESS;
    if block == 0 || !matches!(server.ip(), IpAddr::V4(ip) if ip.is_loopback()) {
        return TcpStream::connect(server);
    }
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    let source = Ipv4Addr::new(127, 0, (block / 250) as u8, (block % 250 + 1) as u8);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    match socket.connect(&server.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Whether the handshake of TCP is over: an event alone does not say so.
pub(super) fn is_connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lets the kernel drop what has come, and counts it; `false` at the end of the connection.
#[cfg(target_os = "linux")]
pub(super) fn discard(socket: &TcpStream, bytes: &mut u64, scratch: &mut [u8]) -> io::Result<bool> {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};
    loop {
        // tcp(7): with MSG_TRUNC the bytes are not copied, and `scratch` stays as it is.
        match recv(socket, &mut *scratch, RecvFlags::TRUNC) {
            Ok((_, 0)) => return Ok(false),
            Ok((_, length)) => {
                *bytes += length as u64;
                // epoll(7), question 9: less than was asked for is all that there is.
                if length < scratch.len() {
                    return Ok(true);
                }
            }
            Err(Errno::AGAIN) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn discard(
    mut socket: &TcpStream,
    bytes: &mut u64,
    scratch: &mut [u8],
) -> io::Result<bool> {
    use std::io::Read;
    loop {
        match socket.read(scratch) {
            Ok(0) => return Ok(false),
            Ok(length) => *bytes += length as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn source_address_changes_when_its_ports_are_used_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        for (index, source) in [
            (0, "127.0.0.1"),
            (25_000, "127.0.0.2"),
            (75_000, "127.0.0.4"),
        ] {
            let socket = open_socket(server, index).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip().to_string(), source);
            assert!(is_connected(&socket).unwrap());
        }
    }

    #[test]
    fn a_slow_viewers_socket_holds_little() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = open_socket(listener.local_addr().unwrap(), 0).unwrap();
        hold_little(&socket).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let (mut sent, mut bytes, mut scratch) = (0, 0, vec![0; 4096]);
        for _ in 0..4000 {
            sent += server.write(&[7; 8192]).unwrap_or(0);
            bytes += (&socket).read(&mut scratch).unwrap_or(0);
        }
        // What it did not read is with the sender.
        let mut held = vec![0; 16 << 20];
        let held = socket.peek(&mut held).unwrap();
        assert!(
            held <= 2 * RECEIVE_BUFFER_BYTES,
            "{held} of {}",
            sent - bytes
        );
    }

    #[test]
    fn discard_counts_every_byte_up_to_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = open_socket(listener.local_addr().unwrap(), 0).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(&[7; 10_000]).unwrap();
        let (mut bytes, mut scratch) = (0, [1; 1000]);
        while bytes < 10_000 {
            assert!(discard(&socket, &mut bytes, &mut scratch).unwrap());
        }
        drop(server);
        while discard(&socket, &mut bytes, &mut scratch).unwrap() {}
        assert_eq!(bytes, 10_000);
    }
}
