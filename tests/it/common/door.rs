//! Every guarded address, and the credentials that are shown there.

use super::http::{Http, Response};
use super::server::Server;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::net::Shutdown;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==\r\n";

/// A body of one byte that is not sent before the answer is there.
const BODY: &str = "Content-Length: 1\r\nExpect: 100-continue\r\n";

/// What one has to be let do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    Publish,
    Watch,
    /// The list is open to every client; what is in it is not.
    List,
    Nothing,
}

/// One way in. It leads to a stream `demo`.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    pub guard: Guard,
    pub method: &'static str,
    pub target: &'static str,
    pub fields: &'static str,
    /// The statuses of a permitted request: they often depend on the request before.
    pub opens: &'static [u16],
    /// Whether a page elsewhere could use it without reading the answer.
    pub is_blind: bool,
}

/// What is shown at a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    Bearer(String),
    Basic(String),
    Key(String),
    Token(String),
}

impl Shown {
    /// A key in its three forms.
    pub fn key_forms(key: &str) -> [Shown; 3] {
        let key = || key.to_owned();
        [Shown::Bearer(key()), Shown::Basic(key()), Shown::Key(key())]
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = if self.fields == UPGRADE {
            " (WebSocket)"
        } else {
            ""
        };
        write!(f, "{} {}{socket}", self.method, self.target)
    }
}

/// All of them: pages, sockets, streams, posters, states, lists, and open addresses.
pub fn doors() -> Vec<Door> {
    let door = |guard, method, target, fields, opens, is_blind| Door {
        guard,
        method,
        target,
        fields,
        opens,
        is_blind,
    };
    // Pages may be left out of a build; only the permission counts here.
    let page: &[u16] = &[200, 404];
    let socket: &[u16] = &[101];
    let upload: &[u16] = &[100];
    let source: &[u16] = &[200];
    let perhaps: &[u16] = &[200, 404];
    use Guard::{List, Nothing, Publish, Watch};
    vec![
        door(Nothing, "GET", "/publish/demo", "", page, false),
        door(Nothing, "HEAD", "/publish/demo", "", page, false),
        door(Publish, "GET", "/publish/demo", UPGRADE, socket, true),
        door(Publish, "PUT", "/publish/demo", BODY, upload, true),
        door(Publish, "POST", "/publish/demo", BODY, upload, true),
        door(Publish, "SOURCE", "/publish/demo", BODY, source, true),
        door(Publish, "PUT", "/publish/demo.webm", BODY, upload, true),
        door(Publish, "PUT", "/live/demo.webm", BODY, upload, true),
        door(Publish, "POST", "/live/demo.webm", BODY, upload, true),
        door(Publish, "SOURCE", "/live/demo.webm", BODY, source, true),
        door(Publish, "PUT", "/live/demo.jpg", BODY, &[100, 404], true),
        door(Publish, "POST", "/live/demo.jpg", BODY, &[100, 404], true),
        door(
            Publish,
            "DELETE",
            "/api/streams/demo",
            "",
            &[204, 404],
            true,
        ),
        door(Nothing, "GET", "/live/demo", "", page, false),
        door(Nothing, "GET", "/live/demo?embed", "", page, false),
        door(Nothing, "HEAD", "/live/demo", "", page, false),
        door(Watch, "GET", "/live/demo", UPGRADE, socket, true),
        door(Watch, "GET", "/live/demo.webm", "", &[200], false),
        door(Watch, "HEAD", "/live/demo.webm", "", &[200], false),
        door(Watch, "GET", "/live/demo.jpg", "", perhaps, false),
        door(Watch, "HEAD", "/live/demo.jpg", "", perhaps, false),
        door(Watch, "GET", "/live/demo.webp", "", perhaps, false),
        door(Watch, "HEAD", "/live/demo.webp", "", perhaps, false),
        door(Watch, "GET", "/live/demo/live.json", "", perhaps, false),
        door(Watch, "HEAD", "/live/demo/live.json", "", perhaps, false),
        door(Watch, "GET", "/live/demo/live.mpd", "", perhaps, false),
        door(Watch, "GET", "/live/demo/init-1.webm", "", perhaps, false),
        door(Watch, "GET", "/live/demo/1.webm", "", perhaps, false),
        door(Watch, "GET", "/live/demo/poster", "", &[200], false),
        door(Watch, "HEAD", "/live/demo/poster", "", &[200], false),
        door(Watch, "GET", "/api/streams/demo", "", perhaps, false),
        door(Watch, "HEAD", "/api/streams/demo", "", perhaps, false),
        door(List, "GET", "/api/streams", "", &[200], false),
        door(List, "HEAD", "/api/streams", "", &[200], false),
        door(List, "GET", "/metrics", "", &[200], false),
        door(Nothing, "GET", "/", "", page, false),
        door(Nothing, "GET", "/assets/lib/socket.js", "", page, false),
        door(Nothing, "GET", "/favicon.ico", "", page, false),
        door(Nothing, "GET", "/healthz", "", &[200], false),
        door(Nothing, "HEAD", "/healthz", "", &[200], false),
    ]
}

impl Door {
    pub fn knock(&self, server: &Server, shown: &Shown) -> Response {
        self.knock_as(server, shown, &server.address.to_string(), None)
    }

    /// With a Host, and perhaps an Origin, of one's own.
    pub fn knock_as(
        &self,
        server: &Server,
        shown: &Shown,
        host: &str,
        origin: Option<&str>,
    ) -> Response {
        let mut http = Http::open(server);
        http.send(self.request(shown, host, origin));
        if self.waits_for_media() {
            // A permitted client that closes its side gets nothing.
            http.stream().shutdown(Shutdown::Write).unwrap();
            if http.stream().peek(&mut [0]).unwrap() == 0 {
                return Response {
                    version: "HTTP/1.1".to_owned(),
                    status: 200,
                    fields: Vec::new(),
                    body: Vec::new(),
                };
            }
        }
        let mut answer = http.head();
        // What goes on without end is not read, nor what comes after 100.
        let is_whole = answer.field("Content-Length").is_some();
        if is_whole && answer.status >= 200 {
            http.body(self.method, &mut answer);
        }
        answer
    }

    /// The stream over HTTP answers once there are media, and here are none. A refusal comes at once,
    /// unless a hook decides first.
    pub fn waits_for_media(&self) -> bool {
        self.method == "GET" && self.target == "/live/demo.webm"
    }

    pub fn request(&self, shown: &Shown, host: &str, origin: Option<&str>) -> String {
        let mut target = self.target.to_owned();
        let mut head = String::new();
        let mut query = |name: &str, value: &str| {
            let sign = if target.contains('?') { '&' } else { '?' };
            target += &format!("{sign}{name}={value}");
        };
        match shown {
            Shown::Nothing => {}
            Shown::Bearer(key) => head += &format!("Authorization: Bearer {key}\r\n"),
            Shown::Basic(key) => {
                let pair = BASE64_STANDARD.encode(format!("source:{key}"));
                head += &format!("Authorization: Basic {pair}\r\n");
            }
            Shown::Key(key) => query("key", key),
            Shown::Token(token) => query("token", token),
        }
        if let Some(origin) = origin {
            head += &format!("Origin: {origin}\r\n");
        }
        format!(
            "{} {target} HTTP/1.1\r\nHost: {host}\r\n{head}{}\r\n",
            self.method, self.fields
        )
    }

    /// Sends the request, and asserts whether it is permitted. Returns the answer.
    pub fn assert(&self, server: &Server, shown: &Shown, is_let_in: bool) -> Response {
        let answer = self.knock(server, shown);
        let expected = if is_let_in { self.opens } else { &[401] };
        let status = answer.status;
        assert!(expected.contains(&status), "{status}: {self}, {shown:?}");
        if !is_let_in {
            let schemes = answer.all("WWW-Authenticate");
            assert!(schemes.iter().any(|scheme| scheme.starts_with("Basic ")));
            assert!(schemes.iter().any(|scheme| scheme.starts_with("Bearer ")));
        }
        answer
    }
}
