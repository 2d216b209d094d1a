//! Processes that end with us, each on the cores it was given.
//!
//! Whatever is started here ends when it is dropped: at the end, on a failure, and on a signal,
//! which [`Stop`] turns into a failure.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// How often a process is looked after.
const TURN: Duration = Duration::from_millis(20);

/// Time in which a server must listen.
const START_TIMEOUT: Duration = Duration::from_secs(15);

/// Whether somebody wants us to stop.
#[derive(Debug, Clone)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on, Ctrl-C and its like no longer end this process at once.
    pub fn on_signals() -> io::Result<Stop> {
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            flag::register(signal, stop.0.clone())?;
        }
        Ok(stop)
    }

    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.0.load(Ordering::Relaxed), "ended by a signal");
        Ok(())
    }
}

/// Where processes run: the server on one core, the load tester on the others.
#[derive(Debug)]
pub struct Cores {
    server: CpuSet,
    others: CpuSet,
    /// The server's, unless it has to share it.
    pub apart: Option<usize>,
}

impl Cores {
    /// Chooses the last core that we may use, or the one asked for, and leaves it to the server.
    pub fn share(asked: Option<usize>) -> anyhow::Result<Cores> {
        let all = sched_getaffinity(None)?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core));
        let core = match asked {
            Some(core) => core,
            None => allowed.next_back().context("no core to run on")?,
        };
        ensure!(
            core < CpuSet::MAX_CPU && all.is_set(core),
            "there is no core {core} to run on"
        );
        let mut server = CpuSet::new();
        server.set(core);
        let mut others = all;
        let has_others = all.count() > 1;
        if has_others {
            others.unset(core);
        }
        sched_setaffinity(None, &others)?;
        Ok(Cores {
            server,
            others,
            apart: has_others.then_some(core),
        })
    }

    /// Starts a process on the server's core.
    pub fn start_server(&self, command: &mut Command) -> anyhow::Result<Process> {
        // A process starts on the cores of the thread that starts it, so that none of its own
        // threads is ever elsewhere.
        sched_setaffinity(None, &self.server)?;
        let started = Process::start(command);
        sched_setaffinity(None, &self.others)?;
        started
    }
}

/// A process, and those that it has started, until it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    pub fn start(command: &mut Command) -> anyhow::Result<Process> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| name.clone())?;
        Ok(Process { child, name })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it listens.
    pub fn listens_on(&mut self, address: SocketAddr, stop: &Stop) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            stop.check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it listened: {status}", self.name);
            }
            let seconds = START_TIMEOUT.as_secs();
            let is_late = Instant::now() > deadline;
            ensure!(!is_late, "{} does not listen after {seconds} s", self.name);
            thread::sleep(TURN);
        }
        Ok(())
    }

    fn wait(&mut self, deadline: Instant, stop: &Stop) -> anyhow::Result<ExitStatus> {
        loop {
            stop.check()?;
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{} does not end", self.name);
            thread::sleep(TURN);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command, most: Duration, stop: &Stop) -> anyhow::Result<Said> {
    let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stdout = listen(process.child.stdout.take());
    let stderr = listen(process.child.stderr.take());
    let status = process.wait(Instant::now() + most, stop)?;
    let text = |reader: JoinHandle<String>| reader.join().expect("reading does not panic");
    Ok(Said {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

/// Reads aside: a pipe that nobody reads holds up its writer.
fn listen(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was said before the pipe broke is still worth telling.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// An address of the loopback network where nobody listens.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn never() -> Stop {
        Stop(Arc::default())
    }

    #[test]
    fn a_process_says_what_it_has_to_say() {
        let mut command = shell("echo out; echo err >&2; exit 3");
        let said = run(&mut command, START_TIMEOUT, &never()).unwrap();
        let told = (said.status.code(), &*said.stdout, &*said.stderr);
        assert_eq!(told, (Some(3), "out\n", "err\n"));
    }

    #[test]
    fn one_that_does_not_end_is_ended() {
        let began = Instant::now();
        let error = run(&mut shell("exec sleep 60"), TURN, &never()).unwrap_err();
        assert_eq!(error.to_string(), "sh does not end");
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_signal_ends_what_runs() {
        let stop = Stop(Arc::new(AtomicBool::new(true)));
        let error = run(&mut shell("exec sleep 60"), START_TIMEOUT, &stop).unwrap_err();
        assert_eq!(error.to_string(), "ended by a signal");
    }

    #[test]
    fn a_server_that_ends_early_is_not_waited_for() {
        let mut process = Process::start(&mut shell("exit 7")).unwrap();
        let address = free_address().unwrap();
        let error = process.listens_on(address, &never()).unwrap_err();
        assert!(error.to_string().contains("ended before it listened"));
    }
}
