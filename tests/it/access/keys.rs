//! The promise: a key is any 1 to 256 characters but control characters, and opens in each of its
//! three forms, from each of the places that it may be given in.

use crate::common::http::Http;
use crate::common::media::path;
use crate::common::server::{Server, program};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::fs::File;

const KEYS: [&str; 7] = [
    "correct horse",
    "a:b:c d",
    "Größe №5 🐎",
    "a+b",
    "100%25 of a/b=c&d?e#f",
    "\"quoted\" \\ 'twice'",
    " spaces around ",
];

/// 404 when the key is right: no publisher is on air. 401 when it is not.
fn end_a_stream(server: &Server, query: &str, fields: &[&str]) -> u16 {
    let target = format!("/api/streams/demo{query}");
    Http::open(server).request("DELETE", &target, fields).status
}

/// The forms that a key may be shown in: Bearer, Basic, and `?key=` escaped in two ways.
fn forms(key: &str) -> Vec<(String, String)> {
    let pair = BASE64_STANDARD.encode(format!("source:{key}"));
    let form: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let mut forms = vec![
        (String::new(), format!("Authorization: Basic {pair}")),
        (
            format!("?key={}", utf8_percent_encode(key, NON_ALPHANUMERIC)),
            "Accept: */*".to_owned(),
        ),
        (format!("?key={form}"), "Accept: */*".to_owned()),
    ];
    // A field's value neither begins nor ends with a space (RFC 9110, 5.5).
    if key.trim() == key {
        forms.push((String::new(), format!("Authorization: Bearer {key}")));
    }
    forms
}

fn assert_opens(server: &Server, key: &str) {
    for (query, field) in forms(key) {
        assert_eq!(
            end_a_stream(server, &query, &[&field]),
            404,
            "{query} {field}"
        );
    }
    for wrong in [&format!("{key}!"), "k", &key.replace(' ', "")] {
        if wrong == key {
            continue;
        }
        for (query, field) in forms(wrong) {
            assert_eq!(
                end_a_stream(server, &query, &[&field]),
                401,
                "{query} {field}"
            );
        }
    }
}

#[test]
fn key_of_any_characters_opens_in_each_of_its_forms() {
    let longest = "ß".repeat(256);
    for key in KEYS.into_iter().chain([&*longest]) {
        assert_opens(&Server::with(&["--publish-key", key]), key);
    }
    // An address that was typed, where a plus sign is itself.
    let server = Server::with(&["--publish-key", "a+b c"]);
    assert_eq!(end_a_stream(&server, "?key=a+b%20c", &[]), 404);
    assert_eq!(end_a_stream(&server, "?key=a%2Bb+c", &[]), 404);
    assert_eq!(end_a_stream(&server, "?key=a%20b+c", &[]), 401);
}

#[test]
fn key_of_any_characters_may_stand_in_variable_and_file() {
    let folder = tempfile::tempdir().unwrap();
    for key in KEYS {
        let mut command = program();
        command
            .args(["--listen", "127.0.0.1:0"])
            .env("VIDEOSTREAM_PUBLISH_KEY", key);
        assert_opens(&Server::run(command), key);

        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{key}\n")).unwrap();
        assert_opens(
            &Server::with(&["--publish-key-file", secret.to_str().unwrap()]),
            key,
        );

        let config = folder.path().join("videostream.toml");
        let quoted = toml::Value::from(key);
        for text in [
            format!("publish_key = {quoted}\n"),
            format!("publish_key = 'other'\n[streams.demo]\npublish_key = {quoted}\n"),
        ] {
            std::fs::write(&config, &text).unwrap();
            assert_opens(&Server::with(&["--config", config.to_str().unwrap()]), key);
        }
    }
}

#[test]
fn key_of_any_characters_is_shown_by_push_and_load() {
    for key in KEYS {
        let server = Server::with(&["--publish-key", key, "--watch-key", key]);
        for scheme in ["ws", "http"] {
            let url = format!("{scheme}://{}/publish/demo", server.address);
            let sample = path("chromium-restart-1");
            let pushed = program()
                .args(["push", "-", &url, "--key", key])
                .stdin(File::open(&sample).unwrap())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&pushed.stderr);
            assert!(pushed.status.success(), "{key}: {said}");

            let url = format!("http://{}/live/demo", server.address);
            let loaded = program()
                .args([
                    "load",
                    &url,
                    "--viewers",
                    "2",
                    "--protocol",
                    scheme,
                    "--key",
                    key,
                ])
                .args(["--publish-rate", "500k", "--ramp", "0", "--duration", "0.3"])
                .args(["--fail-if", "failed>0,connected<2"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&loaded.stderr);
            assert!(loaded.status.success(), "{key}: {said}");
        }
    }
}

#[test]
fn token_secret_may_hold_any_characters() {
    for secret in [
        "correct horse battery staple and more",
        "Größe №5: 32 Bytes sind schnell voll 🐎",
    ] {
        let server = Server::with(&["--token-secret", secret]);
        let token = program()
            .args([
                "token",
                "demo",
                "--act",
                "publish",
                "--token-secret",
                secret,
            ])
            .output()
            .unwrap();
        assert!(token.status.success());
        let token = String::from_utf8(token.stdout).unwrap();
        assert_eq!(
            end_a_stream(&server, &format!("?token={}", token.trim()), &[]),
            404
        );
        assert_eq!(end_a_stream(&server, "?token=x.y.z", &[]), 401);
    }
}
