//! The promise: with `--auth-url` no request publishes or watches without the permission of the
//! hook. Pending authorizations cost other clients nothing, and a hook that is down permits
//! nothing.

use crate::common::door::{Guard, Shown, doors};
use crate::common::eventually;
use crate::common::hook::{Hook, Says};
use crate::common::http::{Http, Response, connect_from};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Holds the hook's answers back until it is opened, once for each name.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Gate {
    fn open(&self, name: &str) {
        let (names, changed) = &*self.open;
        names.lock().unwrap().push(name.to_owned());
        changed.notify_all();
    }

    fn pass(&self, name: &str) {
        let (names, changed) = &*self.open;
        let is_shut = |names: &mut Vec<String>| !names.iter().any(|one| one == name);
        let names = names.lock().unwrap();
        let _names = changed
            .wait_timeout_while(names, 4 * crate::common::PATIENCE, is_shut)
            .unwrap();
    }
}

fn stream_of(question: &Value) -> String {
    question["stream"].as_str().unwrap_or_default().to_owned()
}

fn server(hook: &Hook, options: &[&str]) -> Server {
    let url = hook.url();
    Server::with(&[&["--auth-url", &url, "--auth-cache", "0s"], options].concat())
}

fn figure(server: &Server, name: &str) -> u64 {
    let metrics = Http::open(server).get("/metrics").text();
    let line = metrics.lines().find(|line| line.starts_with(name));
    let (_, value) = line.unwrap().rsplit_once(' ').unwrap();
    value.parse().unwrap()
}

/// Waits until so many requests wait for the hook.
fn wait_for_waiters(server: &Server, waiters: u64) {
    eventually("they wait for the hook", || {
        (figure(server, "videostream_auth_waiting ") == waiters).then_some(())
    });
}

fn assert_undecided(answer: &Response) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.field("Retry-After").is_some());
}

#[test]
fn hook_decides_every_guarded_route() {
    let hook = Hook::start(|question| match question["key"].as_str() {
        Some("come in") => Says::Status(204),
        Some("not you") => Says::Status(403),
        _ => Says::Status(401),
    });
    let server = server(&hook, &[]);
    for door in doors() {
        let action = match door.guard {
            Guard::Publish => json!("publish"),
            Guard::Watch => json!("watch"),
            Guard::List => json!("list"),
            Guard::Nothing => Value::Null,
        };
        if door.waits_for_media() {
            // See `who_waits_holds_up_nobody`.
            continue;
        }
        for (key, status) in [("come%20in", 200), ("not%20you", 403), ("", 401)] {
            let answer = door.knock(&server, &Shown::Key(key.to_owned()));
            // A client without the key gets an empty list, and no challenge.
            let is_open = status == 200 || matches!(door.guard, Guard::List | Guard::Nothing);
            let expected = if is_open { door.opens } else { &[status] };
            assert!(
                expected.contains(&answer.status),
                "{}: {door}",
                answer.status
            );
            let schemes = answer.all("WWW-Authenticate");
            assert_eq!(schemes.len(), if answer.status == 401 { 2 } else { 0 });
            if action.is_null() {
                hook.assert_not_asked();
                continue;
            }
            let asked = hook.asked();
            assert_eq!((asked.path.as_str(), asked.user), ("/auth", None));
            let stream = match door.guard {
                Guard::List => Value::Null,
                _ => json!("demo"),
            };
            let key = match status {
                200 => json!("come in"),
                403 => json!("not you"),
                _ => Value::Null,
            };
            assert_eq!(
                asked.question,
                json!({ "action": action, "stream": stream, "address": "127.0.0.1",
                        "user": null, "key": key, "token": null }),
            );
        }
    }
}

#[test]
fn hook_judges_user_password_and_token() {
    let hook = Hook::start(|_| Says::Status(200));
    let server = server(&hook, &[]);
    let mut http = Http::open(&server);
    let basic = "Authorization: Basic YW5uOnNlY3JldA==";
    let answer = http.request("GET", "/live/demo.jpg?token=t.o.k&key=unread", &[basic]);
    assert_eq!(answer.status, 404);
    assert_eq!(
        hook.asked().question,
        json!({ "action": "watch", "stream": "demo", "address": "127.0.0.1",
                "user": "ann", "key": "secret", "token": "t.o.k" }),
    );
}

#[test]
fn hook_judges_the_client_of_a_trusted_proxy() {
    let hook = Hook::start(|question| match question["address"].as_str() {
        Some("192.0.2.7") => Says::Status(204),
        _ => Says::Status(403),
    });
    let server = server(&hook, &["--trusted-proxy", "127.0.0.1"]);
    let mut http = Http::open(&server);
    for (client, status) in [("192.0.2.7", 404), ("192.0.2.8", 403)] {
        let forwarded_for = format!("X-Forwarded-For: {client}");
        let answer = http.request("GET", "/live/demo.jpg", &[&forwarded_for]);
        assert_eq!(answer.status, status, "{client}");
    }
    let direct = connect_from([127, 0, 0, 2], server.address);
    let mut direct = Http::from_stream(direct, &server);
    let answer = direct.request("GET", "/live/demo.jpg", &["X-Forwarded-For: 192.0.2.7"]);
    assert_eq!(answer.status, 403);
}

#[test]
fn address_of_the_hook_may_have_a_password() {
    let hook = Hook::start(|_| Says::Status(200));
    let url = format!("http://video:s%40crt@{}/may?they=1", hook.address);
    let server = Server::with(&["--auth-url", &url]);
    assert_eq!(Http::open(&server).get("/live/demo.jpg").status, 404);
    let asked = hook.asked();
    assert_eq!(
        (asked.user.as_deref(), asked.password.as_deref()),
        (Some("video"), Some("s@crt"))
    );
    assert_eq!(asked.path, "/may");
}

#[test]
fn undecided_hook_answer_permits_nothing() {
    let hook = Hook::start(|question| match stream_of(question).as_str() {
        "nonsense" => Says::Nonsense,
        "nothing" => Says::Nothing,
        "silence" => Says::Silence,
        status => Says::Status(status.parse().unwrap_or(200)),
    });
    let server = server(&hook, &["--auth-timeout", "500ms"]);
    for name in [
        "100", "300", "302", "307", "400", "404", "407", "429", "500", "503", "nonsense",
        "nothing", "silence",
    ] {
        assert_undecided(&Http::open(&server).get(&format!("/live/{name}.jpg")));
        let put = Http::open(&server).request(
            "PUT",
            &format!("/publish/{name}"),
            &["Content-Length: 1", "Expect: 100-continue"],
        );
        assert_undecided(&put);
    }
    assert_eq!(Http::open(&server).get("/live/good.jpg").status, 404);
    assert!(figure(&server, "videostream_auth_failed_total") >= 26);
    let log = server.end(Signal::TERM).log;
    assert!(log.contains("--auth-url gave no verdict"), "{log}");
    assert!(!log.contains(&hook.address.to_string()), "{log}");
}

#[test]
fn unreachable_hook_permits_nothing() {
    // A free port without a listener.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let url = format!("http://{}/", address.unwrap());
    let server = Server::with(&["--auth-url", &url]);
    for door in doors() {
        if door.waits_for_media() {
            continue;
        }
        let answer = door.knock(&server, &Shown::Nothing);
        match door.guard {
            Guard::Nothing => assert!(door.opens.contains(&answer.status), "{door}"),
            // It is where one sees what is wrong. It names nothing that the hook guards.
            Guard::List => assert_eq!(answer.status, 200, "{door}"),
            _ => assert_eq!(answer.status, 503, "{door}"),
        }
    }
}

#[test]
fn wrong_key_is_refused_before_the_hook() {
    let hook = Hook::start(|question| match question["key"].as_str() {
        Some("right") => Says::Status(200),
        _ => Says::Status(403),
    });
    let server = server(&hook, &["--publish-key", "right"]);
    let doors = doors();
    let publish = doors.iter().filter(|door| door.guard == Guard::Publish);
    for door in publish {
        door.assert(&server, &Shown::Key("wrong".to_owned()), false);
        door.assert(&server, &Shown::Nothing, false);
        hook.assert_not_asked();
        door.assert(&server, &Shown::Key("right".to_owned()), true);
        assert_eq!(hook.asked().question["key"], "right");
    }
    // No key guards viewing: the hook does, alone.
    assert_eq!(Http::open(&server).get("/live/demo.jpg").status, 403);
    // Pages elsewhere are kept out before.
    let foreign = doors[2].knock_as(
        &server,
        &Shown::Key("right".to_owned()),
        "localhost",
        Some("http://foe.example"),
    );
    assert_eq!(foreign.status, 403);
    hook.asked();
    hook.assert_not_asked();
}

#[test]
fn hook_answer_is_cached_for_the_same_question_only() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let hook = Hook::start(move |question| {
        counted.fetch_add(1, Ordering::SeqCst);
        match question["key"].as_str() {
            Some("no") => Says::Status(403),
            Some("trouble") => Says::Status(500),
            _ => Says::Status(200),
        }
    });
    let url = hook.url();
    let server = Server::with(&["--auth-url", &url, "--auth-cache", "1h"]);
    let get = |target: &str| Http::open(&server).get(target).status;
    let expect = |target: &str, status: u16, asked: usize| {
        assert_eq!(get(target), status, "{target}");
        assert_eq!(calls.load(Ordering::SeqCst), asked, "{target}");
    };
    expect("/live/demo.jpg", 404, 1);
    expect("/live/demo.jpg", 404, 1);
    // Page, picture and state are one question.
    expect("/api/streams/demo", 404, 1);
    expect("/live/demo.jpg?key=no", 403, 2);
    expect("/live/demo.jpg?key=no", 403, 2);
    expect("/live/other.jpg", 404, 3);
    expect("/live/demo.jpg?token=a", 404, 4);
    expect("/api/streams", 200, 5);
    expect("/api/streams", 200, 5);
    // Trouble may be over soon.
    expect("/live/demo.jpg?key=trouble", 503, 6);
    expect("/live/demo.jpg?key=trouble", 503, 7);
    assert_eq!(
        Http::open(&server)
            .request("DELETE", "/api/streams/demo", &[])
            .status,
        404
    );
    assert_eq!(calls.load(Ordering::SeqCst), 8);

    let server = Server::with(&["--auth-url", &url, "--auth-cache", "50ms"]);
    Http::open(&server).get("/live/demo.jpg");
    eventually("the answer holds no longer", || {
        Http::open(&server).get("/live/demo.jpg");
        (calls.load(Ordering::SeqCst) > 9).then_some(())
    });
}

#[test]
fn pending_authorization_delays_no_client_and_equal_questions_are_sent_once() {
    let gate = Gate::default();
    let passed = gate.clone();
    let hook = Hook::start(move |question| {
        if question["key"] == "slow" {
            passed.pass("slow");
        }
        Says::Status(200)
    });
    let server = server(&hook, &["--auth-timeout", "60s"]);
    let mut waiters: Vec<Http> = (0..50)
        .map(|_| {
            let mut http = Http::open(&server);
            http.ask("GET", "/live/demo.webm?key=slow", &[]);
            http
        })
        .collect();
    wait_for_waiters(&server, 50);
    // Others come and go.
    server.assert_healthy();
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Http::open(&server);
    publisher.ask("PUT", "/publish/demo", &["Transfer-Encoding: chunked"]);
    publisher.send_chunk(&sample.bytes);
    let mut quick = Viewer::plain(&server, "demo");
    quick.watch(1);
    gate.open("slow");
    for waiter in &mut waiters {
        assert_eq!(waiter.head().status, 200);
    }
    let mut slow = 0;
    eventually("all questions are known", || {
        let asked = hook.asked().question;
        slow += usize::from(asked["key"] == "slow");
        (asked["action"] == "watch" && asked["key"].is_null()).then_some(())
    });
    assert_eq!(slow, 1);
}

#[test]
fn bytes_behind_a_pending_request_are_kept() {
    let gate = Gate::default();
    let passed = gate.clone();
    let hook = Hook::start(move |question| {
        match question["key"].as_str() {
            Some("later") => passed.pass("later"),
            _ if question["action"] == "publish" => passed.pass("publish"),
            _ => {}
        }
        Says::Status(200)
    });
    let server = server(&hook, &["--auth-timeout", "60s"]);
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = HttpViewer::open(&server, "demo");
    eventually("the viewer is let in", || server.report("demo"));
    // Head and media at once, in pieces and in one.
    let mut publisher = Http::open(&server);
    let length = sample.bytes.len();
    let head =
        format!("PUT /live/demo.webm HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    publisher.send([head.as_bytes(), &sample.bytes[..1000]].concat());
    wait_for_waiters(&server, 1);
    publisher.send(&sample.bytes[1000..]);
    assert_eq!(server.report("demo").unwrap()["live"], false);
    gate.open("publish");
    let answer = publisher.answer("PUT");
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    server.report_when("demo", |report| report["received_bytes"] == length);
    // The viewer's picture ends where the film does.
    let last = sample.all_frames().pop();
    while viewer.screen.frames().pop() != last {
        assert!(viewer.take());
    }

    // And the requests behind one that waited.
    let mut http = Http::open(&server);
    let next = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    http.send(format!(
        "GET /api/streams/demo?key=later HTTP/1.1\r\nHost: a\r\n\r\n{next}{next}"
    ));
    wait_for_waiters(&server, 1);
    gate.open("later");
    assert_eq!(http.answer("GET").status, 200);
    assert_eq!(http.answer("GET").text(), "ok\n");
    assert_eq!(http.answer("GET").text(), "ok\n");
}

#[test]
fn late_answer_of_the_hook_never_reaches_another_client() {
    let gate = Gate::default();
    let passed = gate.clone();
    let hook = Hook::start(move |question| {
        let name = stream_of(question);
        if name.is_empty() {
            return Says::Status(200);
        }
        passed.pass(&name);
        match name.as_str() {
            "first" => Says::Status(200),
            _ => Says::Status(403),
        }
    });
    let server = server(&hook, &["--auth-timeout", "60s"]);
    let connections = |count: u64| {
        eventually("so many connections", || {
            // The one that asks is among them.
            (figure(&server, "videostream_connections ") == count + 1).then_some(())
        });
    };
    let mut first = Http::open(&server);
    first.ask("GET", "/live/first.webm", &[]);
    wait_for_waiters(&server, 1);
    connections(1);
    drop(first);
    connections(0);
    // New connections get the freed slots, the latest first.
    let mut second: Vec<Http> = (0..4)
        .map(|_| {
            let mut http = Http::open(&server);
            http.ask("GET", "/live/second.webm", &[]);
            http
        })
        .collect();
    connections(4);
    gate.open("first");
    // The same question again gets the same answer, or a later one.
    assert_eq!(Http::open(&server).get("/live/first.jpg").status, 404);
    for http in &second {
        let stream = http.stream();
        stream.set_nonblocking(true).unwrap();
        let error = stream.peek(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
    }
    gate.open("second");
    for http in &mut second {
        assert_eq!(http.head().status, 403);
    }
    server.assert_healthy();
}

#[test]
fn client_that_guesses_keys_leaves_the_hook_to_others() {
    let gate = Gate::default();
    let passed = gate.clone();
    let hook = Hook::start(move |_| {
        passed.pass("all");
        Says::Status(403)
    });
    let server = server(&hook, &["--auth-timeout", "60s"]);
    let mut guesses: Vec<Http> = (0..70)
        .map(|key| {
            let mut http = Http::open(&server);
            http.ask("GET", &format!("/live/demo.jpg?key={key}"), &[]);
            http
        })
        .collect();
    for http in &mut guesses[64..] {
        assert_undecided(&http.answer("GET"));
    }
    let mut other = Http::from_stream(connect_from([127, 0, 0, 2], server.address), &server);
    other.ask("GET", "/live/demo.jpg", &[]);
    wait_for_waiters(&server, 65);
    gate.open("all");
    assert_eq!(other.answer("GET").status, 403);
    for http in &mut guesses[..64] {
        assert_eq!(http.answer("GET").status, 403);
    }
    // Answered, they count no more.
    let mut again = Http::open(&server);
    assert_eq!(again.get("/live/demo.jpg?key=another").status, 403);
}

#[test]
fn full_authorization_queue_asks_clients_to_retry() {
    let gate = Gate::default();
    let passed = gate.clone();
    let hook = Hook::start(move |question| {
        if question["key"].is_string() {
            passed.pass("all");
        }
        Says::Status(200)
    });
    let server = server(&hook, &["--auth-timeout", "60s"]);
    // Four are asked at once, and 256 wait for their turn; each with a key of its own, and of no client
    // more than it may have.
    let waiters: Vec<Http> = (0..300)
        .map(|key| {
            let client = [127, 0, 0, 1 + (key / 60) as u8];
            let mut http = Http::from_stream(connect_from(client, server.address), &server);
            http.ask("GET", &format!("/live/demo.jpg?key={key}"), &[]);
            http
        })
        .collect();
    eventually("those beyond are answered", || {
        let answered = waiters.iter().filter(|http| {
            let stream = http.stream();
            stream.set_nonblocking(true).unwrap();
            let answer = stream.peek(&mut [0]);
            stream.set_nonblocking(false).unwrap();
            answer.is_ok()
        });
        (answered.count() >= 40).then_some(())
    });
    gate.open("all");
    let mut refused = 0;
    for mut http in waiters {
        let answer = http.answer("GET");
        if answer.status != 404 {
            assert_undecided(&answer);
            refused += 1;
        }
    }
    // The four may have taken theirs out of the queue only after it was full.
    assert!((40..=44).contains(&refused), "{refused}");
    server.assert_healthy();
}

#[test]
fn pending_authorization_does_not_delay_shutdown() {
    let gate = Gate::default();
    let passed = gate.clone();
    let hook = Hook::start(move |question| {
        if !stream_of(question).is_empty() {
            passed.pass("never");
        }
        Says::Status(200)
    });
    let server = server(&hook, &["--auth-timeout", "60s"]);
    let mut waiter = Http::open(&server);
    waiter.ask("GET", "/live/demo.webm", &[]);
    wait_for_waiters(&server, 1);
    let ended = server.end(Signal::TERM);
    assert!(ended.status.success() && ended.took < Duration::from_secs(5));
    assert!(waiter.rest().is_empty());
    gate.open("never");
}
