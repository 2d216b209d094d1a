//! The promise: `--event-url` gets each event of a stream in its order, signed, and once more until it
//! takes it; a receiver that does not costs events, which are counted, and nothing else.

use crate::common::eventually;
use crate::common::hook::{Asked, Hook, Says};
use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::server::{Server, program};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use videostream::events::signature;
use videostream::secret::Secret;

const SECRET: &str = "correct horse battery staple";

fn receiver() -> Hook {
    Hook::start(|_| Says::Status(204))
}

fn server(url: &str, options: &[&str]) -> Server {
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(options)
        .env("VIDEOSTREAM_EVENT_URL", url)
        .env("VIDEOSTREAM_EVENT_SECRET", SECRET);
    Server::run(command)
}

/// Takes an event, and checks its signature, its id and its time.
fn event(asked: &Asked) -> &Value {
    let expected = signature(&Secret::new(SECRET), &asked.body).to_lowercase();
    let head = asked.head.to_lowercase();
    let field = format!("\r\nx-videostream-signature: {expected}\r\n");
    assert!(head.contains(&field), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/json\r\n"),
        "{head}"
    );
    let event = &asked.question;
    let time = event["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    let time = humantime::parse_rfc3339(time).unwrap();
    // Minutes: a loaded machine, and the grace.
    assert!(time.elapsed().unwrap() < Duration::from_secs(120));
    event
}

/// The next event: its name, and its stream.
fn told(hook: &Hook) -> (String, String) {
    let asked = hook.asked();
    let event = event(&asked);
    let word = |key| event[key].as_str().unwrap().to_owned();
    (word("event"), word("stream"))
}

fn is(event: &str, stream: &str) -> (String, String) {
    (event.to_owned(), stream.to_owned())
}

fn end(server: &Server, name: &str) {
    let target = format!("/api/streams/{name}");
    assert_eq!(
        Http::open(server).request("DELETE", &target, &[]).status,
        204
    );
}

#[test]
fn life_of_a_stream_is_told_in_its_order() {
    let hook = receiver();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://video:hush@{}/events?key=k", hook.address);
    let dir = dir.path().to_str().unwrap();
    let options = ["--record-grace", "400ms", "--record", dir];
    let server = server(&url, &options);
    let mut ids = BTreeSet::new();
    let mut next = |expected: Value| {
        let asked = hook.asked();
        assert_eq!(asked.path, "/events");
        assert_eq!(asked.user.as_deref(), Some("video"));
        let mut event = event(&asked).clone();
        let fields = event.as_object_mut().unwrap();
        let id = fields.remove("id").unwrap().as_str().unwrap().to_owned();
        assert!(ids.insert(id), "each has an id of its own");
        fields.remove("time");
        if expected["event"] == "recording-finished" {
            return event;
        }
        assert_eq!(event, expected);
        event
    };
    // Viewers may come before the publisher, and are told when it comes. Only the first and the last
    // count; those of a name that has no publisher are not told.
    drop(Viewer::v1(&server, "made-up"));
    let first = Viewer::v1(&server, "demo");
    let second = HttpViewer::open(&server, "demo");
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    next(json!({ "event": "publish-started", "stream": "demo" }));
    next(json!({ "event": "first-viewer", "stream": "demo" }));
    drop(first);
    drop(second);
    next(json!({ "event": "last-viewer-left", "stream": "demo" }));
    publisher.go_on(&sample);
    publisher.finish();
    // Both ends have the same grace: either may be first.
    let asked = [hook.asked(), hook.asked()];
    let events = asked.each_ref().map(event);
    let [ended, finished] = if events[0]["event"] == "publish-ended" {
        events
    } else {
        [events[1], events[0]]
    };
    assert_eq!(
        (&ended["event"], &ended["reason"]),
        (&json!("publish-ended"), &json!("ended"))
    );
    assert_eq!(finished["event"], "recording-finished");
    let file = finished["file"].as_str().unwrap();
    assert_eq!(finished["url"], format!("/recordings/demo/{file}"));
    assert!(
        finished["duration_ms"].as_u64().unwrap() > 500,
        "{finished}"
    );
    let recording = Http::open(&server).get(finished["url"].as_str().unwrap());
    assert_eq!(finished["bytes"], recording.body.len());
    let metric = |name: &str| server.metric(&format!("videostream_{name}"));
    eventually("all are counted", || {
        (metric("events_delivered_total") == 5).then_some(())
    });
    assert_eq!(
        (metric("events_dropped_total"), metric("events_waiting")),
        (0, 0)
    );
    let ended = server.end(Signal::TERM);
    assert!(
        ended.status.success() && !ended.log.contains("events"),
        "{}",
        ended.log
    );
    hook.assert_not_asked();
}

#[test]
fn publisher_that_returns_within_the_grace_has_not_ended() {
    let hook = receiver();
    let server = server(&hook.url(), &["--record-grace", "1h"]);
    let sample = Sample::read("chromium-restart-1");
    for round in 0..3 {
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        server.report_when("demo", |report| report["live"] == true);
        if round == 0 {
            assert_eq!(told(&hook), is("publish-started", "demo"));
        }
        // One that takes over is no end either.
        if round == 2 {
            let mut other = Publisher::open(&server, "demo");
            other.open_stream(&sample);
            publisher.client.text("replaced");
            end(&server, "demo");
        } else {
            publisher.finish();
            server.wait_until_offline("demo");
        }
    }
    // The owner's word is an end at once.
    assert_eq!(told(&hook), is("publish-ended", "demo"));
    // So is that of the server, before it goes.
    let _publisher = Publisher::on_air(&server, "other");
    assert_eq!(told(&hook), is("publish-started", "other"));
    let mut gone = Publisher::open(&server, "gone");
    gone.open_stream(&sample);
    assert_eq!(told(&hook), is("publish-started", "gone"));
    gone.finish();
    server.wait_until_offline("gone");
    assert!(server.end(Signal::TERM).status.success());
    let ends = BTreeSet::from([told(&hook), told(&hook)]);
    assert_eq!(
        ends,
        BTreeSet::from([is("publish-ended", "gone"), is("publish-ended", "other")])
    );
    hook.assert_not_asked();
}

#[test]
fn event_is_sent_again_until_it_is_taken_and_later_ones_wait_for_it() {
    let tries = AtomicUsize::new(0);
    let hook = Hook::start(move |event| {
        if event["stream"] != "demo" {
            return Says::Status(200);
        }
        match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Says::Status(500),
            1 => Says::Nonsense,
            // A redirect is no yes, and is not followed.
            2 => Says::Status(302),
            _ => Says::Status(200),
        }
    });
    let server = server(&hook.url(), &[]);
    let publisher = Publisher::on_air(&server, "demo");
    let first = hook.asked();
    assert_eq!(event(&first)["event"], "publish-started");
    end(&server, "demo");
    // Another stream does not wait for it.
    let _other = Publisher::on_air(&server, "other");
    let mut rest: Vec<Asked> = (0..5).map(|_| hook.asked()).collect();
    let other = rest
        .iter()
        .position(|asked| asked.question["stream"] == "other");
    rest.remove(other.unwrap());
    let (last, again) = rest.split_last().unwrap();
    for asked in again {
        assert_eq!(asked.body, first.body, "the same event, with the same id");
        event(asked);
    }
    assert_eq!(event(last)["event"], "publish-ended");
    eventually("all are taken", || {
        (server.metric("videostream_events_delivered_total") == 3).then_some(())
    });
    assert_eq!(server.metric("videostream_event_tries_failed_total"), 3);
    let log = server.log();
    assert!(
        log.contains("--event-url does not take events: they are sent again"),
        "{log}"
    );
    assert!(log.contains("it answered 500"), "{log}");
    drop(publisher);
}

#[test]
fn receiver_that_does_not_answer_holds_up_neither_streams_nor_the_end() {
    // One that nothing listens at, and one that never answers for one stream.
    let nothing = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}/hush", nothing.local_addr().unwrap());
    drop(nothing);
    let hook = Hook::start(|event| match event["stream"].as_str() {
        Some("stuck") => Says::Silence,
        _ => Says::Status(200),
    });
    let servers = [server(&dead, &[]), server(&hook.url(), &[])];
    for server in &servers {
        let mut publisher = Publisher::open(server, "stuck");
        let sample = Sample::read("chromium-restart-1");
        let mut viewer = Viewer::v1(server, "stuck");
        publisher.open_stream(&sample);
        viewer.watch(1);
        publisher.go_on(&sample);
        viewer.watch(sample.all_frames().len());
    }
    let stuck = told(&hook);
    assert_eq!(stuck, is("publish-started", "stuck"));
    for name in ["a", "b", "c", "d", "e"] {
        let _publisher = Publisher::on_air(&servers[1], name);
        assert_eq!(told(&hook), is("publish-started", name));
    }
    for server in servers {
        let ended = server.end(Signal::TERM);
        assert!(
            ended.status.success() && ended.took < Duration::from_secs(5),
            "{:?}",
            ended.took
        );
        let lost = "events are lost: --event-url did not take them before the end";
        assert!(ended.log.contains(lost), "{}", ended.log);
        assert!(!ended.log.contains("hush"), "{}", ended.log);
    }
}

#[test]
fn recording_that_was_cut_off_is_told_when_the_next_start_finishes_it() {
    let hook = receiver();
    let dir = tempfile::tempdir().unwrap();
    let record = ["--record", dir.path().to_str().unwrap()];
    let mut killed = Server::with(&record);
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::open(&killed, "demo");
    publisher.open_stream(&sample);
    publisher.go_on(&sample);
    let file = |dir: &Path| std::fs::read_dir(dir.join("demo")).ok()?.next()?.ok();
    eventually("media on disk", || {
        let length = file(dir.path())?.metadata().ok()?.len();
        // Behind the room for Cues in front.
        (length > 40_000 + sample.bytes.len() as u64 / 2).then_some(())
    });
    killed.signal(Signal::KILL);
    killed.wait(Instant::now());
    let options = [&record[..], &["--base-path", "/video"]].concat();
    let _server = server(&hook.url(), &options);
    let asked = hook.asked();
    let event = event(&asked);
    assert_eq!(event["event"], "recording-finished");
    let entry = file(dir.path()).unwrap();
    let name = entry.file_name().into_string().unwrap();
    assert_eq!(event["file"], name);
    assert_eq!(event["url"], format!("/video/recordings/demo/{name}"));
    assert_eq!(event["bytes"], entry.metadata().unwrap().len());
}
