//! The promise: a signed link permits publishing or watching one stream until it expires, and
//! nothing else. `videostream token` makes one, and so does any program that has the secret.

use crate::common::door::{Guard, Shown, doors};
use crate::common::eventually;
use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::server::{Server, program};
use crate::common::viewer::Viewer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Runs `videostream token` with the secret.
fn run(arguments: &[&str]) -> Output {
    program()
        .arg("token")
        .args(arguments)
        .env("VIDEOSTREAM_TOKEN_SECRET", SECRET)
        .output()
        .unwrap()
}

/// The one line that it prints.
fn token(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{error}");
    let line = String::from_utf8(output.stdout).unwrap();
    let line = line.strip_suffix('\n').unwrap();
    assert!(!line.contains(char::is_whitespace), "{line}");
    line.to_owned()
}

/// A token as a web application would make it, with a library of its own.
fn signed(secret: &str, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{message}.{signature}")
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn server() -> Server {
    Server::with(&["--token-secret", SECRET])
}

#[test]
fn token_opens_its_stream_for_its_action_only() {
    let server = server();
    let watch = token(&["demo"]);
    let publish = token(&["demo", "--act", "publish", "--expires", "1m"]);
    let other = token(&["other", "--act", "publish"]);
    for door in doors() {
        for (token, act) in [(&watch, "watch"), (&publish, "publish"), (&other, "other")] {
            let is_let_in = match door.guard {
                Guard::Publish => act == "publish",
                Guard::Watch => act == "publish" || act == "watch",
                Guard::List | Guard::Nothing => true,
            };
            // In a key's place it is as good.
            let mut shown = vec![Shown::Token(token.clone())];
            shown.extend(Shown::key_forms(token));
            for shown in shown {
                door.assert(&server, &shown, is_let_in);
            }
        }
        // With a secret, nothing is open that was not opened by name.
        let is_free = matches!(door.guard, Guard::List | Guard::Nothing);
        door.assert(&server, &Shown::Nothing, is_free);
    }
}

#[test]
fn token_prints_a_link_that_opens_the_page_and_its_socket() {
    let server = server();
    for (act, room) in [("watch", "live"), ("publish", "publish")] {
        let url = format!("http://{}/", server.address);
        let link = token(&["demo", "--act", act, "--url", &url]);
        let target = link.strip_prefix(url.trim_end_matches('/')).unwrap();
        assert!(
            target.starts_with(&format!("/{room}/demo?token=")),
            "{link}"
        );
        assert_ne!(Http::open(&server).get(target).status, 401);
        let token = target.split_once("token=").unwrap().1;
        let doors = doors();
        let socket = doors.iter().find(|door| {
            door.target == format!("/{room}/demo") && door.fields.contains("websocket")
        });
        socket
            .unwrap()
            .assert(&server, &Shown::Token(token.to_owned()), true);
    }
}

#[test]
fn every_bad_token_gets_the_same_401() {
    let server = server();
    let good = json!({ "sub": "demo", "act": "watch", "exp": now() + 600 });
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let get = |token: &str| {
        let mut answer = Http::open(&server).get(&format!("/live/demo.jpg?token={token}"));
        // Where the connection stands differs, what is said does not.
        answer.fields.retain(|(name, _)| name != "Date");
        (answer.status, answer.fields.clone(), answer.text())
    };
    // It is permitted, and there is no picture.
    assert_eq!(get(&signed(SECRET, &header, &good)).0, 404);
    let with_nbf = with("nbf", json!(now() - 5));
    assert_eq!(get(&signed(SECRET, &header, &with_nbf)).0, 404);

    let whole = signed(SECRET, &header, &good);
    let parts: Vec<&str> = whole.split('.').collect();
    let [_, claims, signature] = parts[..] else {
        panic!("{whole}")
    };
    let none = URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}");
    let refused = get("");
    assert_eq!(refused.0, 401);
    let hs = |claims: Value| signed(SECRET, &header, &claims);
    for (what, token) in [
        ("expired", hs(with("exp", json!(now() - 1)))),
        ("not yet valid", hs(with("nbf", json!(now() + 300)))),
        ("another stream", hs(with("sub", json!("other")))),
        ("every stream", hs(with("sub", json!("*")))),
        ("another act", hs(with("act", json!("admin")))),
        ("no act", hs(without("act"))),
        ("no stream", hs(without("sub"))),
        ("no end", hs(without("exp"))),
        ("for others", hs(with("aud", json!("shop")))),
        ("oversized", hs(with("more", json!("x".repeat(3000))))),
        ("another secret", signed(&"x".repeat(32), &header, &good)),
        (
            "another algorithm",
            signed(SECRET, &json!({ "alg": "HS512" }), &good),
        ),
        (
            "no algorithm, signed",
            signed(SECRET, &json!({ "alg": "none" }), &good),
        ),
        ("no algorithm", format!("{none}.{claims}.")),
        (
            "no algorithm, old signature",
            format!("{none}.{claims}.{signature}"),
        ),
        ("no signature", format!("{}.{claims}.", parts[0])),
        (
            "tampered",
            format!(
                "{}.{}.{signature}",
                parts[0],
                URL_SAFE_NO_PAD.encode(with("exp", json!(now() + 9999)).to_string())
            ),
        ),
        ("nonsense", "a.b.c".to_owned()),
        ("a key", SECRET.to_owned()),
    ] {
        assert_eq!(get(&token), refused, "{what}");
    }
    // A watch token at a publisher's door.
    for door in doors() {
        if door.guard == Guard::Publish {
            door.assert(&server, &Shown::Token(whole.clone()), false);
        }
    }
}

#[test]
fn connection_outlives_its_token_and_cannot_reconnect() {
    let server = server();
    let publish = token(&["demo", "--act", "publish", "--expires", "2s"]);
    let sample = Sample::read("chromium-restart-1");
    let opening = sample.opening();
    let mut publisher = Http::open(&server);
    let target = format!("/live/demo.webm?token={publish}");
    publisher.ask("PUT", &target, &["Transfer-Encoding: chunked"]);
    publisher.send_chunk(&sample.bytes[..opening]);
    let stream = crate::common::http::connect(&server);
    let watched = format!("demo?token={publish}");
    let mut viewer = Viewer::on(stream, &server, &watched, &[]);
    viewer.watch(1);
    eventually("the token expires", || {
        let answer = Http::open(&server).get(&format!("/live/demo.jpg?token={publish}"));
        (answer.status == 401).then_some(())
    });
    // Both are still at it.
    for chunk in sample.chunks_after(opening) {
        if !chunk.is_empty() {
            publisher.send_chunk(&chunk);
        }
    }
    viewer.watch(sample.all_frames().len());
    for door in doors() {
        let is_free = matches!(door.guard, Guard::List | Guard::Nothing);
        door.assert(&server, &Shown::Token(publish.clone()), is_free);
    }
}

#[test]
fn keys_stay_valid_beside_tokens() {
    let keys = ["--publish-key", "right", "--watch-key", "look"];
    let server = Server::with(&[&["--token-secret", SECRET], &keys[..]].concat());
    let (watch, publish) = (token(&["demo"]), token(&["demo", "--act", "publish"]));
    for door in doors() {
        let (publishes, watches) = match door.guard {
            Guard::Publish => (true, false),
            Guard::Watch => (true, true),
            Guard::List | Guard::Nothing => continue,
        };
        for (shown, is_let_in) in [
            (Shown::Nothing, false),
            (Shown::Key("right".to_owned()), publishes),
            (Shown::Token(publish.clone()), publishes),
            (Shown::Key("look".to_owned()), watches),
            (Shown::Token(watch.clone()), watches),
            (Shown::Token("right".to_owned()), false),
        ] {
            door.assert(&server, &shown, is_let_in);
        }
    }
}

#[test]
fn open_action_needs_no_token() {
    let watch_open = Server::with(&["--token-secret", SECRET, "--watch-open"]);
    let publish_open = Server::with(&["--token-secret", SECRET, "--publish-open"]);
    for door in doors() {
        let (is_publish, is_watch) = (door.guard == Guard::Publish, door.guard == Guard::Watch);
        door.assert(&watch_open, &Shown::Nothing, !is_publish);
        door.assert(&publish_open, &Shown::Nothing, !is_watch);
    }
}

#[test]
fn beyond_loopback_a_secret_makes_a_random_key_needless() {
    let mut server = Server::on("0.0.0.0:0", &["--token-secret", SECRET]);
    assert!(!server.line().contains("key="));
    let publish = token(&["demo", "--act", "publish"]);
    let door = doors()[2];
    door.assert(&server, &Shown::Nothing, false);
    door.assert(&server, &Shown::Token(publish), true);
}

#[test]
fn list_shows_the_streams_of_the_token() {
    let server = server();
    let mut publishers = Vec::new();
    let sample = Sample::read("chromium-restart-1");
    for name in ["demo", "other"] {
        let token = token(&[name, "--act", "publish"]);
        let mut http = Http::open(&server);
        let target = format!("/publish/{name}?token={token}");
        http.ask("PUT", &target, &["Transfer-Encoding: chunked"]);
        http.send_chunk(&sample.bytes);
        publishers.push(http);
    }
    let token = token(&["demo"]);
    let names = |target: &str| {
        let list = Http::open(&server).get(target).text();
        ["demo", "other"].map(|name| list.contains(name))
    };
    eventually("the streams are on air", || {
        (names(&format!("/api/streams?token={token}")) == [true, false]).then_some(())
    });
    assert_eq!(names(&format!("/metrics?token={token}")), [true, false]);
    assert_eq!(names("/api/streams"), [false, false]);
    assert_eq!(names("/metrics"), [false, false]);
}

#[test]
fn secret_is_read_from_flag_variable_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let file = write("secret", &format!("{SECRET}\n"));
    let config = write("c.toml", &format!("token_secret = '{SECRET}'\n"));
    let names = write("n.toml", &format!("token_secret_file = '{file}'\n"));
    let flags = [
        ["--token-secret", SECRET],
        ["--token-secret-file", &file],
        ["--config", &config],
        ["--config", &names],
    ];
    let variables = [
        ("VIDEOSTREAM_TOKEN_SECRET", SECRET),
        ("VIDEOSTREAM_TOKEN_SECRET_FILE", &file),
        ("VIDEOSTREAM_CONFIG", &config),
    ];
    let listen = ["--listen", "127.0.0.1:0"];
    let mut made = Vec::new();
    let mut servers = Vec::new();
    for flags in flags {
        made.push(program().args(["token", "demo"]).args(flags).output());
        servers.push(Server::with(&flags));
    }
    for (name, value) in variables {
        let token = program().args(["token", "demo"]).env(name, value).output();
        made.push(token);
        let mut command = program();
        command.args(listen).env(name, value);
        servers.push(Server::run(command));
    }
    let jpeg = |server: &Server, query: &str| {
        Http::open(server)
            .get(&format!("/live/demo.jpg{query}"))
            .status
    };
    for (token, server) in made.into_iter().zip(&servers) {
        let token = String::from_utf8(token.unwrap().stdout).unwrap();
        let query = format!("?token={}", token.trim_end());
        assert_eq!((jpeg(server, ""), jpeg(server, &query)), (401, 404));
    }
}

#[test]
fn unsignable_token_is_refused_in_one_line() {
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = program()
            .arg("token")
            .args(arguments)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        line.strip_prefix("error: ").unwrap().to_owned()
    };
    let secret = [("VIDEOSTREAM_TOKEN_SECRET", SECRET)];
    assert!(refused(&["demo"], &[]).starts_with("--token-secret: is missing"));
    let short = refused(&["demo", "--token-secret", "hush"], &[]);
    assert!(
        short.starts_with("--token-secret: must be at least 32 bytes") && !short.contains("hush"),
        "{short}"
    );
    for (arguments, named) in [
        (&["a b"][..], "'a b'"),
        (&["*"], "'*'"),
        (&["demo", "--act", "admin"], "'admin'"),
        (&["demo", "--expires", "0s"], "'--expires"),
        (&["demo", "--expires", "99years"], "'--expires"),
        (&["demo", "--expires", "soon"], "'--expires"),
        (&["demo", "--url", "example.org"], "'--url"),
        (&["demo", "--url", "ftp://example.org"], "'--url"),
        (&["demo", "--url", "https://example.org/?a"], "'--url"),
    ] {
        let line = refused(arguments, &secret);
        assert!(line.contains(named) && !line.contains(SECRET), "{line}");
    }
    // So does the server with a short one.
    let output = program().args(["--token-secret", "hush"]).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        line.starts_with("error: --token-secret: must be at least 32 bytes")
            && !line.contains("hush"),
        "{line}"
    );
}
