//! The servers that are compared: how each is started, and where it is found.

use std::env;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use anyhow::ensure;
use tempfile::TempDir;

use crate::bridge;
use crate::limit::Limit;
use crate::load::Place;
use crate::process::{self, Cores, Process, Stop, free_address};
use crate::programs::{HOME, Programs};

/// In the order of the table. Beside these, `floor:N` is the floor with N chunks per send.
pub const NAMES: [&str; 7] = [
    "floor",
    "videostream",
    "videostream:http",
    "fastwebsockets",
    "tokio-tungstenite",
    "node-ws",
    "icecast",
];

/// Descriptors of a server that are no viewers.
pub const DESCRIPTORS_RESERVED: u64 = 100;

const MOUNT: &str = "/live/test.webm";

const ICECAST: &str = "icecast2";

/// Time that npm has to install one package.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(120);

/// One row of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub name: String,
    pub kind: Kind,
    /// Beside those it needs.
    pub arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// So many of the publisher's messages in one frame.
    Floor {
        chunks_per_send: u32,
    },
    Videostream {
        http: bool,
    },
    Fastwebsockets,
    TokioTungstenite,
    NodeWs,
    Icecast,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(name: &str) -> Result<Server, String> {
        let kind = match name {
            "floor" => Kind::Floor { chunks_per_send: 1 },
            "videostream" => Kind::Videostream { http: false },
            "videostream:http" => Kind::Videostream { http: true },
            "fastwebsockets" => Kind::Fastwebsockets,
            "tokio-tungstenite" => Kind::TokioTungstenite,
            "node-ws" => Kind::NodeWs,
            "icecast" => Kind::Icecast,
            _ => match name.strip_prefix("floor:").map(str::parse) {
                Some(Ok(chunks_per_send @ 1..=100)) => Kind::Floor { chunks_per_send },
                Some(_) => return Err("expected floor:N with N from 1 to 100".into()),
                None => return Err(format!("expected some of {}", NAMES.join(", "))),
            },
        };
        Ok(Server {
            name: name.to_owned(),
            kind,
            arguments: Vec::new(),
        })
    }
}

impl Kind {
    /// What keeps this server from being run here, in a few words.
    pub fn lacks(self, stop: &Stop) -> anyhow::Result<Option<String>> {
        let needed: &[&str] = match self {
            Kind::NodeWs => &["node", "npm"],
            Kind::Icecast => &[ICECAST],
            _ => &[],
        };
        if let Some(missing) = needed.iter().find(|name| !is_installed(name)) {
            return Ok(Some(format!("{missing} is not installed")));
        }
        if self == Kind::NodeWs && !Path::new(HOME).join("node-ws/node_modules/ws").exists() {
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund", "--prefix"]);
            let said = process::run(npm.arg(node_ws()), INSTALL_TIMEOUT, stop)?;
            if !said.status.success() {
                return Ok(Some(format!("npm ci failed: {}", said.stderr.trim())));
            }
        }
        Ok(None)
    }
}

fn node_ws() -> PathBuf {
    Path::new(HOME).join("node-ws")
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A server at work, until it is dropped.
#[derive(Debug)]
pub struct Running {
    pub process: Process,
    pub place: Place,
    /// What it is set up with.
    _folder: Option<TempDir>,
}

/// What starting a server takes.
#[derive(Debug)]
pub struct Stage {
    pub programs: Programs,
    /// The videostream that is measured.
    pub videostream: PathBuf,
    pub cores: Cores,
    pub stop: Stop,
}

impl Stage {
    /// Starts a server, if need be under a limit, and waits until it listens.
    pub fn start(&self, server: &Server, limit: Option<&Limit>) -> anyhow::Result<Running> {
        let address = free_address()?;
        let folder = match server.kind {
            Kind::Icecast => Some(set_up_icecast(address)?),
            _ => None,
        };
        let mut command = self.command(server, address, folder.as_ref());
        if let Some(limit) = limit {
            command = limit.around(&command);
        }
        let mut process = self.cores.start_server(command.stdout(Stdio::null()))?;
        process.listens_on(address, &self.stop)?;
        let watch = match server.kind {
            Kind::Videostream { http: true } | Kind::Icecast => format!("http://{address}{MOUNT}"),
            _ => format!("ws://{address}/live/test"),
        };
        let publish = match server.kind {
            Kind::Icecast => Some(format!("ws://{}/", bridge::open(address, MOUNT)?)),
            _ => None,
        };
        let place = Place {
            pid: process.id(),
            watch,
            publish,
            promises_playback: matches!(server.kind, Kind::Videostream { .. }),
        };
        Ok(Running {
            process,
            place,
            _folder: folder,
        })
    }

    fn command(&self, server: &Server, address: SocketAddr, folder: Option<&TempDir>) -> Command {
        let port = address.port().to_string();
        let own = |name: &str| {
            let mut command = Command::new(self.programs.own(name));
            command.args(["--port", &port]);
            command
        };
        let mut command = match server.kind {
            Kind::Floor { chunks_per_send } => {
                let mut command = own("floor");
                command.args(["--chunks-per-send", &chunks_per_send.to_string()]);
                command
            }
            Kind::Videostream { .. } => {
                let mut command = Command::new(&self.videostream);
                command.args(["--listen", &address.to_string(), "--log-level", "error"]);
                command
            }
            Kind::Fastwebsockets => own("fastwebsockets-relay"),
            Kind::TokioTungstenite => own("tungstenite-relay"),
            Kind::NodeWs => {
                let mut command = Command::new("node");
                command.arg(node_ws().join("server.mjs")).arg(port);
                command
            }
            Kind::Icecast => {
                let mut command = Command::new(ICECAST);
                command
                    .arg("-c")
                    .args(folder.map(|folder| folder.path().join(ICECAST_XML)));
                // It warns of what it was told.
                command.stderr(Stdio::null());
                command
            }
        };
        command.args(&server.arguments);
        command
    }
}

const ICECAST_XML: &str = "icecast.xml";

/// Icecast wants a file, and refuses to stay root.
fn set_up_icecast(address: SocketAddr) -> anyhow::Result<TempDir> {
    let template = fs::read_to_string(Path::new(HOME).join(ICECAST_XML))?;
    for place in ["PORT", "FOLDER", CHANGE_OWNER] {
        ensure!(template.contains(place), "{ICECAST_XML} has no {place}");
    }
    let folder = tempfile::tempdir()?;
    let change_owner = if rustix::process::geteuid().is_root() {
        "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
    } else {
        ""
    };
    let filled = template
        .replace(CHANGE_OWNER, change_owner)
        .replace(">PORT<", &format!(">{}<", address.port()))
        .replace(">FOLDER<", &format!(">{}<", folder.path().display()));
    fs::write(folder.path().join(ICECAST_XML), filled)?;
    // Whoever it becomes writes its logs there.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    Ok(folder)
}

const CHANGE_OWNER: &str = "<!-- CHANGEOWNER -->";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_name() {
        let kind = |name: &str| name.parse::<Server>().map(|server| server.kind);
        for name in NAMES {
            assert!(kind(name).is_ok(), "{name}");
        }
        assert_eq!(kind("floor:3"), Ok(Kind::Floor { chunks_per_send: 3 }));
        assert!(kind("floor:0").is_err() && kind("nginx").unwrap_err().contains("videostream"));
    }

    #[test]
    fn icecast_is_told_its_port_and_folder() {
        let folder = set_up_icecast("127.0.0.1:7001".parse().unwrap()).unwrap();
        let xml = fs::read_to_string(folder.path().join(ICECAST_XML)).unwrap();
        assert!(xml.contains("<port>7001</port>") && !xml.contains(">FOLDER<"));
        assert!(!xml.contains(CHANGE_OWNER));
    }
}
