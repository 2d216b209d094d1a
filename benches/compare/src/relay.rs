//! What the relays on tokio have in common: one thread, one broadcast channel, and what people glue
//! together for a live stream. The publisher's first message, where the init segment is, is kept
//! and given to newcomers; then they get what is live.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Parser;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Messages that wait for a slow viewer; then it misses the oldest. 32 of 100 ms are about what
/// the kernel holds besides.
const WAITING_MAX: usize = 32;

/// Relay a publisher's WebSocket messages to all viewers.
#[derive(Parser)]
struct Options {
    /// Port on the loopback address
    #[arg(long)]
    port: u16,
}

/// The stream that is on air.
#[derive(Debug)]
pub struct Air {
    first: Mutex<Option<Bytes>>,
    live: Sender<Bytes>,
}

/// What one viewer is still to be sent.
#[derive(Debug)]
pub struct Seat {
    first: Option<Bytes>,
    live: Receiver<Bytes>,
}

/// Accepts connections for ever, each with a task of its own.
pub fn run<F>(serve: impl Fn(TcpStream, Arc<Air>) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let options = Options::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let air = Arc::new(Air {
            first: Mutex::new(None),
            live: broadcast::channel(WAITING_MAX).0,
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            // How a connection ends is of no interest here.
            tokio::spawn(serve(socket, air.clone()));
        }
    })
}

/// Whether a request's path is a publisher's.
pub fn is_publisher(path: &str) -> bool {
    path.starts_with("/publish")
}

impl Air {
    /// The publisher has sent a message.
    pub fn publish(&self, message: Bytes) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| message.clone());
        // Nobody may be watching.
        let _ = self.live.send(message);
    }

    /// The publisher is gone.
    pub fn end(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub fn join(&self) -> Seat {
        // Under the lock, so that no message is lost between the first and the live ones.
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        Seat {
            first: first.clone(),
            live: self.live.subscribe(),
        }
    }
}

impl Seat {
    /// The next message for this viewer.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            match self.live.recv().await {
                Ok(message) => return Some(message),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
