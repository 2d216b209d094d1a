//! The promise: on SIGUSR2 another process takes over at the same address, and no connection is
//! refused meanwhile. If it does not start, the old process serves on.

use crate::common::eventually;
use crate::common::http::{Http, prepare};
use crate::common::media::Sample;
use crate::common::server::{Orphan, Server, program};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Asks whether the server is well, in a connection of its own.
fn knock(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    prepare(&stream);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n") {
        Ok(())
    } else {
        Err(std::io::Error::other(answer))
    }
}

#[test]
fn handover_refuses_no_connection() {
    let mut server = Server::with(&["--drain-timeout", "700ms"]);
    let address = server.address;
    let sample = Sample::read("chromium-restart-1");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let knocking = scope.spawn(|| {
            let (mut answers, mut failures) = (0, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                match knock(address) {
                    Ok(()) => answers += 1,
                    Err(error) => failures.push(error.to_string()),
                }
            }
            (answers, failures)
        });
        let mut viewer = Viewer::v1(&server, "demo");
        let mut http_viewer = HttpViewer::open(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        viewer.watch(1);
        http_viewer.watch(1);
        let mut kept = Http::open(&server);
        assert_eq!(kept.get("/healthz").field("Connection"), Some("keep-alive"));

        server.signal(Signal::USR2);
        let orphan = Orphan::of(&server);
        // Connected clients are served on until the drain timeout.
        eventually("the old process takes its leave", || {
            let answer = kept.get("/healthz");
            assert_eq!(answer.status, 200);
            (answer.field("Connection") == Some("close")).then_some(())
        });
        publisher.go_on(&sample);
        viewer.watch(sample.all_frames().len());
        http_viewer.watch(sample.all_frames().len());
        assert_eq!(viewer.closed().0, 1001);
        assert_eq!(publisher.client.closed().0, 1001);
        http_viewer.watch_to_end();
        let status = eventually("the old process ends", || server.ended());
        assert!(status.success(), "{status}");

        // Clients that reconnect find everything, and a second handover works.
        let mut viewer = Viewer::v1(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        viewer.watch(1);
        orphan.signal(Signal::USR2);
        let third = Orphan::nth(&server, 2);
        assert_eq!(viewer.closed().0, 1001);
        drop((viewer, publisher));
        orphan.wait();
        for _ in 0..20 {
            knock(address).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        let (answers, failures) = knocking.join().unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        assert!(answers > 20, "{answers} answers");
        third.signal(Signal::TERM);
        third.wait();
    });
    let log = server.wait(Instant::now()).log;
    assert_eq!(log.matches("handed over").count(), 2, "{log}");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn handover_ends_when_the_last_client_leaves() {
    let mut server = Server::with(&["--drain-timeout", "1h"]);
    let viewer = Viewer::v1(&server, "demo");
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    server.wait_for_log("handed over", 1);
    // The other process knows nothing of this viewer.
    assert_eq!(server.report("demo"), None);
    assert_eq!(server.ended(), None);
    drop(viewer);
    let status = eventually("the old process ends", || server.ended());
    assert!(status.success());
    orphan.signal(Signal::TERM);
    orphan.wait();
    server.wait(Instant::now());
}

#[test]
fn failed_handover_leaves_the_old_process_serving() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("videostream.toml");
    std::fs::write(&file, "drain_timeout = '50ms'\n").unwrap();
    let mut server = Server::with(&["--config", file.to_str().unwrap()]);
    let mut viewer = Viewer::v1(&server, "demo");
    std::fs::write(&file, "drain_timeout = 'soon'\n").unwrap();
    for times in 1..=2 {
        server.signal(Signal::USR2);
        server.wait_for_log("it did not come up", times);
        knock(server.address).unwrap();
    }
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);

    // With a valid file the handover succeeds.
    std::fs::write(&file, "max_streams = 5\ndrain_timeout = '50ms'\n").unwrap();
    server.signal(Signal::USR2);
    let orphan = Orphan::nth(&server, 3);
    assert_eq!(viewer.closed().0, 1001);
    drop((viewer, publisher));
    assert!(eventually("the old process ends", || server.ended()).success());
    orphan.signal(Signal::TERM);
    orphan.wait();
    let log = server.wait(Instant::now()).log;
    assert!(log.contains("videostream.toml:1: drain_timeout: "), "{log}");
}

#[test]
fn newer_process_that_never_gets_ready_ends_with_the_server() {
    // A program of the same name that never says that it is ready.
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("videostream");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_videostream"), &name).unwrap();
    let mut command = std::process::Command::new(&name);
    command.args(["--listen", "127.0.0.1:0"]);
    let mut server = Server::run(command);
    std::fs::remove_file(&name).unwrap();
    server.signal(Signal::USR2);
    // Nothing is there at all.
    server.wait_for_log("cannot start the newer process", 1);
    std::fs::write(&name, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&name, mode).unwrap();
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    knock(server.address).unwrap();
    let started = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.wait(started);
    assert!(ended.status.success());
    orphan.wait();
    assert!(ended.log.contains("did not take over"), "{}", ended.log);
}

#[test]
fn random_publish_key_stays_the_same() {
    let mut server = Server::on("0.0.0.0:0", &["--drain-timeout", "50ms"]);
    let link = server.line();
    let (_, key) = link
        .split_once("?key=")
        .unwrap_or_else(|| panic!("no key in {link}"));
    let publish = |server: &Server, key: &str| {
        let target = format!("/live/demo.webm?key={key}");
        let mut http = Http::open(server);
        http.upload("PUT", &target, &[], b"no WebM").status
    };
    let statuses = [key, "other"].map(|key| publish(&server, key));
    assert_eq!(statuses, [415, 401]);
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    assert!(eventually("the old process ends", || server.ended()).success());
    let statuses = [key, "other"].map(|key| publish(&server, key));
    assert_eq!(statuses, [415, 401]);
    orphan.signal(Signal::TERM);
    orphan.wait();
    let log = server.wait(Instant::now()).log;
    assert!(!log.contains(key));
}

#[test]
fn stray_predecessor_variable_is_ignored() {
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0"])
        .env("VIDEOSTREAM_PREDECESSOR", "1");
    let server = Server::run(command);
    server.assert_healthy();
}
