//! Drives the hub with real sockets: one thread, one `epoll`.
//!
//! ```text
//! listeners ─► admit ─┐                    ┌─► questions ─► the hook's threads
//! epoll ─────► ready ─┼─► Hub<TcpSocket> ──┤
//! verdicts ──► hook_answered ──┘           └─► next_wake ─► the next wait
//! ```
//!
//! - `reactor`: the loop; it reads the clock once a turn.
//! - `listener`, `socket`, `tls`: listening sockets, and accepted ones, encrypted or not.
//! - `hook`: the threads that ask the web hook. `events`: those that send events. `web_hook`: the requests
//!   of both. `recording`: the thread that records.
//! - `bus`, `service_bus`: the thread that speaks to NATS, and the loop's side of it.
//! - `usage`: what this process has used.
//! - `service_manager`, `inherited`, `handover`: messages to a service manager, and how one process
//!   takes over from another.

#[cfg(feature = "nats")]
mod bus;
mod events;
mod handover;
mod hook;
mod inherited;
mod listener;
mod reactor;
mod recording;
mod service_bus;
mod service_manager;
mod socket;
mod tls;
mod usage;
mod web_hook;

use crate::config::{Serve, Tls, reachable};
use crate::http::base_path::BasePath;
use crate::record::Folder;
use crate::secret::Secret;
pub use inherited::Inherited;
use listener::Service;
use reactor::Reactor;
#[cfg(test)]
pub(crate) use socket::TcpSocket;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Why the server could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{option} {address}: {source}")]
    Bind {
        option: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error("LISTEN_FDS: {0}")]
    Activation(io::Error),
    #[error("standard input leads to no older process: {0}")]
    Predecessor(io::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT, or until another process has taken over. Once it listens, it
/// prints one line for each address, and the links to open. `allocated` returns the bytes that the
/// process has allocated, for `--max-memory`. `folder` is that of `--record`.
pub fn serve(
    config: Serve,
    mut inherited: Inherited,
    folder: Option<Folder>,
    allocated: fn() -> usize,
) -> Result<(), ServeError> {
    let random_publish_key = config.random_publish_key.clone();
    let tls = config.tls.clone();
    let base_path = config.base_path.clone();
    let predecessor = inherited.take_predecessor();
    if inherited.is_activated {
        tracing::info!("the service manager gave the sockets: --listen does not count");
    }
    let mut reactor = Reactor::new(config, inherited, folder, allocated)?;
    let greeting = greeting(
        random_publish_key.as_ref(),
        tls.as_ref(),
        &base_path,
        &reactor.addresses(),
    );
    print(greeting)?;
    match predecessor {
        // It tells the service manager, which knows it and not us.
        Some(predecessor) => {
            if let Err(error) = inherited::say_ready(predecessor) {
                tracing::warn!(%error, "the older process is gone");
            }
        }
        None => reactor.manager.ready(),
    }
    reactor.run()?;
    Ok(())
}

/// How long to wait for standard output. Its reader is rarely later.
const PRINT_TIMEOUT: Duration = Duration::from_millis(200);

/// Prints this, on a thread of its own: a reader that does not read, or is gone, is no reason not to
/// serve.
fn print(text: String) -> io::Result<()> {
    let (done, printed) = mpsc::channel::<()>();
    thread::Builder::new()
        .name("greeting".into())
        .spawn(move || {
            let mut out = io::stdout().lock();
            let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            if let Err(error) = written {
                tracing::warn!(%error, "standard output");
            }
            drop(done);
        })?;
    let _ = printed.recv_timeout(PRINT_TIMEOUT);
    Ok(())
}

/// The line `listening on http://ADDR:PORT`, or `https`, is the sign that we are ready.
fn greeting(
    random_publish_key: Option<&Secret>,
    tls: Option<&Tls>,
    base_path: &BasePath,
    addresses: &[(Service, SocketAddr)],
) -> String {
    // An operator who gave a key knows it; a key that was made here is printed this once.
    let key = random_publish_key.map_or_else(String::new, |key| format!("?key={}", key.expose()));
    let mut lines = Vec::new();
    let mut links = Vec::new();
    let mut redirected = Vec::new();
    let mut old = Vec::new();
    for &(service, address) in addresses {
        let scheme = match service {
            Service::Plain => "http",
            Service::Encrypted => "https",
            Service::Redirect => {
                redirected.push(format!("http://{address}"));
                continue;
            }
            Service::Old { port, is_encrypted } => {
                let scheme = if is_encrypted { "wss" } else { "ws" };
                old.push(format!(
                    "old protocol, {}: {scheme}://{address}",
                    port.name()
                ));
                continue;
            }
        };
        lines.push(format!("listening on {scheme}://{address}"));
        links.extend(links_to(scheme, address));
    }
    for url in links {
        lines.push(format!("  go live: {url}{base_path}/publish/live{key}"));
        lines.push(format!("  watch:   {url}{base_path}/live/live"));
    }
    for url in redirected {
        lines.push(format!("redirecting from {url}"));
    }
    lines.extend(old);
    if let Some(fingerprint) = tls.and_then(Tls::fingerprint) {
        lines.push(format!("the certificate's SHA-256 is {fingerprint}"));
    }
    lines.join("\n") + "\n"
}

/// A browser cannot open `0.0.0.0`: the links lead to the addresses that it stands for.
fn links_to(scheme: &str, address: SocketAddr) -> Vec<String> {
    let found = if address.ip().is_unspecified() {
        reachable(address.ip())
    } else {
        Vec::new()
    };
    let link = |address: SocketAddr| format!("{scheme}://{address}");
    if found.is_empty() {
        vec![link(address)]
    } else {
        found
            .into_iter()
            .map(|ip| link(SocketAddr::new(ip, address.port())))
            .collect()
    }
}
