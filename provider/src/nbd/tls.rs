//! TLS over an NBD connection.

use super::options::NbdOptions;
use super::uri::Target;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to trust, and who is expected.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates of the system.
    pub(super) fn new(target: &Target, options: &NbdOptions) -> Result<Self> {
        let name = ServerName::try_from(target.tls_name.clone()).map_err(|error| Error::Usage {
            what: format!(
                "expected a host name for TLS, found {}: {error}",
                target.tls_name
            ),
            hint: Some("name it with ?tls-hostname=NAME".to_owned()),
        })?;
        let extra = match &options.ca_file {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let failed = |error: rustls::Error| {
            let fault = Fault::new(FaultKind::Refused, error.to_string());
            Error::remote("use TLS on this machine", fault)
        };
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.map_err(failed)?))
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, name })
    }

    /// The handshake.
    ///
    /// # Errors
    /// The certificate is not the expected one, or the connection fails.
    pub(super) async fn wrap<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        target: &Target,
    ) -> Result<TlsStream<S>> {
        let connected = self.connector.connect(self.name.clone(), stream).await;
        connected.map_err(|error| failed(target, &error))
    }
}

fn failed(target: &Target, error: &io::Error) -> Error {
    let certificate = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|inner| matches!(inner, rustls::Error::InvalidCertificate(_)));
    let kind = if certificate {
        FaultKind::Refused
    } else {
        FaultKind::Unknown
    };
    let hint = "name the certificate of who signed the server's in SSL_CERT_FILE, or the server's name with ?tls-hostname=NAME";
    Error::Remote {
        doing: format!("open {target} with TLS"),
        fault: Fault::new(kind, error.to_string()),
        hint: certificate.then(|| hint.to_owned()),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = std::fs::read(path).map_err(|error| Error::from_open(path, error))?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| Error::Usage {
        what: format!("expected certificates in {}", path.display()),
        hint: Some("they begin with -----BEGIN CERTIFICATE-----".to_owned()),
    })
}
