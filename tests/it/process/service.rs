//! The promise: the server notifies its service manager of ready, alive, stopping and handover, and
//! serves on the sockets that the manager hands over.

use crate::common::eventually;
use crate::common::http::Http;
use crate::common::server::{Orphan, Server, program};
use rustix::process::Signal;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a service manager listens on.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Manager {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket
            .set_read_timeout(Some(crate::common::PATIENCE))
            .unwrap();
        Manager { socket, folder }
    }

    fn start(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = program();
        command
            .args(["--listen", "127.0.0.1:0", "--drain-timeout", "50ms"])
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .envs(variables.iter().copied());
        Server::run(command)
    }

    fn hear(&self) -> String {
        let mut bytes = [0; 1000];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// The next message that is no sign of life.
    fn hear_news(&self) -> String {
        loop {
            let message = self.hear();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }
}

#[test]
fn service_manager_is_notified_of_ready_and_stopping() {
    let manager = Manager::new();
    let server = manager.start(&[]);
    assert_eq!(manager.hear(), "READY=1\n");
    assert!(server.end(Signal::TERM).status.success());
    assert_eq!(manager.hear(), "STOPPING=1\n");
}

#[test]
fn watchdog_is_notified_twice_per_interval() {
    let manager = Manager::new();
    let server = manager.start(&[("WATCHDOG_USEC", "400000")]);
    assert_eq!(manager.hear(), "READY=1\n");
    let started = Instant::now();
    for _ in 0..6 {
        assert_eq!(manager.hear(), "WATCHDOG=1\n");
    }
    // No client is connected, and no event wakes the loop.
    let took = started.elapsed();
    assert!((1000..2200).contains(&took.as_millis()), "{took:?}");
    drop(server);
    assert_eq!(manager.hear_news(), "STOPPING=1\n");
}

#[test]
fn standstill_is_followed_by_a_watchdog_notification_at_once() {
    let manager = Manager::new();
    let server = manager.start(&[("WATCHDOG_USEC", "12000000")]);
    assert_eq!(manager.hear(), "READY=1\n");
    // Ticks wake the loop only while a client is connected.
    let mut http = Http::open(&server);
    assert_eq!(http.get("/healthz").status, 200);
    server.signal(Signal::STOP);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    server.signal(Signal::CONT);
    let woken = Instant::now();
    assert_eq!(manager.hear(), "WATCHDOG=1\n");
    // By itself it would have come 4.5 s later.
    assert!(woken.elapsed().as_secs() < 3, "{:?}", woken.elapsed());
}

#[test]
fn watchdog_of_another_process_gets_no_notification() {
    let manager = Manager::new();
    let server = manager.start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    assert_eq!(manager.hear(), "READY=1\n");
    server.assert_healthy();
    drop(server);
    assert_eq!(manager.hear(), "STOPPING=1\n");
}

#[test]
fn handover_notifies_the_new_main_pid_and_the_watchdog() {
    let manager = Manager::new();
    let mut server = manager.start(&[("WATCHDOG_USEC", "100000")]);
    assert_eq!(manager.hear(), "READY=1\n");
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    let pid = orphan.pid().as_raw_nonzero();
    assert_eq!(manager.hear_news(), format!("MAINPID={pid}\nWATCHDOG=1\n"));
    assert!(eventually("the old process ends", || server.ended()).success());
    // What it said before it ended is read by now; the rest is the other's.
    manager.socket.set_nonblocking(true).unwrap();
    let mut bytes = [0; 1000];
    while let Ok(length) = manager.socket.recv(&mut bytes) {
        assert_eq!(&bytes[..length], b"WATCHDOG=1\n");
    }
    manager.socket.set_nonblocking(false).unwrap();
    for _ in 0..3 {
        assert_eq!(manager.hear(), "WATCHDOG=1\n");
    }
    orphan.signal(Signal::TERM);
    assert_eq!(manager.hear_news(), "STOPPING=1\n");
    orphan.wait();
    server.wait(Instant::now());
}

#[test]
fn missing_notify_socket_does_not_stop_the_server() {
    let manager = Manager::new();
    let nowhere = manager.folder.path().join("nowhere");
    let server = manager.start(&[("NOTIFY_SOCKET", nowhere.to_str().unwrap())]);
    server.assert_healthy();
}

/// Starts the server as a service manager does: with a socket as descriptor 3.
fn activated(socket: &TcpListener, pid: &str, options: &[&str]) -> Server {
    let script = format!(
        "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID={pid} LISTEN_FDNAMES=http; \
         exec \"$0\" \"$@\""
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_videostream")])
        .args(options)
        .stdin(OwnedFd::from(socket.try_clone().unwrap()));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VIDEOSTREAM_") {
            command.env_remove(name);
        }
    }
    Server::run_on_stdin(command)
}

#[test]
fn socket_that_is_handed_over_is_served_on() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // A client that connects before the server starts waits for it.
    let early = std::net::TcpStream::connect(address).unwrap();
    let mut server = activated(
        &socket,
        "$$",
        &["--listen", "127.0.0.1:1", "--drain-timeout=50ms"],
    );
    assert_eq!(server.address, address);
    let mut early = Http::from_stream(early, &server);
    assert_eq!(early.get("/healthz").status, 200);
    drop(early);
    server.assert_healthy();

    // It can be handed on.
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    assert!(eventually("the old process ends", || server.ended()).success());
    server.assert_healthy();
    orphan.signal(Signal::TERM);
    orphan.wait();
    server.wait(Instant::now());
    // The manager keeps the socket open: a client that connects now waits for the next server.
    let late = std::net::TcpStream::connect(address).unwrap();
    let server = activated(&socket, "$$", &[]);
    let mut late = Http::from_stream(late, &server);
    assert_eq!(late.get("/healthz").status, 200);
}

#[test]
fn socket_that_others_can_reach_makes_publishing_need_a_key() {
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut server = activated(&socket, "$$", &[]);
    assert!(server.line().contains("/publish/live?key="));
    let refused = Http::open(&server).upload("PUT", "/publish/demo", &[], b"x");
    assert_eq!(refused.status, 401);
}

#[test]
fn socket_for_another_process_is_not_used() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = activated(&socket, "1", &["--listen", "127.0.0.1:0"]);
    assert_ne!(server.address, socket.local_addr().unwrap());
}

#[test]
fn inherited_descriptor_without_a_socket_is_refused_in_one_line() {
    let script = "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\"";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_videostream")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.lines().count()),
        (Some(1), 1),
        "{said}"
    );
    assert!(said.starts_with("error: LISTEN_FDS: "), "{said}");
}

/// The unit files are what they say.
#[test]
fn unit_files_are_valid_and_hardened() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib");
    let service = std::fs::read_to_string(format!("{folder}/videostream.service")).unwrap();
    for line in [
        "Type=notify",
        "WatchdogSec=",
        "NoNewPrivileges=yes",
        "DynamicUser=yes",
    ] {
        assert!(
            service.lines().any(|other| other.starts_with(line)),
            "{line}"
        );
    }
    let Ok(output) = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(format!("{folder}/videostream.service"))
        .arg(format!("{folder}/videostream.socket"))
        .output()
    else {
        eprintln!("skipped: no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // The program itself need not be installed here.
    let complaints = said
        .lines()
        .filter(|line| !line.contains("is not executable"));
    let complaints: Vec<&str> = complaints
        .filter(|line| line.contains("videostream."))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
