//! A NATS server of its own for each test.

use super::network::Place;
use crate::common::eventually;
use crate::common::proxy::free_address;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// As `docs/nodes.md` asks for.
const LIMITS: &str = "write_deadline: \"2s\"\nmax_pending: 268435456\n";

pub struct Nats {
    pub address: SocketAddr,
    folder: TempDir,
    /// The network namespace that it runs in.
    namespace: Option<String>,
    child: Option<Child>,
}

impl Nats {
    pub fn start() -> Nats {
        Nats::with("")
    }

    /// With further lines of configuration.
    pub fn with(lines: &str) -> Nats {
        let mut nats = Nats::absent(lines);
        nats.run();
        nats
    }

    /// One that does not run yet.
    pub fn absent(lines: &str) -> Nats {
        Nats::new(free_address(), Some(""), lines)
    }

    /// Two servers that are one cluster, in a network namespace. Each has further lines of configuration.
    pub fn cluster(place: &Place, jetstream: Option<&str>, lines: [String; 2]) -> [Nats; 2] {
        let Place { name, address, .. } = place;
        let mut servers = [0, 1].map(|index| {
            let client = format!("{address}:{}", 4222 + index);
            let lines = format!(
                "server_name: {name}{index}\ncluster {{ name: {name}, listen: \"{address}:{}\", \
                 routes: [ \"nats://{address}:6222\", \"nats://{address}:6223\" ] }}\n{}",
                6222 + index,
                lines[index],
            );
            let mut nats = Nats::new(client.parse().unwrap(), jetstream, &lines);
            nats.namespace = Some(place.namespace.clone());
            nats
        });
        // Neither is ready before the other is.
        servers.iter_mut().for_each(Nats::spawn);
        servers.iter_mut().for_each(Nats::wait);
        servers
    }

    /// `jetstream`: further lines about it, where it has it.
    fn new(address: SocketAddr, jetstream: Option<&str>, lines: &str) -> Nats {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("js");
        let jetstream = jetstream.map_or_else(String::new, |further| {
            format!("jetstream {{ store_dir: {store:?}, max_file_store: 64MB\n{further} }}\n")
        });
        let text = format!("listen: \"{address}\"\n{LIMITS}{jetstream}{lines}\n");
        fs::write(folder.path().join("nats.conf"), text).unwrap();
        Nats {
            address,
            folder,
            namespace: None,
            child: None,
        }
    }

    pub fn run(&mut self) {
        self.spawn();
        self.wait();
    }

    fn spawn(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = match &self.namespace {
            None => Command::new(program()),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, program()]);
                command
            }
        };
        let child = command
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("this test needs nats-server, from Debian's package: {error}")
            });
        self.child = Some(child);
    }

    fn wait(&mut self) {
        eventually("NATS listens", || {
            let ended = self.child.as_mut()?.try_wait().unwrap();
            assert!(ended.is_none(), "nats-server: {}", self.log());
            TcpStream::connect(self.address).ok()
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = i32::try_from(child.id()).unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
            child.wait().unwrap();
        }
    }
}

/// Where a user's PATH may not lead.
fn program() -> &'static str {
    let found = ["/usr/sbin/nats-server", "/usr/local/sbin/nats-server"];
    let found = found.into_iter().find(|path| Path::new(path).exists());
    found.unwrap_or("nats-server")
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
