//! Which servers a client believes to be who they say they are.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};

/// The flags of whoever connects by `https://` or `wss://`.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Trust {
    /// Certificate to trust (PEM), such as a server's own [default: what the system trusts]
    #[arg(long, env = "VIDEOSTREAM_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Connect by https:// and wss:// to whoever answers: for tests [default: false]
    #[arg(long, env = "VIDEOSTREAM_INSECURE", conflicts_with = "tls_ca")]
    pub insecure: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("--tls-ca {}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("this system trusts no certificate at all: give one with --tls-ca")]
    NoRoots,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// What is needed to connect; `None` where nothing is encrypted.
    pub(super) fn config_if(
        &self,
        is_encrypted: bool,
    ) -> Result<Option<Arc<ClientConfig>>, TrustError> {
        is_encrypted.then(|| self.config()).transpose()
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?;
        let mut config = match self.insecure {
            true => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
                .with_no_client_auth(),
            false => builder
                .with_root_certificates(self.roots()?)
                .with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, TrustError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.tls_ca else {
            let found = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(found);
            return match roots.is_empty() {
                true => Err(TrustError::NoRoots),
                false => Ok(roots),
            };
        };
        let refuse = |reason: String| TrustError::File {
            path: path.clone(),
            reason,
        };
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let certificates: Vec<_> = certificates.map_err(|error| match error {
            pem::Error::Io(error) => refuse(error.to_string()),
            error => refuse(format!("not PEM: {error}")),
        })?;
        if certificates.is_empty() {
            return Err(refuse(
                "there is no certificate in it (PEM is expected)".into(),
            ));
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| refuse(error.to_string()))?;
        }
        Ok(roots)
    }
}

/// In the order that browsers have: AES with 128 bits is what their viewers cost the server.
fn provider() -> CryptoProvider {
    let mut provider = crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        let first = [
            CipherSuite::TLS13_AES_128_GCM_SHA256,
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS13_AES_256_GCM_SHA384,
        ];
        let place = first.iter().position(|&one| one == suite.suite());
        place.unwrap_or(first.len())
    });
    provider
}

/// Takes any certificate, if only the server has its key.
struct Anybody(Arc<CryptoProvider>);

impl fmt::Debug for Anybody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anybody")
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
