//! The program itself, started and stopped as a service manager would.

use super::http::Http;
use super::{PATIENCE, eventually};
use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_videostream");

/// A command without the `VIDEOSTREAM_*` variables of the environment.
pub fn program() -> Command {
    without_variables(Command::new(PROGRAM))
}

/// The same in a network namespace.
pub fn program_in(namespace: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, PROGRAM]);
    without_variables(command)
}

fn without_variables(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VIDEOSTREAM_") {
            command.env_remove(name);
        }
    }
    command
}

/// A running server. When it goes out of scope it is stopped by SIGTERM, must end with exit code 0,
/// and must not have panicked.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// What clients need where all is encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    stdout: BufReader<ChildStdout>,
    log: Arc<Mutex<Vec<u8>>>,
    /// Reads the log to its end; `None` once that has been waited for.
    logging: Option<JoinHandle<()>>,
}

/// What became of a server.
pub struct Ended {
    pub status: ExitStatus,
    pub log: String,
    /// Printed lines that no test has read yet.
    pub output: String,
    /// From the signal to the end of the process.
    pub took: Duration,
}

impl Server {
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// On the loopback address, with further options.
    pub fn with(options: &[&str]) -> Server {
        Server::on("127.0.0.1:0", options)
    }

    pub fn on(listen: &str, options: &[&str]) -> Server {
        let mut command = program();
        command.args(["--listen", listen]).args(options);
        Server::run(command)
    }

    /// Starts what was made of [`program`].
    pub fn run(mut command: Command) -> Server {
        command.stdin(Stdio::null());
        Server::run_on_stdin(command)
    }

    /// Starts what has a standard input.
    pub fn run_on_stdin(mut command: Command) -> Server {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = log.clone();
        let logging = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                match stderr.read(&mut bytes).unwrap() {
                    0 => return,
                    length => shared.lock().unwrap().extend_from_slice(&bytes[..length]),
                }
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ");
        let address = url.and_then(|url| {
            let plain = url.strip_prefix("http://");
            plain.or_else(|| url.strip_prefix("https://"))
        });
        let Some(address) = address else {
            let _ = child.wait();
            logging.join().unwrap();
            let log = log.lock().unwrap();
            panic!("said {line:?}; {}", String::from_utf8_lossy(&log));
        };
        Server {
            address: address.parse().unwrap(),
            tls: None,
            child,
            stdout,
            log,
            logging: Some(logging),
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Waits until it has logged this so many times.
    pub fn wait_for_log(&self, words: &str, times: usize) {
        eventually(words, || {
            (self.log().matches(words).count() >= times).then_some(())
        });
    }

    /// The next line that it printed.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What `/api/streams/NAME` says, if there is such a stream.
    pub fn report(&self, name: &str) -> Option<Value> {
        let answer = Http::open(self).get(&format!("/api/streams/{name}"));
        match answer.status {
            200 => Some(serde_json::from_slice(&answer.body).unwrap()),
            404 => None,
            status => panic!("{status}: {}", answer.text()),
        }
    }

    /// The report on a stream, once it is as wanted.
    pub fn report_when(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        eventually("a report as wanted", || {
            last = self.report(name);
            last.clone().filter(&is_so)
        })
    }

    /// A value of `/metrics`, by its name and labels as they are written there.
    pub fn metric(&self, name: &str) -> u64 {
        let text = Http::open(self).get("/metrics").text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no {name} in {text}"));
        value.parse().unwrap()
    }

    /// Waits until this stream has no publisher.
    pub fn wait_until_offline(&self, name: &str) {
        eventually("the stream goes offline", || {
            let report = self.report(name);
            report
                .is_none_or(|report| report["live"] == false)
                .then_some(())
        });
    }

    /// Whether it is well and takes requests.
    pub fn assert_healthy(&self) {
        let answer = Http::open(self).get("/healthz");
        assert_eq!((answer.status, &*answer.text()), (200, "ok\n"));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// How it ended, if it has. What it started may still run.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Seconds of CPU that it has used, to a hundredth.
    pub fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which may have spaces: user and system time are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        times
            .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
            .sum()
    }

    /// Sends a signal, and waits for the end.
    pub fn end(mut self, signal: Signal) -> Ended {
        self.end_by(signal)
    }

    fn end_by(&mut self, signal: Signal) -> Ended {
        let started = Instant::now();
        self.signal(signal);
        self.wait(started)
    }

    /// Waits until it has ended by a signal sent at `started`.
    pub fn wait(&mut self, started: Instant) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("the server does not end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = started.elapsed();
        self.logging.take().unwrap().join().unwrap();
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
        let mut output = String::new();
        self.stdout.read_to_string(&mut output).unwrap();
        Ended {
            status,
            log,
            output,
            took,
        }
    }
}

/// A process that a server has started, and that may outlive it. Killed when it goes out of scope.
pub struct Orphan {
    pid: Pid,
}

impl Orphan {
    /// The first that takes over from this server, once it has been started.
    pub fn of(server: &Server) -> Orphan {
        Orphan::nth(server, 1)
    }

    /// The one that takes over from the one that … from this server. They share its log.
    pub fn nth(server: &Server, number: usize) -> Orphan {
        let words = "handover begins pid=";
        let pid = eventually("another process", || {
            let log = server.log();
            let (pid, _) = log.split(words).nth(number)?.split_once('\n')?;
            pid.parse().ok()
        });
        Orphan {
            pid: Pid::from_raw(pid).unwrap(),
        }
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end. It may stay a zombie that no process collects.
    pub fn wait(self) {
        eventually("the end of another process", || {
            state(self.pid)
                .is_none_or(|state| state == 'Z')
                .then_some(())
        });
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if state(self.pid).is_some_and(|state| state != 'Z') {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// The state of a process, if there is one.
fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.chars().next()
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(logging) = self.logging.take() else {
            return;
        };
        if std::thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            // What it has started may still hold the other end: that is not waited for.
            eprintln!("the server's log:\n{}", self.log());
            return;
        }
        self.logging = Some(logging);
        let ended = self.end_by(Signal::TERM);
        assert!(ended.status.success(), "{}: {}", ended.status, ended.log);
    }
}
