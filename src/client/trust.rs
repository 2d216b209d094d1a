//! Which servers a client trusts to be what they claim to be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{
    self, CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};

/// The flags of a client that connects by `https://` or `wss://`.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Trust {
    /// Certificate to trust (PEM), such as one of --tls-self-signed [default: what the system
    /// trusts]
    #[arg(long, env = "VIDEOSTREAM_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Skip the check of the server's certificate: for tests [default: false]
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
    #[error("TLS: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

impl Trust {
    /// What is needed to connect; `None` where nothing is encrypted.
    pub(crate) fn config_if(
        &self,
        is_encrypted: bool,
    ) -> Result<Option<Arc<ClientConfig>>, TrustError> {
        is_encrypted.then(|| self.config()).transpose()
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(provider());
        let known = match (&self.tls_ca, self.insecure) {
            (_, true) => None,
            (Some(path), false) => Some(read(path)?),
            (None, false) => Some(rustls_native_certs::load_native_certs().certs),
        };
        let known = match known {
            None => None,
            Some(certificates) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates.iter().cloned());
                if roots.is_empty() {
                    return Err(TrustError::NoRoots);
                }
                let roots = Arc::new(roots);
                let chains =
                    WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
                Some((certificates, chains))
            }
        };
        let algorithms = provider.signature_verification_algorithms;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { known, algorithms }))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let refuse = |reason| TrustError::File {
        path: path.to_owned(),
        reason,
    };
    match certificates {
        Ok(certificates) if Vec::is_empty(&certificates) => Err(refuse(
            "there is no certificate in it (PEM is expected)".into(),
        )),
        Ok(certificates) => Ok(certificates),
        Err(pem::Error::Io(error)) => Err(refuse(error.to_string())),
        Err(error) => Err(refuse(format!("not PEM: {error}"))),
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

/// Trusts chains of certificates that end at a known one, as other clients do. It also trusts a
/// server that shows a known certificate itself, under any name: a user who was given that one
/// certificate wants to reach the server that has its key.
#[derive(Debug)]
struct Verifier {
    /// `None` trusts every server.
    known: Option<(Vec<CertificateDer<'static>>, Arc<WebPkiServerVerifier>)>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.known {
            Some((known, chains)) if !known.contains(certificate) => {
                chains.verify_server_cert(certificate, others, name, ocsp, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
