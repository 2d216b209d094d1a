//! 3.2: targets and hosts.

use super::talk::{refused, taken};
use crate::common::server::Server;

#[test]
fn s3_2_targets_and_hosts() {
    let server = Server::start();
    let with = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let bad = [
        "healthz",
        "a:80",
        "a:80/healthz",
        "?healthz",
        "ftp://a/healthz",
        "//\x7f",
        "/healthz\0",
        "/healthz\x0b",
        "/%",
        "/%1",
        "/%g1",
        "/%00",
        "/%0d%0aX:%20a",
        "/%0a",
        "/%7f",
        "/%ff",
        "/%c0%af",
        "/%ed%a0%80",
        "/#top",
        "/healthz#top",
        "http://u:p@a/healthz",
        "http://a b/healthz",
        "http://a\\b/healthz",
    ];
    refused(&server, "3.2 targets", 400, &bad.map(with));
    let nowhere = [
        "*",
        "/*",
        "//healthz",
        "/./healthz",
        "/../healthz",
        "/HEALTHZ",
        "http://a/*",
    ];
    taken(&server, "3.2 targets of nothing", 404, &nowhere.map(with));
    taken(&server, "3.2 a closing slash", 308, &[with("/healthz/")]);
    let connect = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned();
    refused(&server, "3.2.3 authority form", 400, &[connect]);
    let options = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    taken(&server, "3.2.4 asterisk form", 204, &[options]);
    let fine = [
        "/healthz",
        "/%68ealthz",
        "/healthz?",
        "/healthz?a=b&c",
        "/healthz??",
        "http://a/healthz",
        "HTTP://other:1/healthz",
        "https://[::1]:1/healthz?x",
    ];
    taken(
        &server,
        "3.2 origin and absolute form",
        200,
        &fine.map(with),
    );

    let hosts = [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a, b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
        "Host: a\\b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: caf\u{e9}\r\n",
        "Host: a:b\r\n",
        "Host: a:80:81\r\n",
        "Host: a:+80\r\n",
        "Host: [::1]x:80\r\n",
        "Host: [::1].evil.example:80\r\n",
        "Host: []\r\n",
        "Host: a[:].localhost:80\r\n",
        "Host: a:65536\r\n",
        "Host: ::1\r\n",
        "Host: :80\r\n",
        "Host: a%zz\r\n",
        "Host: [::1\r\n",
        "Host: `a\r\n",
        "Host: a:n:.localhost\r\n",
    ];
    let with = |lines: &str| format!("GET /healthz HTTP/1.1\r\n{lines}\r\n");
    refused(&server, "3.2 hosts", 400, &hosts.map(with));
    // Whatever the target says.
    let absolute = "GET http://a/healthz HTTP/1.1\r\n\r\n".to_owned();
    refused(
        &server,
        "3.2.2 absolute form without Host",
        400,
        &[absolute],
    );
    let absolute = [
        "http:///healthz",
        "http://:80/healthz",
        "http://a:b/healthz",
    ];
    let with = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    refused(
        &server,
        "3.2.2 absolute form without a host",
        400,
        &absolute.map(with),
    );
    let with = |lines: &str| format!("GET /healthz HTTP/1.1\r\n{lines}\r\n");
    let fine = [
        "Host:\r\n",
        "Host: \r\n",
        "Host: a:1\r\n",
        "Host: a:\r\n",
        "Host: under_score.localhost\r\n",
        "Host: [::1]:80\r\n",
        "HOST:a\r\n",
        "Host:\ta\t\r\n",
    ];
    taken(&server, "3.2 hosts that are taken", 200, &fine.map(with));
    let old = ["", "Host: ::1:8000\r\n", "Host: a:b\r\n", "Host: a\r\n"];
    let with =
        |lines: &str| format!("GET /healthz HTTP/1.0\r\n{lines}Connection: keep-alive\r\n\r\n");
    taken(&server, "3.2 hosts in HTTP/1.0", 200, &old.map(with));
}
