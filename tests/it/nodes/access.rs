//! The promise: nodes show a NATS server what it asks for, and believe only one that proves its name.

use super::nats::Nats;
use super::numbered::{Numbered, watch_to};
use crate::common::certificate::Certificate;
use crate::common::server::{Server, program};
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
    let distrustful = Server::with(&["--nats", &secure]);
    refused.wait_for_log("check --nats-credentials", 1);
    distrustful.wait_for_log("this node serves alone until one does", 1);
    // Once, however often it is tried.
    let log = refused.log();
    assert_eq!(log.matches("the NATS server refuses this node").count(), 1);
    assert!(!log.contains("no server answers"), "{log}");
}

/// Made for this test: the public key of a node, its seed, and the seed of another.
const NODE: &str = "UBT7T467BBNM74O25OT7EUTTNHFAH72Q7D4C3S5ETSGZSYDNQQU2ZGQW";
const NODE_SEED: &str = "SUAJBV3TKK7I5DPXXAHP54FBVTHZGR6KTY34UWSNHIQHD4KUI7F55JJR3Q";
const OTHER_SEED: &str = "SUAD3YJKCDK7OYKJACWYPGOUIFFAFCWSU6XDB7CYHB3JTCXIBMG34JSCXU";

#[test]
fn nkey_opens_the_server_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let misspelt = NODE_SEED.replace("SUAJ", "SUAK");
    let seeds = [NODE_SEED, OTHER_SEED, &misspelt];
    let [node, other, misspelt] = [0, 1, 2].map(|index| {
        let path = folder.path().join(index.to_string());
        std::fs::write(&path, format!("{}\n", seeds[index])).unwrap();
        path.display().to_string()
    });
    let nats = Nats::with(&format!(
        "authorization {{ users: [ {{ nkey: {NODE} }} ] }}"
    ));
    let url = nats.url();
    let refused = Server::with(&["--nats", &url, "--nats-credentials", &other]);
    assert_joined(&["--nats", &url, "--nats-credentials", &node]);
    refused.wait_for_log("the NATS server refuses this node", 1);
    refused.wait_for_log("check --nats-credentials", 1);
    let output = program()
        .args(["--nats", &url, "--nats-credentials", &misspelt])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let expected = "holds an nkey seed that is not valid: copy it again";
    assert!(
        !output.status.success() && error.contains(expected),
        "{error}"
    );
}
