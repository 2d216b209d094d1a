//! The promise: `/api/events` has the last hour and then each second, for those who may see it, and
//! Grafana's dashboard in `contrib/` asks for figures that the server has.

use crate::common::eventually;
use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::proxy::free_address;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A client of `/api/events`.
struct Follower {
    http: Http,
    text: String,
}

impl Follower {
    fn open(server: &Server, fields: &[&str]) -> Follower {
        let mut http = Http::open(server);
        http.ask("GET", "/api/events", fields);
        let head = http.head();
        assert_eq!(head.status, 200);
        assert_eq!(head.field("Content-Type"), Some("text/event-stream"));
        assert_eq!(head.field("Cache-Control"), Some("no-store"));
        Follower {
            http,
            text: String::new(),
        }
    }

    /// The next event: its name, and its data.
    fn event(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (name, data) = event.split_once("\ndata: ").unwrap();
                let name = name.strip_prefix("event: ").unwrap().to_owned();
                let event = (name, serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                return event;
            }
            let bytes = self.http.some();
            assert!(!bytes.is_empty(), "the events have ended");
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
    }

    /// The next state that is as wanted.
    fn state(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, data) = self.event();
            if name == "state" && is_so(&data) {
                return data;
            }
        }
    }
}

#[test]
fn events_have_the_hour_and_then_what_the_api_says() {
    let server = Server::start();
    let _publisher = Publisher::on_air(&server, "demo");
    let mut viewer = Viewer::plain(&server, "demo");
    viewer.watch(1);
    let mut follower = Follower::open(&server, &[]);
    let (name, process) = follower.event();
    assert_eq!((&*name, &process["stream"]), ("history", &Value::Null));
    let state = follower.state(|state| state["samples"]["demo"]["viewers"] == 1.0);
    let process = &state["process"];
    assert!(process["memory_bytes"].as_f64().unwrap() > 1e6, "{process}");
    assert!(process["cpu_percent"].as_f64().unwrap() >= 0.0, "{process}");
    assert!(process["turn_ms"].as_f64().unwrap() > 0.0, "{process}");
    // What `/api/streams` says, and nothing less.
    let listed = Http::open(&server).get("/api/streams").text();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    for (key, value) in listed.as_object().unwrap() {
        let keys = |value: &Value| {
            value[0]
                .as_object()
                .map(|one| one.keys().cloned().collect())
        };
        let pair: [Option<Vec<String>>; 2] = [keys(&state[key]), keys(value)];
        assert_eq!(pair[0], pair[1], "{key}");
    }
    assert_eq!(state["locked"], false);
    // A later client gets the stream's history as well.
    let mut later = Follower::open(&server, &[]);
    assert_eq!(later.event().1["stream"], Value::Null);
    let (name, history) = later.event();
    assert_eq!((&*name, &history["stream"]), ("history", &"demo".into()));
    let row = history["rows"][0].as_array().unwrap();
    assert_eq!(row.len(), 1 + history["figures"].as_array().unwrap().len());
    let head = Http::open(&server).request("HEAD", "/api/events", &[]);
    assert_eq!(
        (head.status, head.field("Connection")),
        (200, Some("close"))
    );
}

#[test]
fn events_show_what_a_key_shows_and_that_another_would_show_more() {
    let server = Server::with(&["--watch-key", "look"]);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&Sample::read("chromium-restart-1").chunks);
    let mut stranger = Follower::open(&server, &[]);
    let seen = stranger.state(|_| true);
    assert_eq!(
        (&seen["streams"], &seen["locked"]),
        (&Value::Array(vec![]), &true.into())
    );
    assert!(!seen.to_string().contains("demo"));
    let mut friend = Follower::open(&server, &["Authorization: Bearer look"]);
    let seen = friend.state(|state| state["samples"]["demo"].is_object());
    assert_eq!(
        (&seen["streams"][0]["name"], &seen["locked"]),
        (&"demo".into(), &false.into())
    );
}

#[test]
fn events_end_when_the_server_stops() {
    let server = Server::start();
    let mut follower = Follower::open(&server, &[]);
    follower.state(|_| true);
    assert!(server.end(Signal::TERM).status.success());
    while !follower.http.some().is_empty() {}
}

/// Debian's, scraping one server.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(server: &Server) -> Prometheus {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: \
             [{{job_name: videostream, static_configs: [{{targets: ['{}']}}]}}]\n",
            server.address
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let address = free_address();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs prometheus: install it");
        Prometheus {
            child,
            address,
            _folder: folder,
        }
    }

    /// What a query gives now; `None` while it does not answer.
    fn ask(&self, query: &str) -> Option<Value> {
        let socket = std::net::TcpStream::connect(self.address).ok()?;
        drop(socket);
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = Http::to(self.address).get(&format!("/api/v1/query?query={query}"));
        let found: Value = serde_json::from_str(&answer.text()).ok()?;
        // A query with a fault never gets better.
        assert_ne!(found["errorType"], "bad_data", "{found}");
        Some(found["data"]["result"].clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// All values of this key, at any depth.
fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    _ => collect(value, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, key, found)),
        _ => {}
    }
}

#[test]
fn every_query_of_grafanas_dashboard_has_data() {
    let server = Server::start();
    let prometheus = Prometheus::scraping(&server);
    let _publisher = Publisher::on_air(&server, "demo");
    let mut viewer = Viewer::plain(&server, "demo");
    viewer.watch(1);
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/contrib/grafana/videostream.json"
    );
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard["panels"], "expr", &mut queries);
    assert!(queries.len() >= 12, "{queries:?}");
    for query in queries {
        let asked = query
            .replace("$__rate_interval", "10s")
            .replace("$instance", ".*")
            .replace("$stream", ".*");
        assert!(
            !asked.contains('$'),
            "{query} has a variable that Prometheus does not know"
        );
        eventually(query, || {
            let found = prometheus.ask(&asked)?;
            (!found.as_array()?.is_empty()).then_some(())
        });
    }
    // What the variables are chosen from.
    for (label, metric) in [
        ("stream", "videostream_stream_live"),
        ("instance", "videostream_streams"),
    ] {
        let found = prometheus.ask(metric).unwrap();
        assert!(found[0]["metric"][label].is_string(), "{label}: {found}");
        assert!(
            dashboard["templating"].to_string().contains(metric),
            "{metric}"
        );
    }
}
