//! One client for a cluster: `https://CLUSTER/api`.
//!
//! A method makes one call (a list: one for each page) and repeats nothing. Redirects are not followed, plain
//! HTTP is for loopback only; both are [`http::client`](crate::http)'s rules.

use super::fault;
use super::job::{self, Begun, Ended};
use super::multipart::{self, FRAME_MAX, NO_DATA};
use super::pages::{Page, Pages};
use super::settings::{Credentials, OntapSettings};
use super::text::{in_path, in_query, tame};
use crate::clouds::Way;
use crate::engine::UnixTime;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::http::{Authorization, client_as, date, from_error, retry_after, shown};
use crate::secret::Secret;
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap};
use reqwest::{Method, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Longest answer that is no data.
const ANSWER_MAX: usize = 16 << 20;

/// Parameters of a query, in order.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

/// A cluster's interface, as one user. Clones are the same client.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    /// Ends in `/api`.
    base: Url,
    authorization: Option<Authorization>,
    /// What must not come back in a message.
    secret: Option<Secret>,
    svm: Option<String>,
    way: Way,
    name: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// An answer, whole.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// A client for the cluster that `settings` lead to. Nothing is asked yet.
    ///
    /// # Errors
    /// The endpoint is no URL that may be talked to; the certificate cannot be read; TLS cannot be
    /// prepared.
    pub fn new(settings: &OntapSettings) -> Result<Self> {
        let usage = |what: String, hint: &str| Error::Usage {
            what,
            hint: Some(hint.to_owned()),
        };
        let endpoint = settings.endpoint.trim_end_matches('/');
        let endpoint = endpoint.strip_suffix("/api").unwrap_or(endpoint);
        let mut base = Url::parse(endpoint).map_err(|error| {
            let what = format!("endpoint {endpoint}: {error}");
            usage(what, "endpoint = \"https://cluster1.example\"")
        })?;
        if base.query().is_some() || base.fragment().is_some() {
            let what = format!("endpoint {}: expected no query", shown(&base));
            return Err(usage(what, "endpoint = \"https://cluster1.example\""));
        }
        let path = format!("{}/api", base.path().trim_end_matches('/'));
        base.set_path(&path);
        let (authorization, secret, identity) = match &settings.credentials {
            Credentials::Basic { user, password } => {
                let made = Authorization::basic(user, password.expose())?;
                (Some(made), Some(password.clone()), None)
            }
            Credentials::Bearer(token) => {
                let made = Authorization::bearer(token.expose())?;
                (Some(made), Some(token.clone()), None)
            }
            Credentials::Certificate(pem) => {
                let identity = reqwest::Identity::from_pem(pem.expose().as_bytes());
                // The error of the parser is left out: it may quote its input one day.
                let identity = identity.map_err(|_| {
                    let what = "client_cert: expected a certificate and its key, as PEM".to_owned();
                    usage(
                        what,
                        "cat ontap.crt ontap.key > ontap.pem; chmod 0600 ontap.pem",
                    )
                })?;
                (None, None, Some(identity))
            }
        };
        Ok(Self {
            shared: Arc::new(Shared {
                http: client_as(&base, identity)?,
                name: shown(&base),
                base,
                authorization,
                secret,
                svm: settings.svm.clone(),
                way: settings.way(),
            }),
        })
    }

    /// The SVM that addresses need not name.
    #[must_use]
    pub fn svm(&self) -> Option<&str> {
        self.shared.svm.as_deref()
    }

    /// The way to this cluster, for the journal.
    #[must_use]
    pub fn way(&self) -> &Way {
        &self.shared.way
    }

    /// The URL of its interface.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        self.shared.secret.as_ref()
    }

    /// `path` begins with a slash and is encoded.
    fn url(&self, path: &str, query: Query<'_>) -> Result<Url, Fault> {
        let pairs = query.iter();
        let pairs = pairs.map(|(name, value)| format!("{}={}", in_query(name), in_query(value)));
        let pairs = pairs.collect::<Vec<_>>().join("&");
        let mark = if pairs.is_empty() { "" } else { "?" };
        let text = format!("{}{path}{mark}{pairs}", self.shared.base);
        self.checked(Url::parse(&text))
    }

    /// A URL that is beneath the interface still.
    fn checked<E>(&self, url: Result<Url, E>) -> Result<Url, Fault> {
        let base = &self.shared.base;
        let beneath = |url: &Url| {
            url.origin() == base.origin() && url.path().starts_with(&format!("{}/", base.path()))
        };
        url.ok()
            .filter(beneath)
            .ok_or_else(|| Fault::new(FaultKind::Refused, "it has no URL of the cluster"))
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        accept: &str,
        body: Option<&Value>,
    ) -> Result<Response, Fault> {
        let request = self.shared.http.request(method, url);
        let mut request = request
            .header(ACCEPT, accept)
            // Bytes of a LUN that were compressed on the way would be other bytes.
            .header(ACCEPT_ENCODING, "identity");
        if let Some(authorization) = &self.shared.authorization {
            request = request.header(AUTHORIZATION, authorization.header());
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        request.send().await.map_err(from_error)
    }

    /// The answer, if it is a success.
    async fn take(&self, mut response: Response, max: usize) -> Result<Answer, Fault> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(from_error)? {
            if part.len() > max.saturating_sub(body.len()) {
                let message = format!("expected an answer of at most {max} bytes, found more");
                return Err(Fault::new(FaultKind::Refused, message));
            }
            body.extend_from_slice(&part);
        }
        if !(200..300).contains(&status) {
            let mut fault = fault::fault(status, &body, self.secret());
            fault.retry_after = retry_after(&headers);
            if fault.retry_after.is_some() && status == 503 {
                fault.kind = FaultKind::Throttled;
            }
            return Err(fault);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<(T, HeaderMap), Fault> {
        let response = self.send(method, url, "application/json", body).await?;
        let answer = self.take(response, ANSWER_MAX).await?;
        let text: &[u8] = match answer.body.trim_ascii() {
            // A success of a call that changes something may say nothing.
            b"" => b"{}",
            text => text,
        };
        let read = serde_json::from_slice(text).map_err(|error| {
            let status = answer.status;
            let message = format!("the answer (HTTP {status}) is not what was expected: {error}");
            Fault::new(FaultKind::Unknown, message)
        });
        Ok((read?, answer.headers))
    }

    /// One object.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<T, Fault> {
        let url = self.url(path, query)?;
        Ok(self.json(Method::GET, url, None).await?.0)
    }

    /// One object, and the server's time.
    pub(super) async fn get_with_time<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<(T, Option<UnixTime>), Fault> {
        let url = self.url(path, query)?;
        let (read, headers) = self.json(Method::GET, url, None).await?;
        let time = headers.get(DATE).and_then(|value| value.to_str().ok());
        Ok((read, time.and_then(date)))
    }

    /// All of a list.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<Vec<T>, Fault> {
        let mut pages = Pages::default();
        let mut url = self.url(path, query)?;
        loop {
            let (page, _): (Page<T>, _) = self.json(Method::GET, url, None).await?;
            match pages.add(page)? {
                Some(next) => url = self.checked(self.shared.base.join(&next))?,
                None => return Ok(pages.records),
            }
        }
    }

    /// A job as it is now.
    pub(super) async fn job<T: DeserializeOwned>(&self, uuid: &str) -> Result<T, Fault> {
        let path = format!("/cluster/jobs/{}", in_path(uuid));
        let fields = [("fields", "state,message,code,error")];
        self.get(&path, &fields).await
    }

    /// A change, with the end of its job.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Option<&Value>,
    ) -> Result<Ended, Fault> {
        let url = self.url(path, query)?;
        let again = method == Method::DELETE;
        let (begun, _): (Begun, _) = self.json(method, url, body).await?;
        job::end(self, begun, again).await
    }

    /// Exactly `len` bytes.
    pub(super) async fn bytes(
        &self,
        path: &str,
        query: Query<'_>,
        len: usize,
    ) -> Result<Bytes, Fault> {
        let url = self.url(path, query)?;
        let response = self
            .send(Method::GET, url, "multipart/form-data", None)
            .await?;
        let answer = self.take(response, len.saturating_add(FRAME_MAX)).await?;
        let kind = answer.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default();
        let Some(boundary) = multipart::boundary(kind) else {
            let kind = tame(kind, None);
            let message = format!("expected bytes as multipart/form-data, found {kind:?}");
            return Err(Fault::new(FaultKind::Refused, message).with_code(NO_DATA));
        };
        multipart::part(&answer.body, boundary, len)
    }
}
