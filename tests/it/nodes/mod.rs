//! Several nodes as one service, with a real `nats-server`.

mod access;
mod balancer;
mod elsewhere;
mod faults;
mod leaf;
mod nats;
mod network;
pub mod numbered;
mod whole;

use crate::common::server::Server;
use nats::Nats;

/// A node of the service on this NATS server, with further options.
fn node(nats: &Nats, name: &str, options: &[&str]) -> Server {
    let url = nats.url();
    let joined = ["--nats", &url, "--node", name];
    let server = Server::with(&[&joined[..], options].concat());
    server.wait_for_log("connected to NATS", 1);
    server
}
