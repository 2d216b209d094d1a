//! Publishes to Icecast what the load tester publishes over a WebSocket.
//!
//! Icecast 2.4 takes a body of neither length nor chunks, and a name with the password; `load`
//! sends neither. So a thread of ours stands between the two, on the load tester's cores.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use tungstenite::Message;

/// `source:hackme`, as in `icecast.xml`.
const AUTHORIZATION: &str = "Basic c291cmNlOmhhY2ttZQ==";

/// Icecast must take the stream by then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the door for one publisher. Gives its address; the thread ends with the publisher.
pub fn open(icecast: SocketAddr, mount: &'static str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let carried = listener
            .accept()
            .map_err(anyhow::Error::from)
            .and_then(|(publisher, _)| carry(publisher, icecast, mount));
        if let Err(error) = carried {
            eprintln!("publishing to Icecast: {error:#}");
        }
    });
    Ok(address)
}

fn carry(publisher: TcpStream, icecast: SocketAddr, mount: &str) -> anyhow::Result<()> {
    publisher.set_nodelay(true)?;
    // First this one, so that the publisher begins when Icecast is ready.
    let mut icecast = put(icecast, mount)?;
    let mut publisher = tungstenite::accept(publisher)?;
    loop {
        match publisher.read() {
            Ok(Message::Binary(bytes)) => icecast.write_all(&bytes)?,
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
    }
}

/// Begins a request whose body lasts until the connection ends.
fn put(icecast: SocketAddr, mount: &str) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(icecast)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let head = format!(
        "PUT {mount} HTTP/1.1\r\nHost: {icecast}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Content-Type: video/webm\r\nExpect: 100-continue\r\n\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let mut answer = [0; 1024];
    let length = socket.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..length]);
    let status = answer.lines().next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 100"), "it answered '{status}'");
    Ok(socket)
}
