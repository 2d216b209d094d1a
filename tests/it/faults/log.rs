//! The promise: a log that cannot be written costs lines, which are counted, and nothing else: the
//! server serves on, and stops when it is told to.

use crate::common::eventually;
use crate::common::http::Http;
use crate::common::server::program;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, pipe};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a service manager may have to wait.
const SOON: Duration = Duration::from_secs(5);

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn logging_to(stderr: impl Into<Stdio>, options: &[&str]) -> Server {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0"]).args(options);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("said {line:?}"));
        Server {
            address: address.parse().unwrap(),
            child,
        }
    }

    fn ask(&self, method: &str, target: &str, lines: &[&str], body: &str) -> (u16, String) {
        let mut http = Http::to(self.address);
        http.ask(method, target, lines);
        http.send(body);
        let answer = http.answer(method);
        (answer.status, answer.text())
    }

    /// Something that is logged.
    fn upload_nonsense(&self) {
        let length = "Content-Length: 9";
        assert_eq!(self.ask("PUT", "/publish/a", &[length], "not webm!").0, 415);
    }

    fn lines_lost(&self) -> u64 {
        let (status, text) = self.ask("GET", "/metrics", &[], "");
        assert_eq!(status, 200);
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix("videostream_log_lines_lost_total "));
        value.unwrap().parse().unwrap()
    }

    /// Uploads nonsense until lines are lost.
    fn lose_lines(&self) {
        for _ in 0..100 {
            for _ in 0..100 {
                self.upload_nonsense();
            }
            if self.lines_lost() > 0 {
                return;
            }
        }
        panic!("10,000 lines went somewhere");
    }

    /// Ends it by SIGTERM, and tells how long that took.
    fn stop(mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let status = eventually("the end of the server", || self.child.try_wait().unwrap());
        (status, started.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn full_disk_and_a_closed_pipe_cost_lines_and_not_the_server() {
    let (reader, closed) = pipe().unwrap();
    drop(reader);
    for stderr in [Stdio::from(full_disk()), Stdio::from(closed)] {
        let server = Server::logging_to(stderr, &[]);
        for _ in 0..5 {
            server.upload_nonsense();
        }
        // One for each upload, and what is logged at the start.
        eventually("all lines are counted", || {
            (server.lines_lost() >= 5).then_some(())
        });
        assert_eq!(server.ask("GET", "/healthz", &[], "").0, 200);
        let (status, took) = server.stop();
        assert!(status.success() && took < SOON, "{status}, {took:?}");
    }
}

#[test]
fn stuck_reader_of_the_log_holds_up_neither_the_server_nor_its_stop() {
    let (reader, stderr) = pipe().unwrap();
    let server = Server::logging_to(stderr, &[]);
    server.lose_lines();
    let asked = Instant::now();
    assert_eq!(server.ask("GET", "/healthz", &[], "").0, 200);
    assert!(asked.elapsed() < SOON);
    let (status, took) = server.stop();
    assert!(status.success() && took < SOON, "{status}, {took:?}");
    drop(reader);
}

#[test]
fn lost_lines_are_told_in_the_log_once_it_is_read_again() {
    for (format, tells) in [
        ("text", "log lines lost: standard error does not"),
        ("json", "\"message\":\"log lines lost: standard"),
    ] {
        let (mut reader, stderr) = pipe().unwrap();
        let server = Server::logging_to(stderr, &["--log", format]);
        server.lose_lines();
        let lost = server.lines_lost();
        let reading = std::thread::spawn(move || {
            let mut log = String::new();
            reader.read_to_string(&mut log).unwrap();
            log
        });
        eventually("a line that is not lost", || {
            let before = server.lines_lost();
            server.upload_nonsense();
            (server.lines_lost() == before).then_some(())
        });
        let lost_in_all = server.lines_lost();
        assert!(server.stop().0.success());
        let log = reading.join().unwrap();
        let told: Vec<&str> = log.lines().filter(|line| line.contains(tells)).collect();
        let last = told.last().unwrap_or_else(|| panic!("{log}"));
        assert!(last.contains("ERROR"), "{last}");
        let total = match format {
            "json" => format!("\"total\":{lost_in_all}"),
            _ => format!("total={lost_in_all}"),
        };
        assert!(
            lost <= lost_in_all && last.contains(&total),
            "{last}, {total}"
        );
        // Nothing of what was read is half a line.
        let is_whole = |line: &&str| line.starts_with(['2', '{']);
        assert!(log.lines().all(|line| is_whole(&line)), "{log}");
    }
}

#[test]
fn standard_output_that_takes_nothing_is_no_reason_not_to_serve() {
    let (reader, closed) = pipe().unwrap();
    drop(reader);
    let (stuck_reader, mut stuck) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&stuck, true).unwrap();
    while std::io::Write::write(&mut stuck, &[0; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&stuck, false).unwrap();
    for stdout in [
        Stdio::from(full_disk()),
        Stdio::from(closed),
        Stdio::from(stuck),
    ] {
        // The address is not told, so the port has to be known before.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let mut command: Command = program();
        let child = command
            .args(["--listen", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, address };
        eventually("it listens", || {
            std::net::TcpStream::connect(address).ok().map(drop)
        });
        assert_eq!(server.ask("GET", "/healthz", &[], "").0, 200);
        let (status, took) = server.stop();
        assert!(status.success() && took < SOON, "{status}, {took:?}");
    }
    drop(stuck_reader);
}

#[test]
fn start_that_fails_is_told_after_what_was_logged() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = program();
    command.args(["--listen", &address, "--log-level", "trace"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let last = text.lines().last().unwrap();
    let expected = format!("error: --listen {address}: ");
    assert!(last.starts_with(&expected), "{text}");
    // With nobody to read it, the exit code is all there is.
    let (reader, closed) = pipe().unwrap();
    drop(reader);
    for stderr in [Stdio::from(full_disk()), Stdio::from(closed)] {
        let mut command = program();
        let status = command
            .args(["--listen", &address])
            .stderr(stderr)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1));
    }
    for arguments in [&["--listen", "nowhere"][..], &["push", "a", "b"]] {
        let mut command = program();
        let status = command
            .args(arguments)
            .stderr(full_disk())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2));
    }
}
