//! The certificate that the server shows, and the rest of what TLS needs to be set to.
//!
//! It comes from two PEM files, which can be read again while the server runs, or is made here for
//! the names and addresses that this machine goes by.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{ConfigError, Options, option_error, reachable, value_error};
use crate::secret::Secret;

const CERT: &str = "--tls-cert";
const KEY: &str = "--tls-key";
const SELF_SIGNED: &str = "--tls-self-signed";

const CONTRADICTION: &str = "contradicts --tls-self-signed: give one of them";

/// How long a certificate made here is valid: what browsers take at most (CA/Browser Forum's
/// Baseline Requirements, 6.3.2, of 2020). It is made anew at each start, but by a process that
/// takes over from another: browsers would not go on with one that no person has accepted.
const VALIDITY: Duration = Duration::from_secs(398 * 24 * 3600);

/// A process that takes over makes a new one when the old one has less time left.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Before now, for clients whose clock is slow.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 3600);

/// How the server speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    pub config: Arc<ServerConfig>,
    certificate: Certificate,
}

#[derive(Debug, Clone)]
enum Certificate {
    /// PEM files.
    Files { cert: PathBuf, key: PathBuf },
    /// Made at start; clients know it by this fingerprint.
    SelfSigned {
        made: SelfSigned,
        fingerprint: String,
    },
}

/// A certificate that was made here, and its key (PEM).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SelfSigned {
    /// Until when it is valid, in seconds since 1970.
    until: u64,
    certificate: String,
    #[serde(serialize_with = "exposed")]
    key: Secret,
}

/// For the process that takes over, and no other.
fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

impl Tls {
    /// `None` without TLS.
    pub(super) fn check(
        options: &Options,
        listen: &[SocketAddr],
    ) -> Result<Option<Tls>, ConfigError> {
        let is_self_signed = options.tls_self_signed.unwrap_or(false);
        match (&options.tls_cert, &options.tls_key) {
            (Some(cert), _) if is_self_signed => {
                Err(value_error(CERT, cert.display(), CONTRADICTION))
            }
            (None, Some(key)) if is_self_signed => {
                Err(value_error(KEY, key.display(), CONTRADICTION))
            }
            (Some(cert), None) => Err(value_error(CERT, cert.display(), "needs --tls-key, too")),
            (None, Some(key)) => Err(value_error(KEY, key.display(), "needs --tls-cert, too")),
            (None, None) if is_self_signed => {
                let now = SystemTime::now();
                let made = match &options.handed_certificate {
                    Some(made) if made.is_good_for(RENEWAL, now) => made.clone(),
                    _ => SelfSigned::make(listen, now)?,
                };
                Tls::self_signed(made).map(Some)
            }
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Self::read(cert, key).map(Some),
        }
    }

    /// Reads the files again. One that was made at start stays: clients know its fingerprint.
    pub fn reread(&self) -> Result<Tls, ConfigError> {
        match &self.certificate {
            Certificate::SelfSigned { .. } => Ok(self.clone()),
            Certificate::Files { cert, key } => Self::read(cert, key),
        }
    }

    /// Of a certificate that was made at start: SHA-256, in hex, with colons.
    pub fn fingerprint(&self) -> Option<&str> {
        match &self.certificate {
            Certificate::Files { .. } => None,
            Certificate::SelfSigned { fingerprint, .. } => Some(fingerprint),
        }
    }

    /// A certificate that was made at start.
    pub fn made(&self) -> Option<&SelfSigned> {
        match &self.certificate {
            Certificate::Files { .. } => None,
            Certificate::SelfSigned { made, .. } => Some(made),
        }
    }

    fn self_signed(made: SelfSigned) -> Result<Tls, ConfigError> {
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(made.key.expose().as_bytes());
        let (certificate, key) = certificate
            .and_then(|certificate| Ok((certificate, key?)))
            .map_err(|error| option_error(SELF_SIGNED, error))?;
        let fingerprint = fingerprint(&certificate);
        let config = server_config(vec![certificate], key, has_aes())
            .map_err(|error| option_error(SELF_SIGNED, error))?;
        Ok(Tls {
            config: Arc::new(config),
            certificate: Certificate::SelfSigned { made, fingerprint },
        })
    }

    fn read(cert: &Path, key: &Path) -> Result<Tls, ConfigError> {
        let chain =
            read_chain(cert).map_err(|error| pem_error(CERT, cert, "certificate", error))?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| pem_error(KEY, key, "private key", error))?;
        let config = server_config(chain, secret, has_aes()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let reason = format!("does not belong to --tls-cert {}", cert.display());
                value_error(KEY, key.display(), reason)
            }
            rustls::Error::InvalidCertificate(error) => {
                let reason = format!("no certificate that can be used: {error}");
                value_error(CERT, cert.display(), reason)
            }
            error => value_error(KEY, key.display(), error.to_string()),
        })?;
        Ok(Tls {
            config: Arc::new(config),
            certificate: Certificate::Files {
                cert: cert.to_owned(),
                key: key.to_owned(),
            },
        })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if chain.is_empty() {
        Err(pem::Error::NoItemsFound)
    } else {
        Ok(chain)
    }
}

fn pem_error(option: &'static str, path: &Path, what: &str, error: pem::Error) -> ConfigError {
    let reason = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it (PEM is expected)"),
        error => format!("not PEM: {error}"),
    };
    value_error(option, path.display(), reason)
}

impl SelfSigned {
    /// A certificate for all that this machine is called.
    fn make(listen: &[SocketAddr], now: SystemTime) -> Result<SelfSigned, ConfigError> {
        let failed = |error| option_error(SELF_SIGNED, error);
        let key = rcgen::KeyPair::generate().map_err(failed)?;
        let mut params = rcgen::CertificateParams::new(names(listen)).map_err(failed)?;
        let until = now - CLOCK_SKEW + VALIDITY;
        params.not_before = (now - CLOCK_SKEW).into();
        params.not_after = until.into();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "videostream");
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(SelfSigned {
            until: seconds(until),
            certificate: certificate.pem(),
            key: Secret::new(key.serialize_pem()),
        })
    }

    fn is_good_for(&self, time: Duration, now: SystemTime) -> bool {
        seconds(now + time) < self.until
    }
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// `localhost`, the host's name as it is and as multicast DNS knows it (RFC 6762), and every
/// address that it can be reached at.
fn names(listen: &[SocketAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().to_lowercase();
    if !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    {
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
        names.push(host);
    }
    let mut addresses: Vec<IpAddr> = listen
        .iter()
        .flat_map(|address| reachable(address.ip()))
        .collect();
    addresses.extend([
        IpAddr::from([127, 0, 0, 1]),
        std::net::Ipv6Addr::LOCALHOST.into(),
    ]);
    names.extend(addresses.iter().map(IpAddr::to_string));
    names.sort();
    names.dedup();
    names
}

fn fingerprint(certificate: &CertificateDer) -> String {
    let hash = Sha256::digest(certificate);
    let bytes: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    has_aes: bool,
) -> Result<ServerConfig, rustls::Error> {
    let mut provider = ring::default_provider();
    // Stable, so that the newer version's cipher stays before the older one's.
    provider.cipher_suites.sort_by_key(|suite| {
        let name = format!("{:?}", suite.suite());
        name.contains("CHACHA20") == has_aes
    });
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Where AES is not the processor's own business (a Raspberry Pi 4, say) it takes several times
    // as long as the other cipher, so there our order counts. Elsewhere the client knows better.
    config.ignore_client_order = !has_aes;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A client that comes again saves a signature; the server keeps nothing for it (RFC 5077).
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

/// Whether this processor has instructions for AES.
fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn refused(cert: Option<&Path>, key: Option<&Path>, self_signed: bool) -> String {
        let options = Options {
            tls_cert: cert.map(Path::to_owned),
            tls_key: key.map(Path::to_owned),
            tls_self_signed: Some(self_signed),
            ..Options::default()
        };
        Tls::check(&options, &[]).unwrap_err().to_string()
    }

    #[test]
    fn unusable_certificate_is_refused_with_its_option_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let cert = written(folder.path(), "cert.pem", &one.cert.pem());
        let key = written(folder.path(), "key.pem", &one.signing_key.serialize_pem());
        let other = written(folder.path(), "other.pem", &other.serialize_pem());
        let junk = written(folder.path(), "junk.pem", "hello\n");
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let bad = written(folder.path(), "bad.pem", bad);
        let missing = folder.path().join("missing.pem");
        for (cert, key, option, file, reason) in [
            (
                &missing,
                &key,
                CERT,
                &missing,
                "No such file or directory (os error 2)",
            ),
            (
                &cert,
                &missing,
                KEY,
                &missing,
                "No such file or directory (os error 2)",
            ),
            (
                &junk,
                &key,
                CERT,
                &junk,
                "there is no certificate in it (PEM is expected)",
            ),
            (
                &cert,
                &junk,
                KEY,
                &junk,
                "there is no private key in it (PEM is expected)",
            ),
            (
                &cert,
                &cert,
                KEY,
                &cert,
                "there is no private key in it (PEM is expected)",
            ),
            (&bad, &key, CERT, &bad, "no certificate that can be used"),
            (&cert, &other, KEY, &other, "does not belong to --tls-cert"),
        ] {
            let line = refused(Some(cert), Some(key), false);
            let expected = format!("{option} {}: {reason}", file.display());
            assert!(line.starts_with(&expected), "{line}, expected {expected}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }

    #[test]
    fn half_a_pair_and_two_ways_at_once_are_refused() {
        let file = Path::new("a.pem");
        assert_eq!(
            refused(Some(file), None, false),
            "--tls-cert a.pem: needs --tls-key, too"
        );
        assert_eq!(
            refused(None, Some(file), false),
            "--tls-key a.pem: needs --tls-cert, too"
        );
        let both = "contradicts --tls-self-signed: give one of them";
        assert_eq!(
            refused(Some(file), Some(file), true),
            format!("--tls-cert a.pem: {both}")
        );
        assert_eq!(
            refused(None, Some(file), true),
            format!("--tls-key a.pem: {both}")
        );
    }

    #[test]
    fn without_instructions_for_aes_the_other_cipher_is_taken() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for has_aes in [true, false] {
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            let chain = vec![made.cert.der().clone()];
            let config = server_config(chain, key.into(), has_aes).unwrap();
            assert_eq!(config.ignore_client_order, !has_aes);
            let suites = &config.crypto_provider().cipher_suites;
            let first = format!("{:?}", suites[0].suite());
            assert_eq!(first.contains("CHACHA20"), !has_aes, "{first}");
            assert!(first.starts_with("TLS13"), "{first}");
        }
    }

    #[test]
    fn a_certificate_made_here_is_for_every_name_of_this_machine() {
        let names = names(&["0.0.0.0:1".parse().unwrap(), "192.0.2.7:1".parse().unwrap()]);
        for name in ["localhost", "127.0.0.1", "::1", "192.0.2.7"] {
            assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
        }
        assert!(!names.contains(&"0.0.0.0".to_owned()));
        let options = Options {
            tls_self_signed: Some(true),
            ..Options::default()
        };
        let tls = Tls::check(&options, &[]).unwrap().unwrap();
        let fingerprint = tls.fingerprint().unwrap();
        assert_eq!(fingerprint.split(':').count(), 32, "{fingerprint}");
        // It stays when it is read again, and with the process that takes over.
        assert_eq!(tls.reread().unwrap().fingerprint(), Some(fingerprint));
        let said = serde_json::to_string(tls.made().unwrap()).unwrap();
        let handed = Options {
            handed_certificate: Some(serde_json::from_str(&said).unwrap()),
            ..options
        };
        let successor = Tls::check(&handed, &[]).unwrap().unwrap();
        assert_eq!(successor.fingerprint(), Some(fingerprint));
        let mut old: SelfSigned = serde_json::from_str(&said).unwrap();
        old.until = seconds(SystemTime::now()) + 3600;
        let handed = Options {
            handed_certificate: Some(old),
            ..handed
        };
        let successor = Tls::check(&handed, &[]).unwrap().unwrap();
        assert_ne!(successor.fingerprint(), Some(fingerprint));
        assert!(!format!("{tls:?}").contains("PRIVATE"));
    }
}
