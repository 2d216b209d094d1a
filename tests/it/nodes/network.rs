//! Two network namespaces, joined by a link that can be cut.
//!
//! ```text
//! hub ──── 10.98.N.0/24 ──── region
//!   └ 10.97.N.0/24 ┐  ┌ 10.99.N.0/24 ┘
//!                  tests
//! ```

use std::path::Path;
use std::process::{self, Command};

/// What the names of our namespaces begin with. A process id follows, and which of them it is.
const PREFIX: &str = "vs";

fn ip(arguments: &str) -> Option<String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("this test needs ip, from Debian's iproute2");
    let is_done = output.status.success();
    is_done.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn require(arguments: &str) {
    assert!(ip(arguments).is_some(), "ip {arguments}");
}

/// A network namespace.
pub struct Place {
    pub name: &'static str,
    pub namespace: String,
    /// Where the tests reach what listens in it.
    pub address: String,
    /// Where the other namespace does.
    pub inner_address: String,
}

impl Place {
    /// `None` where this may not be done.
    fn new(name: &'static str, network: u8, host: u8) -> Option<Place> {
        let id = process::id();
        let number = id % 250;
        let place = Place {
            name,
            namespace: format!("{PREFIX}{id}{name}"),
            address: format!("10.{network}.{number}.2"),
            inner_address: format!("10.98.{number}.{host}"),
        };
        let namespace = &place.namespace;
        ip(&format!("netns add {namespace}"))?;
        // An interface's name has at most 15 letters.
        let link = format!("{PREFIX}{id}{}", &name[..1]);
        require(&format!(
            "link add {link} type veth peer name tests netns {namespace}"
        ));
        require(&format!("addr add 10.{network}.{number}.1/24 dev {link}"));
        require(&format!("link set {link} up"));
        place.set_up("tests", &place.address);
        place.set_up("lo", "127.0.0.2");
        Some(place)
    }

    fn set_up(&self, link: &str, address: &str) {
        let Place { namespace, .. } = self;
        require(&format!("-n {namespace} addr add {address}/24 dev {link}"));
        require(&format!("-n {namespace} link set {link} up"));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Its links would go with it, but only once connections that were cut are forgotten.
        for link in ["tests", "joint"] {
            ip(&format!("-n {} link del {link}", self.namespace));
        }
        ip(&format!("netns del {}", self.namespace));
    }
}

pub struct Network {
    pub hub: Place,
    pub region: Place,
}

impl Network {
    /// `None` where this may not be done.
    pub fn new() -> Option<Network> {
        remove_abandoned();
        let network = Network {
            hub: Place::new("hub", 97, 1)?,
            region: Place::new("region", 99, 2)?,
        };
        let (hub, region) = (&network.hub, &network.region);
        require(&format!(
            "-n {} link add joint type veth peer name joint netns {}",
            hub.namespace, region.namespace
        ));
        hub.set_up("joint", &hub.inner_address);
        region.set_up("joint", &region.inner_address);
        Some(network)
    }

    /// Drops what the link between them carries, or no longer. What is connected over it sees no change.
    pub fn cut(&self, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        require(&format!(
            "-n {} link set joint {state}",
            self.region.namespace
        ));
    }
}

/// Of processes that were killed.
fn remove_abandoned() {
    for line in ip("netns list").unwrap_or_default().lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let id = name
            .strip_prefix(PREFIX)
            .map(|rest| rest.trim_end_matches("hub").trim_end_matches("region"));
        let id = id.and_then(|id| id.parse::<u32>().ok());
        if id.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            ip(&format!("netns del {name}"));
        }
    }
}
