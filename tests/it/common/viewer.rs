//! Viewers by WebSocket and by HTTP, each with a [`Screen`].

use super::http::{Http, Response, connect};
use super::media::Screen;
use super::server::Server;
use super::websocket::{Heard, WebSocketClient};
use super::wire::Wire;
use bytes::Bytes;
use serde_json::Value;
use videostream::websocket::SUBPROTOCOL;

/// What begins an init segment, and a Cluster.
const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];

pub struct Viewer {
    pub client: WebSocketClient,
    pub screen: Screen,
    /// All texts but `viewers`, which comes now and then.
    pub texts: Vec<Value>,
    /// How many messages with media have come, init segments among them.
    pub media: u64,
    v1: bool,
    /// What the last text says that the next message begins with.
    announced: Option<[u8; 4]>,
}

impl Viewer {
    /// A viewer with `videostream.v1`.
    pub fn v1(server: &Server, name: &str) -> Viewer {
        let mut viewer = Viewer::on(connect(server), server, name, &[SUBPROTOCOL]);
        assert_eq!(viewer.text("hello")["stream"], name);
        viewer
    }

    /// A viewer without a subprotocol: it gets media alone.
    pub fn plain(server: &Server, name: &str) -> Viewer {
        Viewer::on(connect(server), server, name, &[])
    }

    pub fn on(
        stream: impl Into<Wire>,
        server: &Server,
        name: &str,
        subprotocols: &[&str],
    ) -> Viewer {
        let target = format!("/live/{name}");
        let client = WebSocketClient::open_on(stream, server, &target, subprotocols);
        let v1 = !subprotocols.is_empty();
        assert_eq!(client.subprotocol.as_deref(), v1.then_some(SUBPROTOCOL));
        Viewer {
            client,
            screen: Screen::new(),
            texts: Vec::new(),
            media: 0,
            v1,
            announced: None,
        }
    }

    pub fn hear(&mut self) -> Heard {
        let heard = self.client.hear();
        match &heard {
            Heard::Text(text) => {
                assert!(self.v1, "a text to who did not offer {SUBPROTOCOL}");
                match text["type"].as_str().unwrap() {
                    "init" => self.announced = Some(EBML),
                    "skip" => self.announced = Some(CLUSTER),
                    "viewers" => return heard,
                    _ => {}
                }
                self.texts.push(text.clone());
            }
            Heard::Media(bytes) => {
                match self.announced.take() {
                    Some(begin) => assert!(bytes.starts_with(&begin)),
                    None if self.v1 => assert!(!bytes.starts_with(&EBML)),
                    None => {}
                }
                self.media += 1;
                self.screen.show(bytes.clone());
            }
            Heard::Closed(..) | Heard::Gone => {}
        }
        heard
    }

    /// Watches until so many frames have been shown.
    pub fn watch(&mut self, frames: usize) {
        while self.screen.frames.len() < frames {
            if let heard @ (Heard::Closed(..) | Heard::Gone) = self.hear() {
                let seen = self.screen.frames.len();
                panic!("{heard:?} after {seen} frames, {frames} expected");
            }
        }
    }

    /// The next text of this type, whatever comes before it.
    pub fn text(&mut self, kind: &str) -> Value {
        loop {
            match self.hear() {
                Heard::Text(text) if text["type"] == kind => return text,
                Heard::Text(_) | Heard::Media(_) => {}
                other => panic!("{other:?} instead of {kind}"),
            }
        }
    }

    /// Code and reason of the close frame, whatever comes before it.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.hear() {
                Heard::Closed(code, reason) => return (code, reason),
                Heard::Gone => panic!("the connection ended without a close frame"),
                Heard::Text(_) | Heard::Media(_) => {}
            }
        }
    }

    /// Types of all texts so far.
    pub fn told(&self) -> Vec<&str> {
        let texts = self.texts.iter();
        texts.map(|text| text["type"].as_str().unwrap()).collect()
    }
}

pub struct HttpViewer {
    http: Http,
    /// A proxy in between cuts the chunks anew.
    is_cut_anew: bool,
    pub head: Option<Response>,
    pub screen: Screen,
}

impl HttpViewer {
    /// Asks in HTTP/1.1. There may be no answer before the publisher comes.
    pub fn open(server: &Server, name: &str) -> HttpViewer {
        let mut http = Http::open(server);
        http.ask("GET", &format!("/live/{name}.webm"), &[]);
        HttpViewer::new(http)
    }

    /// Asks in HTTP/1.0.
    pub fn open_1_0(server: &Server, name: &str) -> HttpViewer {
        let mut http = Http::open(server);
        http.send(format!("GET /live/{name}.webm HTTP/1.0\r\n\r\n"));
        HttpViewer::new(http)
    }

    pub fn new(http: Http) -> HttpViewer {
        HttpViewer {
            http,
            is_cut_anew: false,
            head: None,
            screen: Screen::new(),
        }
    }

    /// A viewer with chunks that end anywhere.
    pub fn behind_proxy(http: Http) -> HttpViewer {
        HttpViewer {
            is_cut_anew: true,
            ..HttpViewer::new(http)
        }
    }

    pub fn head(&mut self) -> &Response {
        let http = &mut self.http;
        self.head.get_or_insert_with(|| {
            let head = http.head();
            assert_eq!(head.status, 200);
            head
        })
    }

    /// Takes what comes next; `false` at the proper end.
    pub fn take(&mut self) -> bool {
        let is_chunked = self.head().field("Transfer-Encoding") == Some("chunked");
        if is_chunked {
            let Some(chunk) = self.http.chunk() else {
                assert!(self.http.some().is_empty(), "bytes behind the last chunk");
                return false;
            };
            if self.is_cut_anew {
                self.screen.show_part(Bytes::from(chunk))
            } else {
                self.screen.show(Bytes::from(chunk))
            }
            return true;
        }
        let bytes = self.http.some();
        let is_more = !bytes.is_empty();
        self.screen.show_part(Bytes::from(bytes));
        is_more
    }

    pub fn watch(&mut self, frames: usize) {
        while self.screen.frames.len() < frames {
            let seen = self.screen.frames.len();
            assert!(self.take(), "ended after {seen} frames, {frames} expected");
        }
    }

    /// Watches to the proper end.
    pub fn watch_to_end(&mut self) {
        while self.take() {}
    }
}
