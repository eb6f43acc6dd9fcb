//! Signed calls to AWS.

use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// EBS direct APIs.
    Ebs,
    /// EC2.
    Ec2,
    /// Lightsail.
    Lightsail,
    /// Whose credentials these are.
    Sts,
}

/// Where and as whom.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// Profile of `~/.aws/config`; else what the environment says.
    pub profile: Option<String>,
    /// Region; else what profile and environment say.
    pub region: Option<String>,
    /// Endpoint of every service; else `AWS_ENDPOINT_URL_*` and the usual ones.
    pub endpoint_url: Option<String>,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which service.
    pub service: Service,
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Percent-encoded, beginning with `/`.
    pub path: String,
    /// Names and values, not encoded.
    pub query: Vec<(String, String)>,
    /// Headers beside those that signing adds.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// An answer with a status of 2xx.
#[derive(Clone, Debug)]
pub struct Response {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Bytes,
}

/// Parameters of a call to EC2, as in its form: `Filter.1.Name`.
pub type Params = Vec<(String, String)>;

/// An account's view of one region. Clones are the same client.
#[derive(Clone, Debug)]
pub struct Client {
    region: String,
}

impl Client {
    /// A client with the credentials that every AWS tool would use.
    ///
    /// # Errors
    /// There is no region, or an endpoint that must not be used.
    pub fn new(settings: &ClientSettings) -> crate::Result<Self> {
        let region = settings.region.clone().unwrap_or_default();
        Ok(Self { region })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same account in another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let region = region.to_owned();
        Self { region }
    }

    /// One signed call, not repeated. An answer that is no success is a fault, sorted by its code.
    ///
    /// # Errors
    /// What the provider said, or that it said nothing.
    pub async fn call(&self, _request: Request) -> Result<Response, Fault> {
        Err(Fault::new(FaultKind::Unavailable, "not built yet"))
    }

    /// A call to EC2, or with another version and endpoint to STS: a form, answered with XML.
    ///
    /// # Errors
    /// As [`call`](Self::call); an answer that makes no sense has an unknown outcome.
    pub async fn ec2<T: DeserializeOwned>(
        &self,
        _action: &str,
        _params: Params,
    ) -> Result<T, Fault> {
        Err(Fault::new(FaultKind::Unavailable, "not built yet"))
    }

    /// A call to Lightsail: JSON both ways.
    ///
    /// # Errors
    /// As [`ec2`](Self::ec2).
    pub async fn lightsail<T: DeserializeOwned>(
        &self,
        _operation: &str,
        _body: &serde_json::Value,
    ) -> Result<T, Fault> {
        Err(Fault::new(FaultKind::Unavailable, "not built yet"))
    }

    /// The account of the credentials in use now, asked of STS.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn account(&self) -> Result<String, Fault> {
        Err(Fault::new(FaultKind::Unavailable, "not built yet"))
    }

    /// The provider's time, from its last answer.
    #[must_use]
    pub fn time(&self) -> Option<UnixTime> {
        None
    }
}
