//! Signed calls to AWS.

pub use super::credentials::Keys;
use super::credentials::{self, CredentialSource};
use super::endpoint::Endpoints;
use super::fault as faults;
use super::http_adapter::Adapter;
use super::sign::{Unsigned, sign};
pub use crate::account::ClientSettings;
pub(super) use crate::account::answer::senseless;
use crate::account::answer::{http_client, read_body};
use crate::account::clock::ProviderClock;
use crate::account::place::is_region;
use crate::account::text::form;
use crate::engine::UnixTime;
use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::http::fault::{from_error, retry_after};
use crate::remote::block_on;
use aws_credential_types::Credentials;
use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Longest answer: a page of ten thousand blocks, or of a thousand snapshots with their tags.
const ANSWER_MAX: usize = 64 << 20;

/// Longest explanation of an error that is read.
const ERROR_MAX: usize = 64 << 10;

/// For a call and its whole answer, however slowly that trickles in. Whoever asks has more time than this, and
/// asks again.
const ANSWER_LIMIT: Duration = Duration::from_secs(14);

const EC2_VERSION: &str = "2016-11-15";
const STS_VERSION: &str = "2011-06-15";

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

impl Service {
    /// Its name in addresses and signatures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ebs => "ebs",
            Self::Ec2 => "ec2",
            Self::Lightsail => "lightsail",
            Self::Sts => "sts",
        }
    }
}

/// A call.
#[derive(Clone)]
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

impl fmt::Debug for Request {
    /// Without query and body: tokens are in there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("service", &self.service)
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// An answer with a status of 2xx.
#[derive(Clone)]
pub struct Response {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Bytes,
}

impl Response {
    /// The first value of a header; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Parameters of a call to EC2, as in its form: `Filter.1.Name`.
pub type Params = Vec<(String, String)>;

/// An account's view of one region. Clones are the same client.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    region: Arc<str>,
}

/// What all regions have in common.
#[derive(Debug)]
struct Shared {
    settings: ClientSettings,
    endpoints: Endpoints,
    credentials: CredentialSource,
    clock: ProviderClock,
    /// For everything but this machine.
    secure: reqwest::Client,
    /// For endpoints on this machine.
    local: reqwest::Client,
}

impl Client {
    /// A client with the credentials that every AWS tool would use. They are asked for by the first call.
    ///
    /// Blocks for some seconds if only the machine's metadata may know the region; not from within a
    /// future.
    ///
    /// # Errors
    /// There is no region, or an endpoint that must not be used.
    pub fn new(settings: &ClientSettings) -> crate::Result<Self> {
        Self::build(settings, None)
    }

    /// A client with these credentials and no others.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_keys(settings: &ClientSettings, keys: Keys) -> crate::Result<Self> {
        Self::build(settings, Some(keys))
    }

    fn build(settings: &ClientSettings, keys: Option<Keys>) -> crate::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoints = Endpoints::new(settings, variable)?;
        let secure = http_client("https://amazonaws.com")?;
        let local = http_client("http://127.0.0.1")?;
        let metadata = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let adapter = Adapter::new(secure.clone(), metadata.as_deref())?;
        let known = settings.region.clone().filter(|region| !region.is_empty());
        let known = known
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"));
        let profile = settings
            .profile
            .clone()
            .filter(|profile| !profile.is_empty());
        let region = match known {
            Some(region) => region,
            None => {
                block_on(credentials::region(&adapter, profile.as_deref())).ok_or_else(no_region)?
            }
        };
        if !is_region(&region) {
            return Err(Error::Usage {
                what: format!("expected a region such as eu-west-1, not {region:?}"),
                hint: Some("`aws ec2 describe-regions` lists them".to_owned()),
            });
        }
        // A profile that was chosen is meant, by name or by variable: where it does not exist, nobody wants to
        // be somebody else. Keys in the environment count for more than its variable, as everywhere.
        let chosen = profile.or_else(|| {
            let keys = variable("AWS_ACCESS_KEY_ID").or_else(|| variable("AWS_SECRET_ACCESS_KEY"));
            variable("AWS_PROFILE").filter(|_| keys.is_none())
        });
        let credentials = CredentialSource::new(chosen, region.clone(), adapter);
        let credentials = match keys {
            Some(keys) => credentials.with_keys(keys),
            None => credentials,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                endpoints,
                credentials,
                clock: ProviderClock::default(),
                secure,
                local,
            }),
            region: region.into(),
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What it was made with. The region in use is [`region`](Self::region).
    #[must_use]
    pub fn settings(&self) -> &ClientSettings {
        &self.shared.settings
    }

    /// The same account in another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            region: region.into(),
        }
    }

    /// The address that somebody gave for a service, if it is not where AWS has it.
    #[must_use]
    pub fn custom_endpoint(&self, service: Service) -> Option<&str> {
        self.shared.endpoints.custom(service)
    }

    /// One signed call, not repeated. An answer that is no success is a fault, sorted by its code.
    ///
    /// # Errors
    /// What the provider said, or that it said nothing.
    pub async fn call(&self, request: Request) -> Result<Response, Fault> {
        self.call_limited(request, ANSWER_MAX).await
    }

    /// The same, for an answer of at most so many bytes.
    ///
    /// # Errors
    /// As [`call`](Self::call); an answer that is longer has an unknown outcome.
    pub(super) async fn call_limited(
        &self,
        request: Request,
        limit: usize,
    ) -> Result<Response, Fault> {
        let clock = &self.shared.clock;
        let credentials = self.shared.credentials.get(clock.now()).await?;
        let exchange = self.exchange(&request, limit, &credentials);
        match tokio::time::timeout(ANSWER_LIMIT, exchange).await {
            Ok(answer) => answer,
            Err(_) => {
                let words = format!("no whole answer within {ANSWER_LIMIT:?}");
                Err(Fault::new(FaultKind::Unknown, words))
            }
        }
    }

    /// Sends a call and reads what it is answered with.
    async fn exchange(
        &self,
        request: &Request,
        limit: usize,
        credentials: &Credentials,
    ) -> Result<Response, Fault> {
        let clock = &self.shared.clock;
        let sent = self.send(request, credentials).await?;
        let status = sent.status().as_u16();
        clock.heard(sent.headers());
        if sent.status().is_success() {
            let headers = plain_headers(sent.headers());
            let body = read_body(sent, limit).await?;
            return Ok(Response { headers, body });
        }
        let headers = sent.headers().clone();
        let error_type = headers
            .get("x-amzn-errortype")
            .and_then(|it| it.to_str().ok());
        let explained = read_body(sent, ERROR_MAX).await;
        let is_whole = explained.is_ok();
        // The status is a word already, and the code may be in the headers.
        let body = explained.unwrap_or_else(|_| Bytes::new());
        let secrets = secrets(request, credentials);
        let mut fault = faults::fault(status, error_type, &body, &secrets);
        if !is_whole && fault.kind == FaultKind::Refused {
            // What got lost may have been that it is throttled, or gone.
            fault.kind = FaultKind::Unknown;
        }
        fault.retry_after = retry_after(&headers);
        let code = fault.code.as_deref().unwrap_or_default();
        if faults::is_signature(code) && clock.correct(&headers) {
            fault.kind = FaultKind::Expired;
            fault.message = format!("the clock of this machine is wrong: {}", fault.message);
        } else if fault.kind == FaultKind::Expired {
            self.shared.credentials.forget(credentials).await;
        }
        Err(fault)
    }

    async fn send(
        &self,
        request: &Request,
        credentials: &Credentials,
    ) -> Result<reqwest::Response, Fault> {
        if !is_region(&self.region) {
            let words = format!("expected a region such as eu-west-1, not {:?}", self.region);
            return Err(Fault::new(FaultKind::Refused, words));
        }
        let service = request.service;
        let base = self.shared.endpoints.url(service, &self.region);
        let mut url = format!("{base}{}", request.path);
        if !request.query.is_empty() {
            url.push('?');
            url.push_str(&form(pairs(&request.query)));
        }
        let unsigned = Unsigned {
            method: request.method,
            url: &url,
            headers: &request.headers,
            body: &request.body,
        };
        let now = self.shared.clock.now();
        let signed = sign(
            &unsigned,
            credentials.clone(),
            &self.region,
            service.name(),
            now,
        )?;
        let broken = || Fault::new(FaultKind::Refused, "the request makes no sense");
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| broken())?;
        let url = Url::parse(&url).map_err(|_| broken())?;
        let http = match url.scheme() {
            "http" => &self.shared.local,
            _ => &self.shared.secure,
        };
        let mut builder = http.request(method, url).body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in signed {
            builder = builder.header(name, value);
        }
        builder.send().await.map_err(from_error)
    }

    /// A call to EC2: a form, answered with XML. `T` is what is within the outermost element.
    ///
    /// # Errors
    /// As [`call`](Self::call); an answer that makes no sense has an unknown outcome.
    pub async fn ec2<T: DeserializeOwned>(&self, action: &str, params: Params) -> Result<T, Fault> {
        self.form_call(Service::Ec2, EC2_VERSION, action, params)
            .await
    }

    async fn form_call<T: DeserializeOwned>(
        &self,
        service: Service,
        version: &str,
        action: &str,
        params: Params,
    ) -> Result<T, Fault> {
        let head = [("Action", action), ("Version", version)];
        // A form has a plus where a query has an encoded space.
        let body = form(head.into_iter().chain(pairs(&params))).replace("%20", "+");
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let request = Request {
            service,
            method: "POST",
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![("content-type", kind.to_owned())],
            body: body.into(),
        };
        let response = self.call(request).await?;
        let text =
            std::str::from_utf8(&response.body).map_err(|_| senseless(action, "not UTF-8"))?;
        quick_xml::de::from_str(text).map_err(|error| senseless(action, &error.to_string()))
    }

    /// A call to Lightsail: JSON both ways.
    ///
    /// # Errors
    /// As [`ec2`](Self::ec2).
    pub async fn lightsail<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: &serde_json::Value,
    ) -> Result<T, Fault> {
        let target = format!("Lightsail_20161128.{operation}");
        let request = Request {
            service: Service::Lightsail,
            method: "POST",
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", target),
            ],
            body: body.to_string().into(),
        };
        let response = self.call(request).await?;
        serde_json::from_slice(&response.body)
            .map_err(|error| senseless(operation, &error.to_string()))
    }

    /// The account of the credentials in use now, asked of STS.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn account(&self) -> Result<String, Fault> {
        const ACTION: &str = "GetCallerIdentity";
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "GetCallerIdentityResult")]
            result: Identity,
        }
        #[derive(Deserialize)]
        struct Identity {
            #[serde(rename = "Account")]
            account: String,
        }
        let call = self.form_call(Service::Sts, STS_VERSION, ACTION, Params::new());
        let answer: Answer = call.await?;
        let account = answer.result.account;
        let digits = account.chars().all(|c| c.is_ascii_digit());
        if digits && (1..=20).contains(&account.len()) {
            Ok(account)
        } else {
            Err(senseless(ACTION, "the account is no number"))
        }
    }

    /// The provider's time, from its last answer.
    #[must_use]
    pub fn time(&self) -> Option<UnixTime> {
        self.shared.clock.provider()
    }
}

fn no_region() -> Error {
    Error::Usage {
        what: "there is no region for AWS".to_owned(),
        hint: Some("name it with --region, set AWS_REGION, or run `aws configure`".to_owned()),
    }
}

fn pairs(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// What of this call must not be in any message.
fn secrets<'a>(request: &'a Request, credentials: &'a Credentials) -> Vec<&'a str> {
    let tokens = request
        .query
        .iter()
        .filter(|(name, _)| name.ends_with("Token"));
    let mut secrets: Vec<&str> = tokens.map(|(_, value)| value.as_str()).collect();
    secrets.push(credentials.secret_access_key());
    secrets.extend(credentials.session_token());
    secrets
}

/// Headers that are text.
fn plain_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    text.collect()
}
