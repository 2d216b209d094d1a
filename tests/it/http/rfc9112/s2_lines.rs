//! 2 and 3: messages are lines, and the first of them.

use super::talk::{get, refused, strings, taken};
use crate::common::server::Server;

#[test]
fn s2_2_lines_end_with_cr_and_lf() {
    let server = Server::start();
    let fields = [
        "X: a\nY: b\r\n",
        "X: a\n\r\n",
        "X: a\rb\r\n",
        "X: a\r\r\n",
        "\rX: a\r\n",
        "\nX: a\r\n",
    ];
    let mut requests: Vec<String> = fields.map(get).into();
    requests.extend(strings([
        "GET /healthz HTTP/1.1\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\nHost: a\n\n",
        "GET /healthz HTTP/1.1\rHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\rX",
        "GET /healthz\r HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz\n HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\tX: b\r\nHost: a\r\n\r\n",
        "\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\0GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    ]));
    refused(&server, "2.2 refused", 400, &requests);
    let empty_lines = ["\r\n", "\r\n\r\n"].map(|lines| lines.to_owned() + &get(""));
    taken(
        &server,
        "2.2 empty lines before a request",
        200,
        &empty_lines,
    );
}

#[test]
fn s3_request_lines() {
    let server = Server::start();
    let with = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let lines = [
        "GET  /healthz HTTP/1.1",
        "GET /healthz  HTTP/1.1",
        "GET /healthz HTTP/1.1 ",
        "GET\t/healthz HTTP/1.1",
        "GET /healthz\tHTTP/1.1",
        "GET /healthz HTTP/1.1 more",
        "GET /health z HTTP/1.1",
        "GET /healthz",
        "GET /healthz ",
        "GET HTTP/1.1",
        "GET",
        "/healthz HTTP/1.1",
        "G(T /healthz HTTP/1.1",
        "GÉT /healthz HTTP/1.1",
        "GET: /healthz HTTP/1.1",
        "GET /healthz http/1.1",
        "GET /healthz HTTP/1",
        "GET /healthz HTTP/1.",
        "GET /healthz HTTP/11",
        "GET /healthz HTTP/1.10",
        "GET /healthz HTTP/01.1",
        "GET /healthz HTTP/1,1",
        "GET /healthz HTTP/0.9",
        "GET /healthz HTTP/1.2",
        "GET /healthz HTTP/2.0",
        "GET /healthz HTTP/3",
        "GET /healthz ICE/1.0",
        "PRI * HTTP/2.0",
    ];
    refused(&server, "3 request lines", 400, &lines.map(with));
    let methods = [
        "BREW",
        "get",
        "Get",
        "TRACE",
        "PATCH",
        "DELETE",
        "X-!#$%&'*+.^_`|~1",
    ];
    let requests = methods.map(|method| with(&format!("{method} /healthz HTTP/1.1")));
    taken(&server, "3.1 other methods", 405, &requests);
    let options = with("OPTIONS /healthz HTTP/1.1");
    taken(&server, "3.1 OPTIONS", 204, &[options]);
}
