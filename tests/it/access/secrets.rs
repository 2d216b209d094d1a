//! The promise: no log, metric, answer of the API or error contains a key, a token or a secret, for
//! any request and at any log level.

use crate::common::door::{Shown, doors};
use crate::common::eventually;
use crate::common::hook::{Hook, Says};
use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::server::{Server, program};
use crate::common::websocket::WebSocketClient;
use rustix::process::Signal;
use std::net::Shutdown;
use videostream::access::token::{Act, Grant, TokenKey};
use videostream::secret::Secret;

/// Each is known again by a word of its own, in any encoding that matters: letters alone.
const PUBLISH_KEY: &str = "pubkeysecretword";
const WATCH_KEY: &str = "watkeysecretword";
const OWN_KEY: &str = "ownkeysecretword";
const TOKEN_SECRET: &str = "toksecsecretwordtoksecsecretword";
const HOOK_PASSWORD: &str = "hookpwsecretword";
const HOOK_KEY: &str = "hookeysecretword";
const EVENT_SECRET: &str = "secretword-event";
const WRONG: &str = "wrongsecretword";

#[test]
fn no_output_contains_a_secret() {
    let hook = Hook::start(|question| match question["action"].as_str() {
        Some("list") => Says::Status(200),
        _ => match question["token"].as_str() {
            Some("trouble") => Says::Status(500),
            Some("nonsense") => Says::Nonsense,
            Some("nothing") => Says::Nothing,
            Some("no") => Says::Status(403),
            _ => Says::Status(200),
        },
    });
    let url = format!(
        "http://video:{HOOK_PASSWORD}@{}/auth?key={HOOK_KEY}",
        hook.address
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("videostream.toml");
    let own = format!("[streams.own]\npublish_key = '{OWN_KEY}'\nwatch_key = '{OWN_KEY}'\n");
    std::fs::write(&file, own).unwrap();
    for format in ["text", "json"] {
        let mut command = program();
        command
            .args(["--listen", "127.0.0.1:0", "--log-level", "trace"])
            .args(["--log", format, "--config", file.to_str().unwrap()])
            .args(["--publish-key", PUBLISH_KEY, "--watch-key", WATCH_KEY])
            .args(["--token-secret", TOKEN_SECRET, "--auth-url", &url])
            .args(["--auth-cache", "0s", "--event-url", &url])
            .args(["--event-secret", EVENT_SECRET])
            .env("RUST_LOG", "trace");
        let server = Server::run(command);
        let told = ask_everything(&server);
        let ended = server.end(Signal::TERM);
        assert!(ended.log.contains("stopping"), "{}", ended.log);
        let all = format!("{told}\n{}\n{}", ended.output, ended.log);
        for line in all.lines() {
            let word = "secretword";
            assert!(!line.contains(word), "{line}");
            // Nor is a token, which begins like every other.
            assert!(!line.contains("eyJ"), "{line}");
            assert!(!line.contains(&hook.address.to_string()), "{line}");
        }
    }
}

/// Comes to every door with everything, right and wrong, and in ways that are no way to come.
/// Returns all that was answered.
fn ask_everything(server: &Server) -> String {
    let tokens = TokenKey::new(&Secret::new(TOKEN_SECRET)).unwrap();
    let token = |act, exp| {
        let stream = "demo".parse().unwrap();
        tokens.sign(&Grant { stream, act }, exp)
    };
    let good = token(Act::Publish, u64::MAX >> 12);
    let expired = token(Act::Watch, 1);
    let mut shown = vec![
        Shown::Nothing,
        Shown::Token(good.clone()),
        Shown::Token(format!("{good}{WRONG}")),
        Shown::Token(expired),
        Shown::Token(TOKEN_SECRET.to_owned()),
    ];
    for key in [PUBLISH_KEY, WATCH_KEY, OWN_KEY, WRONG, &good] {
        shown.extend(Shown::key_forms(key));
    }
    let mut told = String::new();
    let mut tell = |answer: &crate::common::http::Response| {
        told += &format!("{answer:?}\n{}\n", String::from_utf8_lossy(&answer.body));
    };
    for door in doors() {
        for shown in &shown {
            tell(&door.knock(server, shown));
            let foreign = Some("http://foe.example");
            tell(&door.knock_as(server, shown, "localhost", foreign));
        }
        // The key lets in, and the hook has trouble.
        for trouble in ["trouble", "nonsense", "nothing", "no"] {
            let target = format!("token={trouble}");
            let sign = if door.target.contains('?') { '&' } else { '?' };
            let request = door
                .request(&Shown::Bearer(PUBLISH_KEY.to_owned()), "a", None)
                .replacen(door.target, &format!("{}{sign}{target}", door.target), 1);
            let mut http = Http::open(server);
            http.send(request);
            if !door.waits_for_media() {
                tell(&http.head());
            }
        }
    }
    // What is no request, or none that makes sense.
    for request in [
        format!("GET /live/demo?key={WRONG} HTTP/3.0\r\n\r\n"),
        format!("GET /live/demo?key={WRONG}%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /live/demo?token={WRONG}\r\n\r\n"),
        format!("GET /{WRONG}?key={WRONG} HTTP/1.1\r\n\r\n"),
        format!("BREW /live/demo?key={WRONG} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /live/demo HTTP/1.1\r\nHost: a\r\nAuthorization: {WRONG}\r\n\r\n"),
        format!(
            "GET /live/demo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {WRONG}\r\n\
             Authorization: Bearer {WRONG}\r\n\r\n"
        ),
        format!(
            "PUT /publish/demo?key={PUBLISH_KEY} HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"
        ),
        format!("GET /live/%00?key={WRONG} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("\0GET /live/demo?key={WRONG} HTTP/1.1\r\n"),
    ] {
        let mut http = Http::open(server);
        http.send(&request);
        let _ = http.stream().shutdown(Shutdown::Write);
        told += &String::from_utf8_lossy(&http.rest());
    }
    // Publishers and viewers that come, are replaced, break the protocol, and are ended.
    let publish = format!("/publish/demo?key={PUBLISH_KEY}");
    let sample = Sample::read("chromium-restart-1");
    let mut first = Http::open(server);
    first.ask("PUT", &publish, &["Transfer-Encoding: chunked"]);
    first.send_chunk(&sample.bytes);
    let bearer = format!("Authorization: Bearer {PUBLISH_KEY}");
    eventually("the first is on air", || {
        let answer = Http::open(server).request("GET", "/api/streams/demo", &[&bearer]);
        answer.text().contains("\"live\":true").then_some(())
    });
    let by_token = format!("/publish/demo?token={good}");
    let mut second = WebSocketClient::open(server, &by_token, &["videostream.v1"]);
    second.send(sample.bytes.to_vec());
    told += &String::from_utf8_lossy(&first.rest());
    let watch = format!("/live/demo?key={WATCH_KEY}");
    let mut viewer = WebSocketClient::open(server, &watch, &["videostream.v1"]);
    told += &format!("{:?}\n", viewer.hear());
    for target in ["/api/streams", "/api/streams/demo", "/metrics"] {
        let answer = Http::open(server).request("GET", target, &[&bearer]);
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("demo"));
        told += &answer.text();
    }
    second.send(b"this is no WebM".to_vec());
    let end = format!("/api/streams/demo?key={PUBLISH_KEY}");
    told += &format!("{:?}", Http::open(server).request("DELETE", &end, &[]));
    told
}

#[test]
fn option_refused_at_start_is_named_without_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("videostream.toml");
    for (arguments, text) in [
        (&["--publish-key", "secretword\tsecretword"][..], ""),
        (&["--watch-key", "secretword\u{85}"], ""),
        (&["--token-secret", "secretword"], ""),
        (&["--auth-url", "ftp://secretword@host/"], ""),
        (&["--auth-url", "http://secretword:secretword@/"], ""),
        (&["--auth-url", "secretword"], ""),
        (&["--event-url", "http://secretword:secretword@/"], ""),
        (&["--event-secret", "secretword"], ""),
        (&["--publish-key", "secretword", "--publish-open"], ""),
        (&[], "publish_key = ['secretword']"),
        (&[], "publish_key = secretword"),
        (&[], r#"publish_key = "secretword\tsecretword""#),
        (&[], "token_secret = 'secretword'"),
        (&[], "auth_url = 'ftp://secretword'"),
        (&[], "event_url = 'ftp://secretword'"),
        (&[], "event_secret = 'secretword'"),
        (&[], "[streams.demo]\nwatch_key = 'secretword\tsecretword'"),
        (&[], "[streams.demo]\nwatch_key = 'secretword\n"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = program()
            .args(["--config", file.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {text}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(!line.contains("secretword"), "{line}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn refused_address_is_printed_without_its_secrets() {
    let publish = ["push", "a.webm"];
    let load = ["load", "--viewers", "1"];
    let elsewhere = ["load", "--viewers", "1", "h/live/a", "--publish-to"];
    let token = ["token", "a", "--url"];
    for url in [
        "ftp://h/x?key=secretword",
        "ws://u:secretword@h/x",
        "ws://secretword@h/x",
        "ws://h:99999/publish/a?key=secretword",
        "ws://h:x/publish/a?token=secretword",
        "ws://h/publish/a b?key=secretword",
        "ws:/h/publish/a?key=secretword",
        "ws//h/a&key=secretword",
        "u:secretword@h",
        "ws://h/publish/a.jpg?key=secretword",
        "http://u:secretword@h:80/live/a#secretword",
    ] {
        for arguments in [&publish[..], &load, &elsewhere, &token] {
            let arguments = [arguments, &[url]].concat();
            let output = program().args(&arguments).output().unwrap();
            let line = String::from_utf8(output.stderr).unwrap();
            assert!(!line.contains("secretword"), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
            // To `load`, which takes addresses without a scheme, it is of a host called `ws`.
            if url.starts_with("ws//") && arguments[0] == "load" {
                continue;
            }
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
            assert!(line.contains("<URL>'"), "{line}");
        }
        // One too many, and where none is expected.
        for arguments in [&["push", "a.webm", "ws://h/a"][..], &["inspect", "a"]] {
            let output = program().args(arguments).arg(url).output().unwrap();
            let line = String::from_utf8(output.stderr).unwrap();
            assert!(!line.contains("secretword"), "{line}");
        }
        let output = program()
            .args(token)
            .env("VIDEOSTREAM_PUBLISH_TO", url)
            .args(["http://h"])
            .env("VIDEOSTREAM_URL", url)
            .output()
            .unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(!line.contains("secretword"), "{line}");
        let mut by_variable = program();
        by_variable.args(load).arg("h/live/a");
        let output = by_variable.env("VIDEOSTREAM_PUBLISH_TO", url).output();
        let line = String::from_utf8(output.unwrap().stderr).unwrap();
        assert!(!line.contains("secretword"), "{line}");
        assert!(line.contains("VIDEOSTREAM_PUBLISH_TO"), "{line}");
    }
    for option in ["--allow-origin", "--allow-host"] {
        let output = program()
            .args([option, "https://u:secretword@h/a?key=secretword"])
            .output()
            .unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with(&format!("error: {option}: ")), "{line}");
        assert!(!line.contains("secretword"), "{line}");
    }
}

#[test]
fn help_shows_no_secret_from_the_environment() {
    let names = [
        "VIDEOSTREAM_PUBLISH_KEY",
        "VIDEOSTREAM_WATCH_KEY",
        "VIDEOSTREAM_TOKEN_SECRET",
        "VIDEOSTREAM_AUTH_URL",
        "VIDEOSTREAM_EVENT_URL",
        "VIDEOSTREAM_EVENT_SECRET",
    ];
    for command in [&["--help"][..], &["serve", "--help"], &["token", "--help"]] {
        let variables = names.iter().map(|name| (name, "secretword"));
        let output = program().args(command).envs(variables).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains("VIDEOSTREAM_TOKEN_SECRET"));
        assert!(!help.contains("secretword"), "{help}");
    }
}
