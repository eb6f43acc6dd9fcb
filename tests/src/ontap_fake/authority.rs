//! Certificates for TLS, of an authority that is made up.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// An authority, and a server certificate for `localhost` and `127.0.0.1` of it.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    acceptor: TlsAcceptor,
}

/// A certificate of a user.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate as PEM.
    pub pem: String,
    /// Its key as PEM.
    pub key: String,
    /// The certificate as DER: what a user is known by.
    pub der: Vec<u8>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// If no keys can be made.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = "stand-in authority";
        params
            .distinguished_name
            .push(DnType::CommonName, authority);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate");
        let (pem, der) = (authority.pem(), authority.der().clone());
        let issuer = Issuer::new(params, key);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, "cluster1");
        let key = KeyPair::generate().expect("a key");
        let server = params.signed_by(&key, &issuer).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(der).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()
                .expect("a verifier");
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![server.der().clone()], private)
            .expect("a key that fits");
        Self(Arc::new(Inner {
            pem,
            issuer,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }))
    }

    /// The authority's certificate as PEM, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// A certificate for a user of this name.
    ///
    /// # Panics
    /// If no keys can be made.
    #[must_use]
    pub fn client(&self, name: &str) -> ClientCertificate {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.0.issuer)
            .expect("a certificate");
        ClientCertificate {
            pem: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.acceptor.clone()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
