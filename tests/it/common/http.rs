//! HTTP as a careful client reads it, written byte by byte.

use super::PATIENCE;
use super::server::Server;
use super::wire::Wire;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection.
pub struct Http {
    reader: BufReader<Wire>,
    host: SocketAddr,
}

#[derive(Debug)]
pub struct Response {
    /// Such as `HTTP/1.1`.
    pub version: String,
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub fn connect(server: &Server) -> Wire {
    Wire::open(server)
}

/// A connection that takes a few KiB and then no more until it is read.
pub fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Before it connects: later the window would be open already.
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    prepare(&stream);
    stream
}

/// A connection from one of the many addresses of the loopback network.
pub fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::from((from, 0));
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    prepare(&stream);
    stream
}

/// When it is dropped, its peer gets a reset rather than an end.
pub fn reset_on_drop(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Nothing takes longer than our patience.
pub fn prepare(stream: &TcpStream) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
}

impl Http {
    pub fn open(server: &Server) -> Http {
        Http::from_stream(connect(server), server)
    }

    pub fn from_stream(stream: impl Into<Wire>, server: &Server) -> Http {
        Http {
            reader: BufReader::new(stream.into()),
            host: server.address,
        }
    }

    /// For a server that was started in another way than [`Server`].
    pub fn to(address: SocketAddr) -> Http {
        let stream = TcpStream::connect(address).unwrap();
        prepare(&stream);
        Http {
            reader: BufReader::new(stream.into()),
            host: address,
        }
    }

    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref().tcp()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request head in HTTP/1.1; `fields` are whole lines without their ends.
    pub fn ask(&mut self, method: &str, target: &str, fields: &[&str]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for field in fields {
            head += field;
            head += "\r\n";
        }
        self.send(head + "\r\n");
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.request("GET", target, &[])
    }

    pub fn request(&mut self, method: &str, target: &str, fields: &[&str]) -> Response {
        self.ask(method, target, fields);
        self.answer(method)
    }

    /// A request with a body of known length.
    pub fn upload(&mut self, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Response {
        let length = format!("Content-Length: {}", body.len());
        self.ask(method, target, &[fields, &[&length]].concat());
        self.send(body);
        self.answer(method)
    }

    pub fn send_chunk(&mut self, bytes: &[u8]) {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.send(chunk);
    }

    /// A whole answer to a request made with `method`.
    pub fn answer(&mut self, method: &str) -> Response {
        let mut response = self.head();
        self.body(method, &mut response);
        response
    }

    /// The body that belongs to this head.
    pub fn body(&mut self, method: &str, response: &mut Response) {
        let has_body =
            method != "HEAD" && response.status >= 200 && ![204, 304].contains(&response.status);
        if !has_body {
            return;
        }
        if response.field("Transfer-Encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                response.body.extend_from_slice(&chunk);
            }
        } else if let Some(length) = response.field("Content-Length") {
            response.body = vec![0; length.parse().unwrap()];
            self.reader.read_exact(&mut response.body).unwrap();
        } else {
            self.reader.read_to_end(&mut response.body).unwrap();
        }
    }

    /// An answer's head.
    pub fn head(&mut self) -> Response {
        let status_line = self.line();
        let (version, rest) = status_line.split_once(' ').expect("a status line");
        let status = rest[..3].parse().unwrap();
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("a field");
            fields.push((name.to_owned(), value.to_owned()));
        }
        Response {
            version: version.to_owned(),
            status,
            fields,
            body: Vec::new(),
        }
    }

    /// The next chunk of a chunked body; `None` at its proper end.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line(), 16).expect("a chunk's length");
        if length == 0 {
            assert_eq!(self.line(), "");
            return None;
        }
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).unwrap();
        assert_eq!(self.line(), "");
        Some(bytes)
    }

    /// Whatever has come; empty at the end of the connection.
    pub fn some(&mut self) -> Vec<u8> {
        let bytes = self.reader.fill_buf().unwrap().to_vec();
        self.reader.consume(bytes.len());
        bytes
    }

    /// Everything up to the end of the connection, which may be a reset.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => bytes,
        }
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).unwrap();
        let line = line.strip_suffix(b"\r\n");
        let line = line.unwrap_or_else(|| panic!("no whole line: the connection has ended"));
        String::from_utf8(line.to_vec()).unwrap()
    }
}

impl Response {
    /// A field that comes at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} comes more than once");
        all.first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter();
        fields
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}
