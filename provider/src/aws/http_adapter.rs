//! The client of this program as the one that `aws-config` asks for credentials with, so that there is
//! one TLS stack, and one set of roots.

use crate::http::fault::from_error;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use reqwest::{Method, Url};
use std::error::Error as StdError;
use std::net::IpAddr;
use std::time::Duration;

/// Longest answer: credentials and tokens are small.
const ANSWER_MAX: usize = 1 << 20;

/// Where nobody says how long to wait.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of metadata and of STS and SSO. One connector serves all: how long to wait is kept with
/// each, and connections are pooled below.
#[derive(Clone, Debug)]
pub(super) struct Adapter {
    /// For https.
    secure: reqwest::Client,
    /// For the metadata of the machine, which no proxy must see.
    plain: reqwest::Client,
    /// A host that the user named for metadata.
    metadata_host: Option<String>,
    /// How long until a connection stands, and from then until the answer begins.
    timeout: Duration,
}

impl Adapter {
    /// An adapter. `metadata` is the endpoint of instance metadata, if the user named one.
    ///
    /// # Errors
    /// TLS cannot be prepared.
    pub(super) fn new(secure: reqwest::Client, metadata: Option<&str>) -> crate::Result<Self> {
        let plain = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| crate::Error::remote("prepare a client", from_error(error)))?;
        let metadata = metadata.and_then(|url| Url::parse(url).ok());
        Ok(Self {
            secure,
            plain,
            metadata_host: metadata.and_then(|url| url.host_str().map(str::to_owned)),
            timeout: CONNECT_TIMEOUT.saturating_add(READ_TIMEOUT),
        })
    }

    /// The client for a URL. Plain http reaches this machine and its metadata, nothing else.
    fn client(&self, url: &Url) -> Result<&reqwest::Client, ConnectorError> {
        match url.scheme() {
            "https" => Ok(&self.secure),
            "http" if self.may_be_plain(url) => Ok(&self.plain),
            _ => Err(ConnectorError::user("plain http to another machine".into())),
        }
    }

    fn may_be_plain(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        let near = match address {
            Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
            // fd00:ec2::/32 holds the metadata of AWS.
            Ok(IpAddr::V6(address)) => {
                address.is_loopback() || address.segments().starts_with(&[0xfd00, 0x0ec2])
            }
            Err(_) => host == "localhost",
        };
        near || self.metadata_host.as_deref() == Some(host)
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let url = Url::parse(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
        let method = Method::from_bytes(request.method().as_bytes());
        let method = method.map_err(|error| ConnectorError::user(error.into()))?;
        let body = request.body().bytes();
        let body = body.ok_or_else(|| ConnectorError::user("a body that streams".into()))?;
        let mut builder = self.client(&url)?.request(method, url).body(body.to_vec());
        for (name, value) in request.headers() {
            builder = builder.header(name, value);
        }
        let sent = tokio::time::timeout(self.timeout, builder.send()).await;
        let mut answer = match sent {
            Ok(answer) => answer.map_err(connector_error)?,
            Err(_) => return Err(ConnectorError::timeout("no answer in time".into())),
        };
        let status = StatusCode::try_from(answer.status().as_u16());
        let status = status.map_err(|error| ConnectorError::other(error.into(), None))?;
        let mut bytes = Vec::new();
        let whole = async {
            while let Some(piece) = answer.chunk().await.map_err(connector_error)? {
                if bytes.len().saturating_add(piece.len()) > ANSWER_MAX {
                    return Err(ConnectorError::other("the answer is too long".into(), None));
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(())
        };
        match tokio::time::timeout(self.timeout, whole).await {
            Ok(read) => read?,
            Err(_) => return Err(ConnectorError::timeout("the answer stalls".into())),
        }
        let mut response = HttpResponse::new(status, SdkBody::from(bytes));
        for (name, value) in answer.headers() {
            if let Ok(value) = value.to_str() {
                let name = name.as_str().to_owned();
                response.headers_mut().append(name, value.to_owned());
            }
        }
        Ok(response)
    }
}

/// How a call failed. The address is left out.
fn connector_error(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    let (timeout, user) = (error.is_timeout(), error.is_builder());
    let error: Box<dyn StdError + Send + Sync> = error.into();
    if timeout {
        ConnectorError::timeout(error)
    } else if user {
        ConnectorError::user(error)
    } else {
        ConnectorError::io(error)
    }
}

impl HttpConnector for Adapter {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

impl HttpClient for Adapter {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connect = settings.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        let read = settings.read_timeout().unwrap_or(READ_TIMEOUT);
        SharedHttpConnector::new(Self {
            timeout: connect.saturating_add(read),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_metadata() {
        let some = Url::parse("https://example.com").unwrap();
        let secure = crate::http::client(&some).unwrap();
        let adapter = Adapter::new(secure, Some("http://imds.example:81/x")).unwrap();
        for (url, fine) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.2/v2/credentials/x", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://127.0.0.1:1/", true),
            ("http://imds.example:81/latest", true),
            ("https://sts.amazonaws.com/", true),
            ("http://sts.amazonaws.com/", false),
            ("http://10.0.0.1/", false),
            ("http://[fd00:ec3::254]/latest", false),
            ("ftp://127.0.0.1/", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(adapter.client(&url).is_ok(), fine, "{url}");
        }
    }
}
