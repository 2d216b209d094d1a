//! The old protocol of node-videostream: its ports, the stream that it is about, and what it keeps.

use super::limits::Limits;
use super::{ConfigError, Options, option_error, value_error};
use crate::compat::{KEPT_BYTES_DEFAULT, Port};
use crate::stream_name::StreamName;
use bytesize::ByteSize;
use serde::de::{Deserialize, Deserializer, Error, Unexpected};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// The port of the old pages' first socket; the others follow it.
const PORT_DEFAULT: u16 = 8081;

/// The largest port that three others follow.
const PORT_MAX: u16 = u16::MAX - 3;

/// The first of four ports; 0 for free ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstPort(u16);

/// How the old protocol is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compat {
    /// In the order of [`Port::ALL`].
    pub addresses: [SocketAddr; 4],
    pub stream: StreamName,
    /// Bytes of messages kept for newcomers.
    pub bytes: usize,
}

impl FirstPort {
    /// What the flag means without a value.
    pub const DEFAULT: &str = "8081";

    fn new(port: u64) -> Option<FirstPort> {
        u16::try_from(port)
            .ok()
            .filter(|&port| port <= PORT_MAX)
            .map(FirstPort)
    }

    /// The four addresses on the host of `first`.
    fn addresses(self, first: SocketAddr) -> [SocketAddr; 4] {
        let mut offset = 0;
        Port::ALL.map(|_| {
            let port = if self.0 == 0 { 0 } else { self.0 + offset };
            offset += 1;
            SocketAddr::new(first.ip(), port)
        })
    }
}

impl FromStr for FirstPort {
    type Err = String;

    fn from_str(text: &str) -> Result<FirstPort, String> {
        let port = text.parse().ok().and_then(FirstPort::new);
        port.ok_or_else(|| format!("expected a port from 0 to {PORT_MAX}: three more follow it"))
    }
}

impl fmt::Display for FirstPort {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// In the file: a port, or `true` for the usual one.
impl<'de> Deserialize<'de> for FirstPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FirstPort, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Port(u64),
            Switch(bool),
        }
        let expected = &"true, or a port from 0 to 65532";
        match Written::deserialize(deserializer) {
            Ok(Written::Port(port)) => FirstPort::new(port)
                .ok_or_else(|| D::Error::invalid_value(Unexpected::Unsigned(port), expected)),
            Ok(Written::Switch(true)) => Ok(FirstPort(PORT_DEFAULT)),
            Ok(Written::Switch(false)) => {
                Err(D::Error::invalid_value(Unexpected::Bool(false), expected))
            }
            Err(_) => Err(D::Error::custom("expected true, or a port from 0 to 65532")),
        }
    }
}

impl Compat {
    /// What the options say. Takes the ports out of `listen` where a service manager gave them.
    pub(super) fn check(
        options: &Options,
        listen: &mut Vec<SocketAddr>,
        limits: &Limits,
    ) -> Result<Option<Compat>, ConfigError> {
        const OPTION: &str = "--compat-node-videostream";
        let Some(first) = options.compat_node_videostream else {
            return Ok(None);
        };
        let Some(&served) = listen.first() else {
            return Ok(None);
        };
        let addresses = first.addresses(served);
        if options.is_activated {
            listen.retain(|address| !addresses.contains(address));
        }
        let taken = listen.iter().find(|address| {
            address.port() != 0 && addresses.iter().any(|one| one.port() == address.port())
        });
        if listen.is_empty() || taken.is_some() {
            let reason = format!(
                "needs four ports that --listen {} does not use",
                taken.unwrap_or(&served)
            );
            return Err(value_error(OPTION, first, reason));
        }
        let bytes = super::limits::size(
            "--compat-bytes",
            options.compat_bytes,
            KEPT_BYTES_DEFAULT.max(limits.publisher_message_bytes),
            1024,
        )?;
        // Or a newcomer would miss what has just been sent.
        if bytes < limits.publisher_message_bytes {
            let most = ByteSize(limits.publisher_message_bytes as u64);
            let reason = format!("must be at least --publisher-message-bytes ({most})");
            return Err(value_error(
                "--compat-bytes",
                ByteSize(bytes as u64),
                reason,
            ));
        }
        let stream = match &options.compat_stream {
            Some(stream) => stream.clone(),
            None => "compat"
                .parse()
                .map_err(|error| option_error(OPTION, error))?,
        };
        Ok(Some(Compat {
            addresses,
            stream,
            bytes,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Serve;

    fn options(port: &str) -> Options {
        Options {
            compat_node_videostream: Some(port.parse().unwrap()),
            ..Options::default()
        }
    }

    fn refusal(options: Options) -> String {
        Serve::resolve(options).unwrap_err().to_string()
    }

    #[test]
    fn four_ports_are_on_the_first_listen_address() {
        let listen = ["127.0.0.2:80", "127.0.0.3:81"].map(|one| one.parse().unwrap());
        let serve = Serve::resolve(Options {
            listen: Some(listen.to_vec()),
            ..options("8081")
        });
        let compat = serve.unwrap().compat.unwrap();
        let ports = [8081, 8082, 8083, 8084];
        assert_eq!(
            compat.addresses,
            ports.map(|port| SocketAddr::from(([127, 0, 0, 2], port)))
        );
        assert_eq!((compat.stream.as_str(), compat.bytes), ("compat", 16 << 20));
        let free = Serve::resolve(options("0")).unwrap().compat.unwrap();
        assert!(free.addresses.iter().all(|address| address.port() == 0));
    }

    #[test]
    fn port_without_three_behind_it_is_refused() {
        for bad in ["65533", "-1", "x", "70000"] {
            assert!(bad.parse::<FirstPort>().is_err(), "{bad}");
        }
        assert!("65532".parse::<FirstPort>().is_ok());
    }

    #[test]
    fn ports_that_listen_uses_are_refused() {
        assert_eq!(
            refusal(options("8077")),
            "--compat-node-videostream 8077: needs four ports that --listen 127.0.0.1:8080 does not use"
        );
    }

    #[test]
    fn service_manager_may_give_the_ports() {
        let addresses =
            [8080, 8081, 8082, 8083, 8084].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let serve = Serve::resolve(Options {
            listen: Some(addresses.to_vec()),
            is_activated: true,
            ..options("8081")
        })
        .unwrap();
        assert_eq!(serve.listen, addresses[..1]);
        assert_eq!(serve.compat.unwrap().addresses, addresses[1..]);
    }

    #[test]
    fn less_than_one_message_is_not_kept() {
        let refused = refusal(Options {
            compat_bytes: Some(ByteSize::mib(1)),
            ..options("8081")
        });
        assert!(
            refused.ends_with("must be at least --publisher-message-bytes (8.0 MiB)"),
            "{refused}"
        );
    }

    #[test]
    fn the_file_says_a_port_or_true() {
        let of = |text: &str| {
            Serve::resolve_text(text).map(|serve| serve.compat.unwrap().addresses[0].port())
        };
        assert_eq!(of("compat_node_videostream = true").unwrap(), 8081);
        assert_eq!(of("compat_node_videostream = 9001").unwrap(), 9001);
        for bad in ["false", "\"8081\"", "65533", "-1"] {
            let refused = of(&format!("compat_node_videostream = {bad}"));
            assert!(refused.is_err(), "{bad}");
        }
    }
}
