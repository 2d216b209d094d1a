//! The promise: no request publishes without the publish key, and none watches without the watch
//! key, where these are set. Pages of other origins open no WebSocket.

use crate::common::door::{Door, Guard, Shown, doors};
use crate::common::http::{Http, Response};
use crate::common::server::{Server, program};

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
];

fn ask(server: &Server, method: &str, target: &str, fields: &[&str]) -> Response {
    let mut http = Http::open(server);
    http.ask(method, target, fields);
    let mut answer = http.head();
    if answer.status >= 400 {
        http.body(method, &mut answer);
    }
    answer
}

fn upgrade(server: &Server, target: &str, fields: &[&str]) -> Response {
    ask(server, "GET", target, &[&UPGRADE, fields].concat())
}

fn assert_unauthorized(answer: &Response) {
    assert_eq!(answer.status, 401);
    let schemes = answer.all("WWW-Authenticate");
    assert!(schemes.iter().any(|scheme| scheme.starts_with("Basic ")));
    assert!(schemes.iter().any(|scheme| scheme.starts_with("Bearer ")));
}

/// Goes through all doors, each with everything that is shown.
fn walk(server: &Server, shown: &[Shown], is_let_in: impl Fn(&Door, &Shown) -> bool) {
    for door in doors() {
        for shown in shown {
            door.assert(server, shown, is_let_in(&door, shown));
        }
    }
}

/// No key, wrong keys, and these keys in their three forms.
fn nothing_wrong_and(keys: &[&str]) -> Vec<Shown> {
    let forms = keys.iter().flat_map(|key| Shown::key_forms(key));
    [Shown::Nothing, Shown::Token("right".to_owned())]
        .into_iter()
        .chain(Shown::key_forms("wrong"))
        .chain(forms)
        .collect()
}

fn is(shown: &Shown, key: &str) -> bool {
    Shown::key_forms(key).contains(shown)
}

#[test]
fn publish_key_guards_each_way_of_publishing() {
    let server = Server::with(&["--publish-key", "right"]);
    walk(&server, &nothing_wrong_and(&["right"]), |door, shown| {
        door.guard != Guard::Publish || is(shown, "right")
    });
}

#[test]
fn watch_key_guards_each_way_of_watching() {
    let server = Server::with(&["--watch-key", "look", "--publish-key", "right"]);
    let shown = nothing_wrong_and(&["right", "look"]);
    walk(&server, &shown, |door, shown| match door.guard {
        Guard::Publish => is(shown, "right"),
        Guard::Watch => is(shown, "right") || is(shown, "look"),
        Guard::List | Guard::Nothing => true,
    });
    // A closed door to viewing leaves the one to publishing as it is.
    let server = Server::with(&["--watch-key", "look"]);
    walk(&server, &nothing_wrong_and(&["look"]), |door, shown| {
        door.guard != Guard::Watch || is(shown, "look")
    });
}

#[test]
fn keys_of_a_stream_replace_the_keys_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("videostream.toml");
    let text = "publish_key = 'right'\nwatch_key = 'look'\n\
                [streams.demo]\npublish_key = 'own-right'\nwatch_key = 'own-look'\n";
    std::fs::write(&file, text).unwrap();
    let server = Server::with(&["--config", file.to_str().unwrap()]);
    let shown = nothing_wrong_and(&["right", "look", "own-right", "own-look"]);
    walk(&server, &shown, |door, shown| match door.guard {
        Guard::Publish => is(shown, "own-right"),
        Guard::Watch => is(shown, "own-right") || is(shown, "own-look"),
        Guard::List | Guard::Nothing => true,
    });
}

fn run(flags: &[&str], variables: &[(&str, &str)]) -> Server {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]).args(flags);
    command.envs(variables.iter().copied());
    Server::run(command)
}

#[test]
fn key_is_read_from_flag_variable_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (publish, watch) = (write("publish", "right\n"), write("watch", "look\n"));
    let config = write("keys.toml", "publish_key = 'right'\nwatch_key = 'look'\n");
    let names = write(
        "names.toml",
        &format!("publish_key_file = '{publish}'\nwatch_key_file = '{watch}'\n"),
    );
    let flags: [&[&str]; 4] = [
        &["--publish-key", "right", "--watch-key", "look"],
        &["--publish-key-file", &publish, "--watch-key-file", &watch],
        &["--config", &config],
        &["--config", &names],
    ];
    let variables: [&[(&str, &str)]; 3] = [
        &[
            ("VIDEOSTREAM_PUBLISH_KEY", "right"),
            ("VIDEOSTREAM_WATCH_KEY", "look"),
        ],
        &[
            ("VIDEOSTREAM_PUBLISH_KEY_FILE", &publish),
            ("VIDEOSTREAM_WATCH_KEY_FILE", &watch),
        ],
        &[("VIDEOSTREAM_CONFIG", &config)],
    ];
    let by_flags = flags.map(|flags| run(flags, &[]));
    let by_variables = variables.map(|variables| run(&[], variables));
    for server in by_flags.iter().chain(&by_variables) {
        for (target, key, status) in [
            ("/publish/demo", "", 401),
            ("/publish/demo", "look", 401),
            ("/publish/demo", "right", 101),
            ("/live/demo", "", 401),
            ("/live/demo", "look", 101),
            ("/live/demo", "right", 101),
        ] {
            let field = format!("Authorization: Bearer {key}");
            assert_eq!(
                upgrade(server, target, &[&field]).status,
                status,
                "{target}"
            );
        }
    }
}

#[test]
fn wrong_key_opens_nothing() {
    let server = Server::with(&["--publish-key", "right"]);
    for (target, field) in [
        ("/publish/demo", "Authorization: Bearer"),
        ("/publish/demo", "Authorization: Bearer rightly"),
        ("/publish/demo", "Authorization: Bearer Right"),
        ("/publish/demo", "Authorization: Digest right"),
        ("/publish/demo", "Authorization: right"),
        ("/publish/demo", "Authorization: Basic right"),
        // Base64 of `right`, and of `right:source`.
        ("/publish/demo", "Authorization: Basic cmlnaHQ="),
        ("/publish/demo", "Authorization: Basic cmlnaHQ6c291cmNl"),
        ("/publish/demo?key=", "Accept: */*"),
        ("/publish/demo?Key=right", "Accept: */*"),
        // The first of two counts.
        ("/publish/demo?key=wrong&key=right", "Accept: */*"),
        ("/publish/demo?key=wrong", "Authorization: Bearer wrong"),
    ] {
        assert_unauthorized(&upgrade(&server, target, &[field]));
    }
    // Beside a right one a wrong one does no harm: browsers send what they were once asked for.
    for (target, field) in [
        ("/publish/demo?key=right", "Authorization: Bearer wrong"),
        (
            "/publish/demo?key=right",
            "Authorization: Basic eDp3cm9uZw==",
        ),
        ("/publish/demo?key=wrong", "Authorization: Bearer right"),
    ] {
        assert_eq!(upgrade(&server, target, &[field]).status, 101, "{field}");
    }
}

#[test]
fn watch_key_guards_media_pictures_and_reports() {
    let server = Server::with(&["--publish-key", "right", "--watch-key", "look"]);
    let look = "Authorization: Bearer look";
    let mut publisher = Http::open(&server);
    let put = ["Transfer-Encoding: chunked", "Authorization: Bearer right"];
    publisher.ask("PUT", "/live/demo.webm", &put);
    let sample = crate::common::media::Sample::read("chromium-restart-1");
    publisher.send_chunk(&sample.bytes);
    // The publish key opens viewing as well.
    for field in [look, "Authorization: Bearer right"] {
        let answer = ask(&server, "GET", "/live/demo.webm", &[field]);
        assert_eq!(answer.status, 200);
        assert_eq!(upgrade(&server, "/live/demo", &[field]).status, 101);
    }
    assert_eq!(
        ask(&server, "GET", "/live/demo.webm?key=look", &[]).status,
        200
    );
    for fields in [&[][..], &["Authorization: Bearer wrong"]] {
        for target in [
            "/live/demo.webm",
            "/live/demo.jpg",
            "/live/demo.webp",
            "/live/demo/poster",
            "/api/streams/demo",
            "/live/nobody-there.webm",
        ] {
            assert_unauthorized(&ask(&server, "GET", target, fields));
            assert_eq!(ask(&server, "HEAD", target, fields).status, 401);
        }
        assert_unauthorized(&upgrade(&server, "/live/demo", fields));
        // A client that may watch nothing gets no names.
        let streams = Http::open(&server).request("GET", "/api/streams", fields);
        assert_eq!(streams.text(), "{\"streams\":[],\"locked\":true}");
    }
    let streams = Http::open(&server).request("GET", "/api/streams", &[look]);
    assert!(streams.text().contains("\"demo\""));
    // It is no publish key.
    assert_unauthorized(&upgrade(&server, "/publish/demo", &[look]));
}

#[test]
fn pages_from_elsewhere_open_no_websocket() {
    let server = Server::with(&["--allow-origin", "https://friend.example"]);
    let host = server.address.to_string();
    let own = format!("http://{host}");
    for door in doors() {
        let knock = |origin: &str| {
            door.knock_as(&server, &Shown::Nothing, &host, Some(origin))
                .status
        };
        for origin in [&own, "https://friend.example", "HTTPS://Friend.example:443"] {
            let status = knock(origin);
            assert!(
                door.opens.contains(&status),
                "{status}: {door} from {origin}"
            );
        }
        for origin in [
            "https://foe.example",
            "http://friend.example",
            "https://friend.example:444",
            "https://friend.example.foe.example",
            "http://localhost",
            "null",
            "nonsense",
        ] {
            // What a page could only read is kept from it by the browser.
            let expected = if door.is_blind { &[403] } else { door.opens };
            let status = knock(origin);
            assert!(expected.contains(&status), "{status}: {door} from {origin}");
        }
    }
}

/// As when a page has its own name lead to this machine (DNS rebinding).
#[test]
fn local_server_refuses_foreign_host_names() {
    let shown = Shown::Nothing;
    let knock = |server: &Server, door: &Door, host: &str| {
        let port = server.address.port();
        let origin = format!("http://{host}:{port}");
        let host = format!("{host}:{port}");
        door.knock_as(server, &shown, &host, Some(&origin)).status
    };
    let options = [
        &[][..],
        &["--allow-host", "video.example", "--allow-host", "b.example"],
        &["--allow-origin", "http://video.example"],
    ];
    for options in options {
        let server = Server::with(options);
        for door in doors() {
            for host in ["localhost", "127.0.0.1", "[::1]", "demo.localhost", "cam"] {
                let status = knock(&server, &door, host);
                assert!(door.opens.contains(&status), "{status}: {door} of {host}");
            }
            for (host, is_listed) in [("foe.example", false), ("video.example", true)] {
                let is_let_in = door.guard == Guard::Nothing || is_listed && !options.is_empty();
                let expected = if is_let_in { door.opens } else { &[403] };
                let status = knock(&server, &door, host);
                assert!(expected.contains(&status), "{status}: {door} of {host}");
            }
        }
    }
    // Programs that are no browser get the reason as well, and what to do.
    let server = Server::start();
    let door = doors()[2];
    let answer = door.knock_as(&server, &shown, "foe.example", None);
    assert_eq!(answer.status, 403);
    for option in ["--publish-key", "--allow-host"] {
        assert!(answer.text().contains(option), "{}", answer.text());
    }
}

/// Behind a proxy that passes the name on.
#[test]
fn guarded_server_accepts_any_host_name() {
    let secret = "0123456789abcdef0123456789abcdef";
    for (options, shown) in [
        (&["--publish-open"][..], Shown::Nothing),
        (&["--publish-key", "k"], Shown::Bearer("k".to_owned())),
        (
            &["--token-secret", secret, "--publish-open", "--watch-open"],
            Shown::Nothing,
        ),
    ] {
        let server = Server::with(options);
        for door in doors() {
            let origin = Some("https://video.example");
            let answer = door.knock_as(&server, &shown, "video.example", origin);
            assert!(door.opens.contains(&answer.status), "{door} {options:?}");
        }
    }
    let server = Server::on("0.0.0.0:0", &["--publish-open"]);
    let answer = doors()[2].knock_as(&server, &Shown::Nothing, "video.example", None);
    assert_eq!(answer.status, 101);
}

#[test]
fn beyond_loopback_a_key_is_made_and_printed() {
    let mut server = Server::on("0.0.0.0:0", &[]);
    let line = server.line();
    let (address, key) = line.split_once("?key=").expect("a key in the link");
    // A link to 0.0.0.0 would open nowhere.
    let port = server.address.port();
    assert_eq!(
        address.trim(),
        format!("go live: http://127.0.0.1:{port}/publish/live")
    );
    assert!(key.len() >= 16, "{key}");
    assert_unauthorized(&upgrade(&server, "/publish/live", &[]));
    assert_unauthorized(&upgrade(&server, "/publish/live?key=guess", &[]));
    let target = format!("/publish/live?key={key}");
    assert_eq!(upgrade(&server, &target, &[]).status, 101);
    assert_eq!(upgrade(&server, "/live/live", &[]).status, 101);
    // Each server makes its own, and no log has it.
    let mut other = Server::on("0.0.0.0:0", &[]);
    assert!(!other.line().ends_with(key));
    let log = server.end(rustix::process::Signal::TERM).log;
    assert!(!log.contains(key));
}

#[test]
fn beyond_loopback_publishing_is_open_only_by_name() {
    let mut server = Server::on("0.0.0.0:0", &["--publish-open"]);
    assert!(!server.line().contains("key"));
    assert_eq!(upgrade(&server, "/publish/live", &[]).status, 101);
}
