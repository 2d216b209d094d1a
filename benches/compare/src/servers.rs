//! The servers that are compared: how each is started, and where it is found.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use crate::load::Place;
use crate::process::{Cores, Process, Stop, free_address};
use crate::programs::Programs;

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
}

/// A server at work, until it is dropped.
#[derive(Debug)]
pub struct Running {
    pub process: Process,
    pub place: Place,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(name: &str) -> Result<Server, String> {
        let kind = match name.split_once(':') {
            None if name == "floor" => Kind::Floor { chunks_per_send: 1 },
            Some(("floor", count)) => match count.parse() {
                Ok(chunks_per_send @ 1..=100) => Kind::Floor { chunks_per_send },
                _ => return Err(format!("'{count}' is no number of chunks per send")),
            },
            None if name == "videostream" => Kind::Videostream { http: false },
            Some(("videostream", "http")) => Kind::Videostream { http: true },
            _ => {
                return Err(format!(
                    "no server '{name}': there are {}",
                    NAMES.join(", ")
                ));
            }
        };
        Ok(Server {
            name: name.to_owned(),
            kind,
            arguments: Vec::new(),
        })
    }
}

/// In the order of the table. `floor:N` is the floor with N chunks per send.
pub const NAMES: [&str; 3] = ["floor", "videostream", "videostream:http"];

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
    pub fn start(&self, server: &Server) -> anyhow::Result<Running> {
        let address = free_address()?;
        let mut command = self.command(server, address);
        let mut process = self.cores.start_server(&mut command)?;
        process.listens_on(address, &self.stop)?;
        let watch = match server.kind {
            Kind::Videostream { http: true } => format!("http://{address}/live/test.webm"),
            _ => format!("ws://{address}/live/test"),
        };
        let place = Place {
            pid: process.id(),
            watch,
            publish: None,
        };
        Ok(Running { process, place })
    }

    fn command(&self, server: &Server, address: SocketAddr) -> Command {
        let port = address.port().to_string();
        let mut command = match server.kind {
            Kind::Floor { chunks_per_send } => {
                let mut command = Command::new(self.programs.own("floor"));
                command.args(["--chunks-per-send", &chunks_per_send.to_string()]);
                command.args(["--port", &port]);
                command
            }
            Kind::Videostream { .. } => {
                let mut command = Command::new(&self.videostream);
                command.args(["--listen", &address.to_string(), "--log-level", "error"]);
                command.stdout(std::process::Stdio::null());
                command
            }
        };
        command.args(&server.arguments);
        command
    }
}

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
        assert_eq!(
            kind("videostream:http"),
            Ok(Kind::Videostream { http: true })
        );
        assert!(kind("floor:0").is_err() && kind("nginx").unwrap_err().contains("videostream"));
    }
}
