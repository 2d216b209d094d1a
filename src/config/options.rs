//! The options of `serve` as written: one list for flags, variables and the file.
//!
//! An option is a field here and nowhere else: its name with dashes is the flag, in capitals after
//! `VIDEOSTREAM_` the variable, as it stands the key in the file. `None` means that the source said
//! nothing. Defaults are filled in by [`super::Serve::resolve`]; the `[default: …]` in the help text
//! is held to them by a test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use serde::Deserialize;

use super::stream_tables::{StreamOptions, stream_name, streams};
use super::{BitRate, FirstPort, LogFormat, LogLevel, Period, SelfSigned, whole_number};
use crate::http::base_path::BasePath;
use crate::http::forwarded::Network;
use crate::secret::Secret;
use crate::stream_name::StreamName;

const TLS: &str = "Encryption";
const ACCESS: &str = "Who may publish and watch";
const PROXY: &str = "Behind a proxy";
const LIMITS: &str =
    "Limits (sizes such as 512KiB or 16MiB; durations such as 500ms or 1h30m, or in seconds)";
const COMPAT: &str = "The old protocol of node-videostream";
const RECORD: &str = "Recording";
const EVENTS: &str = "Events";
const NODES: &str = "Several nodes as one service";
const LOG: &str = "Log";

#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// TOML file with further options; its keys are these names with underscores
    #[arg(long, env = "VIDEOSTREAM_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Address and port to listen on; repeatable; port 0 picks a free one
    /// [default: 127.0.0.1:8080]
    #[arg(
        long,
        env = "VIDEOSTREAM_LISTEN",
        value_name = "ADDR:PORT",
        value_delimiter = ','
    )]
    #[arg(value_parser = address)]
    pub listen: Option<Vec<SocketAddr>>,

    /// Certificate chain for https:// and wss:// (PEM); SIGHUP reads it again [default: none]
    #[arg(long, env = "VIDEOSTREAM_TLS_CERT", value_name = "FILE", help_heading = TLS)]
    pub tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert (PEM); SIGHUP reads it again [default: none]
    #[arg(long, env = "VIDEOSTREAM_TLS_KEY", value_name = "FILE", help_heading = TLS)]
    pub tls_key: Option<PathBuf>,

    /// Make a certificate for this machine's names and addresses at start and print its
    /// fingerprint: browsers open cameras only on secure pages [default: false]
    #[arg(long, env = "VIDEOSTREAM_TLS_SELF_SIGNED", value_name = "BOOL", help_heading = TLS)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub tls_self_signed: Option<bool>,

    /// Plain address that redirects every request to https:// on the first --listen address;
    /// repeatable [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_HTTP_REDIRECT",
        value_name = "ADDR:PORT",
        value_delimiter = ','
    )]
    #[arg(value_parser = address, help_heading = TLS)]
    pub http_redirect: Option<Vec<SocketAddr>>,

    /// Key that publishers need [default: none on loopback addresses without --trusted-proxy,
    /// or with --token-secret or --auth-url; else a random one, which is printed]
    #[arg(
        long,
        env = "VIDEOSTREAM_PUBLISH_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    #[arg(help_heading = ACCESS)]
    pub publish_key: Option<Secret>,

    /// File with the key that publishers need, for mounted secrets [default: none]
    #[arg(long, env = "VIDEOSTREAM_PUBLISH_KEY_FILE", value_name = "FILE", help_heading = ACCESS)]
    pub publish_key_file: Option<PathBuf>,

    /// Let anyone publish, on any address [default: false]
    #[arg(long, env = "VIDEOSTREAM_PUBLISH_OPEN", value_name = "BOOL", help_heading = ACCESS)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub publish_open: Option<bool>,

    /// Key that viewers need; a publish key opens as well [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_WATCH_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    #[arg(help_heading = ACCESS)]
    pub watch_key: Option<Secret>,

    /// File with the key that viewers need [default: none]
    #[arg(long, env = "VIDEOSTREAM_WATCH_KEY_FILE", value_name = "FILE", help_heading = ACCESS)]
    pub watch_key_file: Option<PathBuf>,

    /// Let anyone watch even with a --token-secret [default: false]
    #[arg(long, env = "VIDEOSTREAM_WATCH_OPEN", value_name = "BOOL", help_heading = ACCESS)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub watch_open: Option<bool>,

    /// Secret of 32 bytes or more that signs links (see `videostream token`). Publishing then needs
    /// a token or a key unless --publish-open is set, and watching unless --watch-open is set
    /// [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_TOKEN_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    #[arg(help_heading = ACCESS)]
    pub token_secret: Option<Secret>,

    /// File with the secret that signs links [default: none]
    #[arg(long, env = "VIDEOSTREAM_TOKEN_SECRET_FILE", value_name = "FILE", help_heading = ACCESS)]
    pub token_secret_file: Option<PathBuf>,

    /// Ask this web address, by a POST with JSON, for each publisher and viewer with the right key
    /// or token: 2xx allows, 401 and 403 refuse, and after anything else the client gets 503
    /// [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_AUTH_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    #[arg(help_heading = ACCESS)]
    pub auth_url: Option<Secret>,

    /// Time for --auth-url to answer [default: 5s]
    #[arg(long, env = "VIDEOSTREAM_AUTH_TIMEOUT", value_name = "DURATION", help_heading = ACCESS)]
    pub auth_timeout: Option<Period>,

    /// Time to remember an answer of --auth-url; with 0s only requests that wait for the same
    /// question share an answer [default: 10s]
    #[arg(long, env = "VIDEOSTREAM_AUTH_CACHE", value_name = "DURATION", help_heading = ACCESS)]
    pub auth_cache: Option<Period>,

    /// Let pages of this other origin use this server, such as `https://example.org`; repeatable
    /// [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    #[arg(help_heading = ACCESS)]
    pub allow_origin: Option<Vec<String>>,

    /// Trust client addresses from this proxy (X-Forwarded-For, PROXY protocol); an address or a
    /// network; repeatable [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_TRUSTED_PROXY",
        value_name = "ADDR[/PREFIX]",
        value_delimiter = ','
    )]
    #[arg(help_heading = PROXY)]
    pub trusted_proxy: Option<Vec<Network>>,

    /// Expect a PROXY protocol header (version 1 or 2) at the start of every connection; only that
    /// of a --trusted-proxy counts [default: false]
    #[arg(long, env = "VIDEOSTREAM_PROXY_PROTOCOL", value_name = "BOOL", help_heading = PROXY)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub proxy_protocol: Option<bool>,

    /// Path prefix of this server behind a proxy, such as /video: requests come with or without it,
    /// and links have it [default: none, or X-Forwarded-Prefix of --trusted-proxy]
    #[arg(long, env = "VIDEOSTREAM_BASE_PATH", value_name = "PATH", help_heading = PROXY)]
    pub base_path: Option<BasePath>,

    /// Host name, besides localhost, that browsers may use for a server that listens only on
    /// loopback and lets anyone publish; repeatable [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_ALLOW_HOST",
        value_name = "HOST",
        value_delimiter = ','
    )]
    #[arg(help_heading = ACCESS)]
    pub allow_host: Option<Vec<String>>,

    /// Connections at once [default: what the file-descriptor limit allows]
    #[arg(long, env = "VIDEOSTREAM_MAX_CONNECTIONS", value_name = "COUNT", help_heading = LIMITS)]
    #[arg(value_parser = whole_number::<usize>(0..=usize::MAX as u64))]
    pub max_connections: Option<usize>,

    /// Connections at once from one address or IPv6 /64 network; through a trusted proxy only
    /// publishers, viewers and requests for segments count [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "COUNT"
    )]
    #[arg(help_heading = LIMITS)]
    #[arg(value_parser = whole_number::<usize>(0..=usize::MAX as u64))]
    pub max_connections_per_address: Option<usize>,

    /// Streams at once [default: 256]
    #[arg(long, env = "VIDEOSTREAM_MAX_STREAMS", value_name = "COUNT", help_heading = LIMITS)]
    #[arg(value_parser = whole_number::<usize>(0..=usize::MAX as u64))]
    pub max_streams: Option<usize>,

    /// Memory for clients; at the limit the server refuses new streams and viewers and closes the
    /// largest holders [default: none]
    #[arg(long, env = "VIDEOSTREAM_MAX_MEMORY", value_name = "SIZE", help_heading = LIMITS)]
    pub max_memory: Option<ByteSize>,

    /// Bits a second to read from one publisher, such as 20M; a faster publisher is slowed down
    /// [default: none]
    #[arg(long, env = "VIDEOSTREAM_MAX_PUBLISH_RATE", value_name = "RATE", help_heading = LIMITS)]
    pub max_publish_rate: Option<BitRate>,

    /// Media to keep per stream for slow and late viewers, in bytes; at least twice --block-bytes
    /// [default: 16MiB]
    #[arg(long, env = "VIDEOSTREAM_RING_BYTES", value_name = "SIZE", help_heading = LIMITS)]
    pub ring_bytes: Option<ByteSize>,

    /// Media to keep per stream for slow and late viewers, in time [default: 30s]
    #[arg(long, env = "VIDEOSTREAM_RING_DURATION", value_name = "DURATION", help_heading = LIMITS)]
    pub ring_duration: Option<Period>,

    /// Time to collect new media, so that one write carries several chunks: adds delay and saves
    /// CPU on a constrained host; at most 10s [default: 0ms]
    #[arg(long, env = "VIDEOSTREAM_MAX_DELAY", value_name = "DURATION", help_heading = LIMITS)]
    pub max_delay: Option<Period>,

    /// Delay after which a slow viewer skips to the newest keyframe, if there is a newer one; at
    /// least half a second more than --max-delay [default: 1s]
    #[arg(long, env = "VIDEOSTREAM_MAX_LAG", value_name = "DURATION", help_heading = LIMITS)]
    pub max_lag: Option<Period>,

    /// Unsent media that the kernel may hold for one slow viewer [default: what
    /// the stream sends in one to two seconds]
    #[arg(long, env = "VIDEOSTREAM_VIEWER_BUFFER", value_name = "SIZE", help_heading = LIMITS)]
    pub viewer_buffer: Option<ByteSize>,

    /// Largest init segment (WebM headers up to the first Cluster) [default: 1MiB]
    #[arg(long, env = "VIDEOSTREAM_INIT_BYTES", value_name = "SIZE", help_heading = LIMITS)]
    pub init_bytes: Option<ByteSize>,

    /// Largest block (one frame of video or audio) [default: 4MiB]
    #[arg(long, env = "VIDEOSTREAM_BLOCK_BYTES", value_name = "SIZE", help_heading = LIMITS)]
    pub block_bytes: Option<ByteSize>,

    /// Largest WebSocket message from a publisher [default: 8MiB]
    #[arg(long, env = "VIDEOSTREAM_PUBLISHER_MESSAGE_BYTES", value_name = "SIZE")]
    #[arg(help_heading = LIMITS)]
    pub publisher_message_bytes: Option<ByteSize>,

    /// Largest WebSocket message from a viewer [default: 4KiB]
    #[arg(long, env = "VIDEOSTREAM_VIEWER_MESSAGE_BYTES", value_name = "SIZE")]
    #[arg(help_heading = LIMITS)]
    pub viewer_message_bytes: Option<ByteSize>,

    /// Largest HTTP request head [default: 16KiB]
    #[arg(long, env = "VIDEOSTREAM_HEAD_BYTES", value_name = "SIZE", help_heading = LIMITS)]
    pub head_bytes: Option<ByteSize>,

    /// Largest poster picture; 0 refuses all posters [default: 256KiB]
    #[arg(long, env = "VIDEOSTREAM_POSTER_BYTES", value_name = "SIZE", help_heading = LIMITS)]
    pub poster_bytes: Option<ByteSize>,

    /// Time for a client to send its whole request head [default: 10s]
    #[arg(long, env = "VIDEOSTREAM_HEAD_TIMEOUT", value_name = "DURATION", help_heading = LIMITS)]
    pub head_timeout: Option<Period>,

    /// Close a publisher that sends nothing for this time; a WebSocket that answers pings has twice
    /// as long [default: 30s]
    #[arg(long, env = "VIDEOSTREAM_PUBLISHER_TIMEOUT", value_name = "DURATION")]
    #[arg(help_heading = LIMITS)]
    pub publisher_timeout: Option<Period>,

    /// Close a viewer that takes no byte, or not one whole chunk, for this time
    /// [default: 30s]
    #[arg(long, env = "VIDEOSTREAM_VIEWER_TIMEOUT", value_name = "DURATION")]
    #[arg(help_heading = LIMITS)]
    pub viewer_timeout: Option<Period>,

    /// Ping a WebSocket after this time of silence [default: 20s]
    #[arg(long, env = "VIDEOSTREAM_PING_INTERVAL", value_name = "DURATION", help_heading = LIMITS)]
    pub ping_interval: Option<Period>,

    /// Time for a WebSocket to answer a ping [default: 20s]
    #[arg(long, env = "VIDEOSTREAM_PING_TIMEOUT", value_name = "DURATION", help_heading = LIMITS)]
    pub ping_timeout: Option<Period>,

    /// Time that connections stay open after a handover to a newer process (SIGUSR2) [default: 5s]
    #[arg(long, env = "VIDEOSTREAM_DRAIN_TIMEOUT", value_name = "DURATION", help_heading = LIMITS)]
    pub drain_timeout: Option<Period>,

    /// Speak the old protocol on four ports of the first --listen address: PORT and the three after
    /// it. Without a PORT it is 8081; 0 picks free ones [default: none]
    #[arg(long, env = "VIDEOSTREAM_COMPAT_NODE_VIDEOSTREAM", value_name = "PORT")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = FirstPort::DEFAULT)]
    #[arg(help_heading = COMPAT)]
    pub compat_node_videostream: Option<FirstPort>,

    /// Stream that the old protocol publishes and plays [default: compat]
    #[arg(long, env = "VIDEOSTREAM_COMPAT_STREAM", value_name = "NAME", help_heading = COMPAT)]
    #[serde(default, deserialize_with = "stream_name")]
    pub compat_stream: Option<StreamName>,

    /// Messages of the old protocol to keep for listeners that come late; at least
    /// --publisher-message-bytes [default: 16MiB]
    #[arg(long, env = "VIDEOSTREAM_COMPAT_BYTES", value_name = "SIZE", help_heading = COMPAT)]
    pub compat_bytes: Option<ByteSize>,

    /// Record streams into this folder, one file for each recording (DIR/NAME/TIME.webm); made if it
    /// is missing [default: none]
    #[arg(long, env = "VIDEOSTREAM_RECORD", value_name = "DIR", help_heading = RECORD)]
    pub record: Option<PathBuf>,

    /// Record a stream only when its publisher's page or a PUT to /api/streams/NAME/recording asks
    /// [default: false]
    #[arg(long, env = "VIDEOSTREAM_RECORD_ON_REQUEST", value_name = "BOOL", help_heading = RECORD)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub record_on_request: Option<bool>,

    /// Time for a publisher to come back, with the same tracks, into the same file; and without the
    /// event publish-ended [default: 30s]
    #[arg(long, env = "VIDEOSTREAM_RECORD_GRACE", value_name = "DURATION", help_heading = RECORD)]
    pub record_grace: Option<Period>,

    /// Media that a power cut may cost; with 0s the system decides when it writes [default: 1s]
    #[arg(long, env = "VIDEOSTREAM_RECORD_SYNC", value_name = "DURATION", help_heading = RECORD)]
    pub record_sync: Option<Period>,

    /// Media of all streams that may wait for the disk; beyond it recordings lose whole GOPs
    /// [default: 64MiB]
    #[arg(long, env = "VIDEOSTREAM_RECORD_QUEUE", value_name = "SIZE", help_heading = RECORD)]
    pub record_queue: Option<ByteSize>,

    /// Delete recordings this long after their end [default: none]
    #[arg(long, env = "VIDEOSTREAM_RECORD_MAX_AGE", value_name = "DURATION", help_heading = RECORD)]
    pub record_max_age: Option<Period>,

    /// Delete the oldest recordings when all together are larger [default: none]
    #[arg(long, env = "VIDEOSTREAM_RECORD_MAX_BYTES", value_name = "SIZE", help_heading = RECORD)]
    pub record_max_bytes: Option<ByteSize>,

    /// Delete the oldest recordings when less of the disk is free [default: none]
    #[arg(long, env = "VIDEOSTREAM_RECORD_MIN_FREE", value_name = "SIZE", help_heading = RECORD)]
    pub record_min_free: Option<ByteSize>,

    /// Send events to this web address, by a POST with JSON each: publish-started, publish-ended,
    /// recording-finished, first-viewer and last-viewer-left [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_EVENT_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    #[arg(help_heading = EVENTS)]
    pub event_url: Option<Secret>,

    /// Secret that signs events: X-Videostream-Signature is sha256= and the HMAC-SHA256 of the body
    /// in hex [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_EVENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    #[arg(help_heading = EVENTS)]
    pub event_secret: Option<Secret>,

    /// File with the secret that signs events [default: none]
    #[arg(long, env = "VIDEOSTREAM_EVENT_SECRET_FILE", value_name = "FILE", help_heading = EVENTS)]
    pub event_secret_file: Option<PathBuf>,

    /// Make all processes with this NATS server one service: publish to any, watch at any. A URL such as
    /// nats://127.0.0.1:4222 or tls://host; further servers of the same cluster after commas
    /// [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_NATS",
        value_name = "URL",
        value_delimiter = ',',
        hide_env_values = true
    )]
    #[arg(help_heading = NODES)]
    pub nats: Option<Vec<Secret>>,

    /// First part of all NATS subjects, and the name of the bucket of leases: one for each service
    /// [default: videostream]
    #[arg(long, env = "VIDEOSTREAM_NATS_PREFIX", value_name = "NAME", help_heading = NODES)]
    pub nats_prefix: Option<String>,

    /// Domain of the NATS servers' JetStream, if it has one [default: none]
    #[arg(long, env = "VIDEOSTREAM_NATS_DOMAIN", value_name = "NAME", help_heading = NODES)]
    pub nats_domain: Option<String>,

    /// File with what NATS asks for: a token, or USER:PASSWORD, in one line; a .creds file or an nkey
    /// seed in a build with nkeys [default: none]
    #[arg(long, env = "VIDEOSTREAM_NATS_CREDENTIALS", value_name = "FILE", help_heading = NODES)]
    pub nats_credentials: Option<PathBuf>,

    /// Certificate of the authority that signed NATS's certificate (PEM) [default: the system's]
    #[arg(long, env = "VIDEOSTREAM_NATS_CA", value_name = "FILE", help_heading = NODES)]
    pub nats_ca: Option<PathBuf>,

    /// Name of this node in reports, metrics and logs [default: the host's name and four letters]
    #[arg(long, env = "VIDEOSTREAM_NODE", value_name = "NAME", help_heading = NODES)]
    pub node: Option<String>,

    /// Share the --listen ports with other processes on this host: the kernel spreads connections over
    /// them [default: false]
    #[arg(long, env = "VIDEOSTREAM_REUSE_PORT", value_name = "BOOL", help_heading = NODES)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub reuse_port: Option<bool>,

    /// Format of the log on standard error [default: text]
    #[arg(long, env = "VIDEOSTREAM_LOG", value_name = "FORMAT", help_heading = LOG)]
    pub log: Option<LogFormat>,

    /// Lowest level to log [default: info]
    #[arg(long, env = "VIDEOSTREAM_LOG_LEVEL", value_name = "LEVEL", help_heading = LOG)]
    pub log_level: Option<LogLevel>,

    /// Whether a service manager chose the addresses of `listen`.
    #[arg(skip)]
    #[serde(skip)]
    pub is_activated: bool,

    /// The random key of the process that this one takes over from.
    #[arg(skip)]
    #[serde(skip)]
    pub handed_publish_key: Option<Secret>,

    /// And the certificate that it made.
    #[arg(skip)]
    #[serde(skip)]
    pub handed_certificate: Option<SelfSigned>,

    /// Tables of the file only.
    #[arg(skip)]
    #[serde(default, deserialize_with = "streams")]
    pub streams: BTreeMap<StreamName, StreamOptions>,
}

impl Options {
    /// What `self` says, and where it says nothing, what `other` says.
    pub(super) fn or(self, other: Options) -> Options {
        Options {
            config: self.config.or(other.config),
            listen: self.listen.or(other.listen),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_self_signed: self.tls_self_signed.or(other.tls_self_signed),
            http_redirect: self.http_redirect.or(other.http_redirect),
            publish_key: self.publish_key.or(other.publish_key),
            publish_key_file: self.publish_key_file.or(other.publish_key_file),
            publish_open: self.publish_open.or(other.publish_open),
            watch_key: self.watch_key.or(other.watch_key),
            watch_key_file: self.watch_key_file.or(other.watch_key_file),
            watch_open: self.watch_open.or(other.watch_open),
            token_secret: self.token_secret.or(other.token_secret),
            token_secret_file: self.token_secret_file.or(other.token_secret_file),
            auth_url: self.auth_url.or(other.auth_url),
            auth_timeout: self.auth_timeout.or(other.auth_timeout),
            auth_cache: self.auth_cache.or(other.auth_cache),
            allow_origin: self.allow_origin.or(other.allow_origin),
            trusted_proxy: self.trusted_proxy.or(other.trusted_proxy),
            proxy_protocol: self.proxy_protocol.or(other.proxy_protocol),
            base_path: self.base_path.or(other.base_path),
            allow_host: self.allow_host.or(other.allow_host),
            max_connections: self.max_connections.or(other.max_connections),
            max_connections_per_address: self
                .max_connections_per_address
                .or(other.max_connections_per_address),
            max_streams: self.max_streams.or(other.max_streams),
            max_memory: self.max_memory.or(other.max_memory),
            max_publish_rate: self.max_publish_rate.or(other.max_publish_rate),
            ring_bytes: self.ring_bytes.or(other.ring_bytes),
            ring_duration: self.ring_duration.or(other.ring_duration),
            max_delay: self.max_delay.or(other.max_delay),
            max_lag: self.max_lag.or(other.max_lag),
            viewer_buffer: self.viewer_buffer.or(other.viewer_buffer),
            init_bytes: self.init_bytes.or(other.init_bytes),
            block_bytes: self.block_bytes.or(other.block_bytes),
            publisher_message_bytes: self
                .publisher_message_bytes
                .or(other.publisher_message_bytes),
            viewer_message_bytes: self.viewer_message_bytes.or(other.viewer_message_bytes),
            head_bytes: self.head_bytes.or(other.head_bytes),
            poster_bytes: self.poster_bytes.or(other.poster_bytes),
            head_timeout: self.head_timeout.or(other.head_timeout),
            publisher_timeout: self.publisher_timeout.or(other.publisher_timeout),
            viewer_timeout: self.viewer_timeout.or(other.viewer_timeout),
            ping_interval: self.ping_interval.or(other.ping_interval),
            ping_timeout: self.ping_timeout.or(other.ping_timeout),
            drain_timeout: self.drain_timeout.or(other.drain_timeout),
            compat_node_videostream: self
                .compat_node_videostream
                .or(other.compat_node_videostream),
            compat_stream: self.compat_stream.or(other.compat_stream),
            compat_bytes: self.compat_bytes.or(other.compat_bytes),
            is_activated: self.is_activated || other.is_activated,
            record: self.record.or(other.record),
            record_on_request: self.record_on_request.or(other.record_on_request),
            record_grace: self.record_grace.or(other.record_grace),
            record_sync: self.record_sync.or(other.record_sync),
            record_queue: self.record_queue.or(other.record_queue),
            record_max_age: self.record_max_age.or(other.record_max_age),
            record_max_bytes: self.record_max_bytes.or(other.record_max_bytes),
            record_min_free: self.record_min_free.or(other.record_min_free),
            event_url: self.event_url.or(other.event_url),
            event_secret: self.event_secret.or(other.event_secret),
            event_secret_file: self.event_secret_file.or(other.event_secret_file),
            nats: self.nats.or(other.nats),
            nats_prefix: self.nats_prefix.or(other.nats_prefix),
            nats_domain: self.nats_domain.or(other.nats_domain),
            nats_credentials: self.nats_credentials.or(other.nats_credentials),
            nats_ca: self.nats_ca.or(other.nats_ca),
            node: self.node.or(other.node),
            reuse_port: self.reuse_port.or(other.reuse_port),
            log: self.log.or(other.log),
            log_level: self.log_level.or(other.log_level),
            handed_publish_key: self.handed_publish_key.or(other.handed_publish_key),
            handed_certificate: self.handed_certificate.or(other.handed_certificate),
            streams: if self.streams.is_empty() {
                other.streams
            } else {
                self.streams
            },
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080")
}
