//! Certificates for `localhost`, made anew by each test.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A certificate and its key, as the files that options name.
pub struct Certificate {
    folder: TempDir,
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Certificate {
    pub fn new() -> Certificate {
        Certificate::of(make())
    }

    /// One that says to certify others, and is for another host, as `openssl req -x509` makes it of
    /// answers given in haste.
    pub fn of_an_authority() -> Certificate {
        let mut params = rcgen::CertificateParams::new(["elsewhere.example".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let signing_key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&signing_key).unwrap();
        Certificate::of(rcgen::CertifiedKey { cert, signing_key })
    }

    fn of(made: rcgen::CertifiedKey<rcgen::KeyPair>) -> Certificate {
        let certificate = Certificate {
            folder: tempfile::tempdir().unwrap(),
            made,
        };
        certificate.write();
        certificate
    }

    /// Puts another one into the same files.
    pub fn renew(&mut self) {
        self.made = make();
        self.write();
    }

    fn write(&self) {
        std::fs::write(self.cert(), self.made.cert.pem()).unwrap();
        std::fs::write(self.key(), self.made.signing_key.serialize_pem()).unwrap();
    }

    pub fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub fn options(&self) -> [String; 4] {
        let [cert, key] = [self.cert(), self.key()].map(|path| path.display().to_string());
        ["--tls-cert".into(), cert, "--tls-key".into(), key]
    }

    /// A client that trusts this one alone.
    pub fn trusted(&self) -> Arc<ClientConfig> {
        self.trusted_in(rustls::DEFAULT_VERSIONS)
    }

    pub fn trusted_in(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

fn make() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// Accepts any certificate.
pub fn anybody() -> Arc<dyn ServerCertVerifier> {
    Arc::new(Anybody)
}

#[derive(Debug)]
struct Anybody;

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
