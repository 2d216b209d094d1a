//! The promise: nodes show a NATS server what it asks for, and believe only one that proves its name.

use super::nats::Nats;
use super::numbered::{Numbered, watch_to};
use crate::common::certificate::Certificate;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use std::thread;

/// Two nodes that reach the server by these options are one service.
fn assert_joined(options: &[&str]) {
    let [a, b] = ["a", "b"].map(|name| Server::with(&[options, &["--node", name]].concat()));
    for server in [&a, &b] {
        server.wait_for_log("connected to NATS", 1);
    }
    let mut viewer = Viewer::v1(&b, "demo");
    let publisher = Numbered::publish(&a, "demo", 1);
    watch_to(&mut viewer, 1, 5);
    drop(publisher);
}

#[test]
fn token_user_and_tls_of_an_own_authority_open_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let [token, user] = [("token", "s3cr3t"), ("user", "nodes:pass word")].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path.display().to_string()
    });
    let certificate = Certificate::new();
    let [cert, key] =
        [certificate.cert(), certificate.key()].map(|path| path.display().to_string());
    let with_token = Nats::with("authorization { token: \"s3cr3t\" }");
    let with_user = Nats::with("authorization { user: nodes, password: \"pass word\" }");
    let with_tls = Nats::with(&format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}"));
    let secure = format!("tls://localhost:{}", with_tls.address.port());
    thread::scope(|scope| {
        scope.spawn(|| assert_joined(&["--nats", &with_token.url(), "--nats-credentials", &token]));
        scope.spawn(|| assert_joined(&["--nats", &with_user.url(), "--nats-credentials", &user]));
        scope.spawn(|| assert_joined(&["--nats", &secure, "--nats-ca", &cert]));
    });
    // Without them it stays closed, and says why.
    let refused = Server::with(&["--nats", &with_token.url()]);
    refused.wait_for_log("this node serves alone until one does", 1);
    let distrustful = Server::with(&["--nats", &secure]);
    distrustful.wait_for_log("this node serves alone until one does", 1);
}
