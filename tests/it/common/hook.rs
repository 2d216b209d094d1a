//! A web hook that answers as its test says.

use super::PATIENCE;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;
use videostream::http::{Body, Method, parse_request};

/// What the hook says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Status(u16),
    /// Something that is no HTTP.
    Nonsense,
    /// It hangs up.
    Nothing,
    /// It neither answers nor hangs up.
    Silence,
}

/// What it was asked.
#[derive(Debug)]
pub struct Asked {
    pub question: Value,
    /// As it was sent: the lines of the head, and the body.
    pub head: String,
    pub body: Vec<u8>,
    pub path: String,
    /// Of its own address: user, and password or key.
    pub user: Option<String>,
    pub password: Option<String>,
}

pub struct Hook {
    pub address: SocketAddr,
    asked: Receiver<Asked>,
}

type Judge = dyn Fn(&Value) -> Says + Send + Sync;

impl Hook {
    /// `judge` may take its time: each connection has a thread.
    pub fn start(judge: impl Fn(&Value) -> Says + Send + Sync + 'static) -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::channel();
        let judge: Arc<Judge> = Arc::new(judge);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (judge, sender) = (Arc::clone(&judge), sender.clone());
                thread::spawn(move || serve(stream.unwrap(), &*judge, &sender));
            }
        });
        Hook { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}/auth", self.address)
    }

    /// The next question it was asked.
    pub fn asked(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).expect("a question")
    }

    /// Insists that it was asked no more.
    pub fn assert_not_asked(&self) {
        match self.asked.recv_timeout(Duration::ZERO) {
            Err(RecvTimeoutError::Timeout) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Serves one connection to its end, whatever ends it.
fn serve(mut stream: TcpStream, judge: &Judge, asked: &Sender<Asked>) {
    let mut bytes = Vec::new();
    loop {
        let (head, length) = loop {
            if let Some(parsed) = parse_request(&bytes, 1 << 16).unwrap() {
                break parsed;
            }
            if !more(&mut stream, &mut bytes) {
                return;
            }
        };
        assert_eq!(head.method, Method::Post);
        assert_eq!(head.content_type.as_deref(), Some("application/json"));
        let Body::Length(body) = head.body else {
            panic!("{:?}", head.body);
        };
        let end = length + body as usize;
        while bytes.len() < end {
            if !more(&mut stream, &mut bytes) {
                return;
            }
        }
        let body = bytes[length..end].to_vec();
        let question: Value = serde_json::from_slice(&body).unwrap();
        let lines = String::from_utf8(bytes[..length].to_vec()).unwrap();
        bytes.drain(..end);
        let says = {
            // The question is reported before its answer can arrive.
            let _ = asked.send(Asked {
                question: question.clone(),
                head: lines,
                body,
                path: head.path,
                user: head.user,
                password: head.keys.first().map(|key| key.expose().to_owned()),
            });
            judge(&question)
        };
        let answer = match says {
            Says::Status(204) => "HTTP/1.1 204 So\r\n\r\n".to_owned(),
            Says::Status(status) => {
                format!("HTTP/1.1 {status} So\r\nContent-Length: 4\r\nLocation: /x\r\n\r\nbody")
            }
            Says::Nonsense => "nonsense\r\n\r\n".to_owned(),
            Says::Nothing => return,
            Says::Silence => {
                // Until the peer has enough of it.
                while more(&mut stream, &mut bytes) {}
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    match stream.read(&mut piece) {
        Ok(0) | Err(_) => false,
        Ok(length) => {
            bytes.extend_from_slice(&piece[..length]);
            true
        }
    }
}
