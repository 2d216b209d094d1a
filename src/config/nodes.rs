//! The service that this process is a node of.

use super::{ConfigError, Options, option_error, value_error};
use crate::secret::Secret;
use crate::service::subjects::Subjects;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CREDENTIALS: &str = "--nats-credentials";

const PREFIX_DEFAULT: &str = "videostream";

/// Letters of a node's name: it stands in JSON, labels of metrics and log lines.
const NODE_BYTES_MAX: usize = 64;

/// How the nodes of a service find one another.
#[derive(Debug, Clone)]
pub struct Nodes {
    /// Servers of one NATS cluster. Secrets: user and password may be in them.
    pub servers: Vec<Secret>,
    /// Of all subjects. Services with different ones share a NATS server.
    pub prefix: String,
    /// Of JetStream, for nodes behind a leaf server.
    pub domain: Option<String>,
    /// What this node is called.
    pub node: String,
    /// Names this process alone.
    pub instance: String,
    pub credentials: Option<Credentials>,
    /// The authority of the server's certificate, beside those of the system.
    pub authority: Option<PathBuf>,
    /// How old media may be.
    pub max_lag: Duration,
}

/// What this node logs in to the NATS server with. Read once, at start.
#[derive(Debug, Clone)]
pub enum Credentials {
    Token(Secret),
    UserPassword(Secret, Secret),
    /// A file of `nsc`, with a token and the seed of its key.
    #[cfg(feature = "nkeys")]
    Creds(Secret),
    /// The seed of a key.
    #[cfg(feature = "nkeys")]
    Seed(Secret),
}

impl Nodes {
    pub(super) fn check(options: &Options, max_lag_ms: u64) -> Result<Option<Nodes>, ConfigError> {
        let Some(servers) = &options.nats else {
            return match () {
                () if options.nats_domain.is_some() => Err(needs_nats("--nats-domain")),
                () if options.nats_credentials.is_some() => Err(needs_nats("--nats-credentials")),
                () if options.nats_ca.is_some() => Err(needs_nats("--nats-ca")),
                () if options.node.is_some() => Err(needs_nats("--node")),
                () => Ok(None),
            };
        };
        if !cfg!(feature = "nats") {
            let reason = "this build knows no NATS: build it with the cargo feature nats";
            return Err(option_error("--nats", reason));
        }
        if servers.is_empty() || !servers.iter().all(|server| is_server(server.expose())) {
            let reason = "must be nats://HOST[:PORT] or tls://HOST[:PORT], and further servers of the \
                          same cluster after commas";
            return Err(option_error("--nats", reason));
        }
        let prefix = options.nats_prefix.as_deref().unwrap_or(PREFIX_DEFAULT);
        if !Subjects::is_prefix(prefix) {
            let reason = "must have 1 to 64 letters (a to z), digits, underscores and hyphens";
            return Err(value_error("--nats-prefix", prefix, reason));
        }
        let domain = options.nats_domain.clone();
        if let Some(domain) = domain
            .as_deref()
            .filter(|domain| !Subjects::is_prefix(domain))
        {
            let reason = "must have 1 to 64 letters (a to z), digits, underscores and hyphens";
            return Err(value_error("--nats-domain", domain, reason));
        }
        let instance = instance()?;
        let node = match &options.node {
            Some(node) if is_node(node) => node.clone(),
            Some(node) => {
                let reason =
                    "must have 1 to 64 letters (a to z), digits, dots, underscores and hyphens";
                return Err(value_error("--node", node, reason));
            }
            None => node_default(&instance),
        };
        Ok(Some(Nodes {
            servers: servers.clone(),
            prefix: prefix.to_owned(),
            domain,
            node,
            instance,
            credentials: credentials(options)?,
            authority: options.nats_ca.clone(),
            max_lag: Duration::from_millis(max_lag_ms),
        }))
    }
}

fn needs_nats(option: &'static str) -> ConfigError {
    option_error(option, "needs --nats: name a server")
}

fn is_server(text: &str) -> bool {
    let rest = text
        .strip_prefix("nats://")
        .or_else(|| text.strip_prefix("tls://"));
    let is_written = |byte: u8| byte.is_ascii_graphic() && !b"/,?#".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_written))
}

fn is_node(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NODE_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Sixteen random hexadecimal digits.
fn instance() -> Result<String, ConfigError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(ConfigError::Random)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// The host's name, with a few letters that tell several processes on one host apart.
fn node_default(instance: &str) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let host = host.split('.').next().unwrap_or_default();
    let suffix = &instance[..4];
    let node = format!("{host}-{suffix}");
    if is_node(&node) {
        node
    } else {
        format!("node-{suffix}")
    }
}

/// The file holds a token, `USER:PASSWORD`, or what `nsc` has written: told apart by what is in it.
fn credentials(options: &Options) -> Result<Option<Credentials>, ConfigError> {
    let Some(path) = &options.nats_credentials else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| value_error(CREDENTIALS, path.display(), error.to_string()))?;
    let secret = |text: &str| Secret::from(text.to_owned());
    let line = text.trim();
    if line.contains("-----BEGIN NATS USER JWT-----") {
        return keys(path, &text, true).map(Some);
    }
    if line.is_empty() || line.lines().count() > 1 {
        let reason = "must hold one line, a token or USER:PASSWORD, or be a .creds file";
        return Err(value_error(CREDENTIALS, path.display(), reason));
    }
    if line.starts_with("SU") && line.len() == 58 {
        return keys(path, line, false).map(Some);
    }
    let found = match line.split_once(':') {
        Some((user, password)) => Credentials::UserPassword(secret(user), secret(password)),
        None => Credentials::Token(secret(line)),
    };
    Ok(Some(found))
}

/// A key, or with `is_file` a file of `nsc`.
#[cfg(feature = "nkeys")]
fn keys(path: &Path, text: &str, is_file: bool) -> Result<Credentials, ConfigError> {
    let secret = Secret::from(text.to_owned());
    if is_file {
        return Ok(Credentials::Creds(secret));
    }
    if nkeys::KeyPair::from_seed(text).is_err() {
        let reason = "holds an nkey seed that is not valid: copy it again";
        return Err(value_error(CREDENTIALS, path.display(), reason));
    }
    Ok(Credentials::Seed(secret))
}

#[cfg(not(feature = "nkeys"))]
fn keys(path: &Path, _: &str, _: bool) -> Result<Credentials, ConfigError> {
    let reason = "holds an nkey: use the build with the cargo feature nkeys, or a token";
    Err(value_error(CREDENTIALS, path.display(), reason))
}

#[cfg(test)]
mod tests {
    use crate::config::Serve;

    fn resolve(text: &str) -> Result<Option<super::Nodes>, String> {
        let serve = Serve::resolve(toml::from_str(text).unwrap());
        serve
            .map(|serve| serve.nodes)
            .map_err(|error| error.to_string())
    }

    #[cfg(feature = "nats")]
    #[test]
    fn nodes_need_a_server_and_have_names() {
        assert!(resolve("").unwrap().is_none());
        let nodes = resolve("nats = ['nats://u:hush@a:4222', 'tls://b']")
            .unwrap()
            .unwrap();
        assert_eq!((nodes.servers.len(), &*nodes.prefix), (2, "videostream"));
        assert!(super::is_node(&nodes.node) && nodes.instance.len() == 16);
        assert!(!format!("{nodes:?}").contains("hush"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        for (secret, expected) in [("hush\n", "Token"), ("u:hush", "UserPassword")] {
            std::fs::write(file.path(), secret).unwrap();
            let text = format!("nats = ['nats://a']\nnode = 'n.1'\nnats_credentials = '{path}'");
            let nodes = resolve(&text).unwrap().unwrap();
            let shown = format!("{:?}", nodes.credentials);
            assert!(
                shown.contains(expected) && !shown.contains("hush"),
                "{shown}"
            );
            assert_eq!(nodes.node, "n.1");
        }
    }

    #[test]
    fn option_that_is_of_no_use_is_refused() {
        for (text, start) in [
            ("nats_domain = 'v'", "--nats-domain: needs --nats"),
            ("node = 'a'", "--node: needs --nats"),
            (
                "nats_credentials = '/x'",
                "--nats-credentials: needs --nats",
            ),
            ("nats_ca = '/x'", "--nats-ca: needs --nats"),
        ] {
            let refusal = resolve(text).unwrap_err();
            assert!(refusal.starts_with(start), "{refusal}");
        }
    }

    #[cfg(feature = "nats")]
    #[test]
    fn value_that_is_wrong_is_refused() {
        for (text, start) in [
            ("nats = ['http://a']", "--nats: must be nats://HOST"),
            ("nats = []", "--nats: must be nats://HOST"),
            ("nats = ['nats://']", "--nats: must be nats://HOST"),
            (
                "nats = ['nats://a']\nnats_prefix = 'a.b'",
                "--nats-prefix a.b: must have 1 to 64 letters",
            ),
            (
                "nats = ['nats://a']\nnode = 'a b'",
                "--node a b: must have 1 to 64 letters",
            ),
            (
                "nats = ['nats://a']\nnats_credentials = '/none'",
                "--nats-credentials /none: ",
            ),
        ] {
            let refusal = resolve(text).unwrap_err();
            assert!(refusal.starts_with(start), "{refusal}");
        }
    }
}
