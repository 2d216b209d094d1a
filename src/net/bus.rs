//! The thread that speaks to NATS, because a server may be slow, far or gone and the loop must not wait.
//!
//! ```text
//! loop ── Action ─► [8 MiB of messages] ─► thread ─► NATS
//!    ▲                                        │
//!    └── waker, Came ◄─ [16 MiB] ◄────────────┘
//! ```
//!
//! Both queues are bounded. The loop reads how much room the queue to the thread has, and puts no more into
//! it. Media that wait in either queue for longer than `--max-lag` are dropped and counted, and so is all that
//! was queued for a connection that is gone. Other nodes see by the sequence numbers what is missing.

use crate::config::{Credentials, Nodes};
use crate::secret::Secret;
use crate::service::Action;
use crate::service::message::Message;
use async_nats::{
    Client, ClientError, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Subscriber,
};
use bytes::Bytes;
use futures_util::StreamExt;
use mio::Waker;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Bytes that wait for the thread: some seconds of ten streams.
const OUT_BYTES_MAX: usize = 8 << 20;

/// Bytes that wait for the loop; a message counts with its overhead.
const IN_BYTES_MAX: usize = 16 << 20;

/// Messages that wait in the client, past our queue: few, so that age is seen here.
const CLIENT_MESSAGES: usize = 16;

/// Messages of one subscription that wait for the thread.
const SUBSCRIPTION_MESSAGES: usize = 1024;

/// Longest time between two tries to connect.
const RECONNECT_MAX: Duration = Duration::from_millis(250);

/// How long a server has to accept a connection, and between two pings: a dead one is noticed after three.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How long a server may be missing at start before the log says so.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the thread has at the end to send what is left.
const FINISH_TIMEOUT: Duration = Duration::from_millis(500);

/// What has come.
#[derive(Debug)]
pub enum Came {
    /// Messages of this size are taken.
    Connected(usize),
    Disconnected,
    Message(Message),
}

/// What both sides see.
#[derive(Debug)]
struct Shared {
    out_bytes: AtomicUsize,
    in_bytes: AtomicUsize,
    dropped: AtomicU64,
    /// Counts connections and their ends: what was queued in another time is dropped.
    connection: AtomicU64,
    is_woken: AtomicBool,
    waker: Arc<Waker>,
    max_lag: Duration,
}

impl Shared {
    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            // It fails when the loop has ended.
            let _ = self.waker.wake();
        }
    }
}

/// On its way to the thread.
struct Outgoing {
    action: Action,
    at: Instant,
    connection: u64,
}

/// On its way to the loop.
struct Incoming {
    came: Came,
    at: Instant,
}

/// The thread, from outside.
#[derive(Debug)]
pub struct Bus {
    out: Option<UnboundedSender<Outgoing>>,
    incoming: Receiver<Incoming>,
    ended: Receiver<()>,
    shared: Arc<Shared>,
}

impl Bus {
    /// `waker` is called when something has come.
    pub fn start(options: &Nodes, waker: Arc<Waker>) -> io::Result<Bus> {
        let shared = Arc::new(Shared {
            out_bytes: AtomicUsize::new(0),
            in_bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            connection: AtomicU64::new(0),
            is_woken: AtomicBool::new(false),
            waker,
            max_lag: options.max_lag,
        });
        let (out, outgoing) = unbounded_channel();
        let (inbound, incoming) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (options, thread_shared) = (options.clone(), shared.clone());
        thread::Builder::new().name("nats".into()).spawn(move || {
            let inbox = Inbox {
                queue: inbound,
                shared: thread_shared,
            };
            runtime.block_on(serve(&options, outgoing, inbox));
            drop(end);
        })?;
        Ok(Bus {
            out: Some(out),
            incoming,
            ended,
            shared,
        })
    }

    /// Bytes that the queue takes.
    pub fn room(&self) -> usize {
        let queued = self.shared.out_bytes.load(Ordering::Relaxed);
        OUT_BYTES_MAX.saturating_sub(queued)
    }

    /// The number of messages that the queues have dropped since the last call.
    pub fn take_dropped(&self) -> u64 {
        self.shared.dropped.swap(0, Ordering::Relaxed)
    }

    pub fn send(&self, action: Action) {
        if let Action::Publish { message, is_media } = &action {
            let length = message.held_bytes();
            // The loop keeps to the room that there is, but for a message or two of the service itself.
            let most = if *is_media {
                OUT_BYTES_MAX
            } else {
                OUT_BYTES_MAX * 2
            };
            if self.shared.out_bytes.fetch_add(length, Ordering::Relaxed) > most {
                self.shared.out_bytes.fetch_sub(length, Ordering::Relaxed);
                self.shared.drop_one();
                return;
            }
        }
        let outgoing = Outgoing {
            action,
            at: Instant::now(),
            connection: self.shared.connection.load(Ordering::Acquire),
        };
        if let Some(out) = &self.out {
            // It fails when the thread has ended, which it does after us.
            let _ = out.send(outgoing);
        }
    }

    /// A turn begins: what comes from now on wakes the loop again.
    pub fn begin_turn(&self) {
        self.shared.is_woken.store(false, Ordering::Release);
    }

    /// The next thing that has come, and is not too old.
    pub fn poll(&self) -> Option<Came> {
        loop {
            let Incoming { came, at } = self.incoming.try_recv().ok()?;
            if let Came::Message(message) = &came {
                self.shared
                    .in_bytes
                    .fetch_sub(message.held_bytes(), Ordering::Relaxed);
                if is_media(message) && at.elapsed() > self.shared.max_lag {
                    self.shared.drop_one();
                    continue;
                }
            }
            return Some(came);
        }
    }

    /// Nothing more is sent. Waits a moment for what was.
    pub fn finish(&mut self) {
        self.out = None;
        let _ = self.ended.recv_timeout(FINISH_TIMEOUT);
    }
}

fn is_media(message: &Message) -> bool {
    message.subject.ends_with(".media")
}

/// The thread's end of the queue to the loop.
#[derive(Clone)]
struct Inbox {
    queue: Sender<Incoming>,
    shared: Arc<Shared>,
}

impl Inbox {
    fn push(&self, came: Came) {
        let length = match &came {
            Came::Message(message) => message.held_bytes(),
            Came::Connected(_) | Came::Disconnected => 0,
        };
        let held = self.shared.in_bytes.fetch_add(length, Ordering::Relaxed);
        let is_full = length > 0 && held + length > IN_BYTES_MAX;
        let incoming = Incoming {
            came,
            at: Instant::now(),
        };
        // News of the connection are never lost. Sending fails when the loop has ended.
        let is_pushed = !is_full && self.queue.send(incoming).is_ok();
        if !is_pushed {
            self.shared.in_bytes.fetch_sub(length, Ordering::Relaxed);
            self.shared.drop_one();
        }
        self.shared.wake();
    }
}

async fn serve(options: &Nodes, outgoing: UnboundedReceiver<Outgoing>, inbox: Inbox) {
    let (news, events) = unbounded_channel();
    let connect = match connect_options(options) {
        Ok(connect) => connect,
        Err(error) => {
            tracing::error!(%error, "--nats-credentials cannot be used, so this node serves alone: mend the file and start again");
            return;
        }
    };
    let connect = connect.event_callback(move |event| {
        let _ = news.send(event);
        async {}
    });
    let servers: Vec<&str> = options.servers.iter().map(Secret::expose).collect();
    let client = match async_nats::connect_with_options(servers, connect).await {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "--nats cannot be used, so this node serves alone: check its address and start again");
            return;
        }
    };
    let has_answered = Arc::new(AtomicBool::new(false));
    tokio::spawn(say_alone(has_answered.clone()));
    tokio::spawn(follow_events(
        client.clone(),
        events,
        inbox.clone(),
        has_answered,
    ));
    send_all(&client, outgoing, &inbox).await;
    // Not for long: a server that is gone takes nothing.
    let _ = tokio::time::timeout(FINISH_TIMEOUT / 2, client.flush()).await;
}

fn connect_options(options: &Nodes) -> Result<ConnectOptions, String> {
    let connect = ConnectOptions::new()
        .name(format!("videostream {}", options.node))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .no_echo()
        .connection_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .client_capacity(CLIENT_MESSAGES)
        .subscription_capacity(SUBSCRIPTION_MESSAGES)
        .reconnect_delay_callback(|tries| {
            let exponent = u32::try_from(tries.min(8)).unwrap_or(8);
            RECONNECT_MAX.min(Duration::from_millis(2).saturating_mul(2_u32.pow(exponent)))
        });
    let connect = match &options.authority {
        Some(path) => connect.add_root_certificates(path.clone()),
        None => connect,
    };
    match &options.credentials {
        None => Ok(connect),
        Some(Credentials::Token(token)) => Ok(connect.token(token.expose().to_owned())),
        Some(Credentials::UserPassword(user, password)) => {
            let (user, password) = (user.expose().to_owned(), password.expose().to_owned());
            Ok(connect.user_and_password(user, password))
        }
        #[cfg(feature = "nkeys")]
        Some(Credentials::Seed(seed)) => Ok(connect.nkey(seed.expose().to_owned())),
        #[cfg(feature = "nkeys")]
        Some(Credentials::Creds(text)) => connect
            .credentials(text.expose())
            .map_err(|error| error.to_string()),
    }
}

/// Says once that the server is not there.
async fn say_alone(has_answered: Arc<AtomicBool>) {
    tokio::time::sleep(PATIENCE).await;
    if !has_answered.load(Ordering::Relaxed) {
        tracing::warn!("--nats: no server answers, so this node serves alone until one does");
    }
}

async fn follow_events(
    client: Client,
    mut events: UnboundedReceiver<Event>,
    inbox: Inbox,
    has_answered: Arc<AtomicBool>,
) {
    let mut is_reminded = false;
    // Errors since the connection was there: the next try has the same.
    let mut told = BTreeSet::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Connected => {
                inbox.shared.connection.fetch_add(1, Ordering::AcqRel);
                let info = client.server_info();
                tracing::info!(
                    server = info.server_name,
                    version = info.version,
                    "connected to NATS"
                );
                told.clear();
                has_answered.store(true, Ordering::Relaxed);
                if !mem::replace(&mut is_reminded, true) {
                    tracing::info!(
                        "NATS does not tell its write_deadline and max_pending: with its defaults (10s, \
                         64MB) one stopped node delays all others. Set write_deadline: \"2s\" and \
                         max_pending: 256MB on the server (docs/nodes.md)"
                    );
                }
                inbox.push(Came::Connected(client.max_payload()));
            }
            Event::Disconnected => {
                inbox.shared.connection.fetch_add(1, Ordering::AcqRel);
                tracing::warn!(
                    "NATS is gone: until it is back, viewers at this node see only what is published here"
                );
                inbox.push(Came::Disconnected);
            }
            Event::SlowConsumer(_) => inbox.shared.drop_one(),
            Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
            Event::ClientError(error) => {
                if !told.insert(error.to_string()) {
                    continue;
                }
                if is_refusal(&error) {
                    has_answered.store(true, Ordering::Relaxed);
                    tracing::error!(
                        "the NATS server refuses this node, which serves alone until it is let in: check \
                         --nats-credentials, or let the node in on the server (docs/nodes.md)"
                    );
                } else {
                    tracing::warn!(%error, "the connection to NATS has an error");
                }
            }
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
    }
}

/// Whether the server knows no such user, token or key, or asks for one.
fn is_refusal(error: &ClientError) -> bool {
    let refusal = ConnectErrorKind::AuthorizationViolation.to_string();
    matches!(error, ClientError::Other(text) if *text == refusal)
}

/// Does what the loop asks, until the loop is gone.
async fn send_all(client: &Client, mut outgoing: UnboundedReceiver<Outgoing>, inbox: &Inbox) {
    let mut subscriptions: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    while let Some(Outgoing {
        action,
        at,
        connection,
    }) = outgoing.recv().await
    {
        match action {
            Action::Subscribe(subject) => match client.subscribe(subject.clone()).await {
                Ok(subscriber) => {
                    let task = tokio::spawn(forward(subscriber, inbox.clone()));
                    if let Some(before) = subscriptions.insert(subject, task) {
                        before.abort();
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, subject, "NATS refuses a subscription: the node needs the permissions in docs/nodes.md")
                }
            },
            // The end of its task drops the subscriber, which unsubscribes.
            Action::Unsubscribe(subject) => {
                if let Some(task) = subscriptions.remove(&subject) {
                    task.abort();
                }
            }
            Action::Publish { message, is_media } => {
                let shared = &inbox.shared;
                let length = message.held_bytes();
                shared.out_bytes.fetch_sub(length, Ordering::Relaxed);
                let is_late = is_media && at.elapsed() > shared.max_lag;
                if is_late || connection != shared.connection.load(Ordering::Acquire) {
                    shared.drop_one();
                } else if let Err(error) = publish(client, message).await {
                    tracing::debug!(%error, "NATS does not take a message");
                    shared.drop_one();
                }
            }
        }
    }
}

async fn publish(client: &Client, message: Message) -> Result<(), async_nats::PublishError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        headers.insert(&**name, value.as_str());
    }
    let Message {
        subject,
        reply,
        payload,
        ..
    } = message;
    match (reply, headers.is_empty()) {
        (None, true) => client.publish(subject, payload).await,
        (None, false) => client.publish_with_headers(subject, headers, payload).await,
        (Some(reply), true) => client.publish_with_reply(subject, reply, payload).await,
        (Some(reply), false) => {
            client
                .publish_with_reply_and_headers(subject, reply, headers, payload)
                .await
        }
    }
}

async fn forward(mut subscriber: Subscriber, inbox: Inbox) {
    while let Some(message) = subscriber.next().await {
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        let headers = headers.filter_map(|(name, values)| {
            let value = values.first()?.as_str().to_owned();
            Some((name.to_string().into(), value))
        });
        let payload: Bytes = message.payload;
        inbox.push(Came::Message(Message {
            headers: headers.collect(),
            subject: message.subject.into_string(),
            reply: message.reply.map(async_nats::Subject::into_string),
            payload,
            status: message.status.map(|status| status.as_u16()),
        }));
    }
}
