//! What goes over the wire for an object: requests out, checked answers in.
//!
//! The crate that signs requests hands them over here. An answer to a range is read whole (it is a few
//! chunks) and handed back only if it is exactly what was asked for; what the service says instead of
//! an answer becomes a [`Fault`], which is found again behind the crate's own errors.

use super::fault::from_answer;
use crate::fault::{Fault, FaultKind};
use crate::http;
use crate::http::range::{body, check};
use bytes::Bytes;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use reqwest::header::{HeaderMap, RANGE};
use reqwest::{Client, Request, Response, Url};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

/// Longest answer that is no range: tokens, and what a service says when it refuses.
const ANSWER_MAX: usize = 1 << 20;

/// Longest range: one fetch.
const RANGE_MAX: usize = 16 << 20;

/// Where machines of AWS, Azure and Google find their own credentials, over plain HTTP.
const METADATA: [&str; 4] = [
    "169.254.169.254",
    "169.254.170.2",
    "metadata.google.internal",
    "metadata",
];

/// The way to a service.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// For HTTPS; none where the service is on loopback.
    secure: Option<Client>,
    /// For loopback and metadata.
    plain: Client,
    /// The region that a bucket says it is in.
    region: Arc<OnceLock<String>>,
}

impl Gate {
    /// The way to the service at `endpoint`.
    ///
    /// # Errors
    /// TLS cannot be prepared, or the endpoint must not be used.
    pub(super) fn new(endpoint: &Url) -> crate::Result<Self> {
        let first = http::client(endpoint)?;
        let is_secure = endpoint.scheme() == "https";
        let plain = match is_secure {
            true => http::client::loopback()?,
            false => first.clone(),
        };
        Ok(Self {
            secure: is_secure.then_some(first),
            plain,
            region: Arc::default(),
        })
    }

    /// The region that the bucket says it is in, if it said so.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.get().map(String::as_str)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let refused = |message: &str| Fault::new(FaultKind::Refused, message);
        let (parts, content) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string());
        let url = url.map_err(|_| refused("the address makes no URL"))?;
        let client = self.client(&url)?;
        let range = match parts.headers.get(RANGE) {
            Some(value) => {
                let range = value.to_str().ok().and_then(range_of);
                Some(range.ok_or_else(|| refused("the range makes no sense"))?)
            }
            None => None,
        };
        let mut outgoing = Request::new(parts.method, url);
        *outgoing.headers_mut() = parts.headers;
        let content = content.as_bytes();
        *outgoing.body_mut() = content
            .filter(|bytes| !bytes.is_empty())
            .cloned()
            .map(Into::into);
        let response = client.execute(outgoing).await;
        let response = response.map_err(http::fault::from_error)?;
        match range {
            Some(range) => self.ranged(response, range).await,
            None => other(response).await,
        }
    }

    /// Plain HTTP for loopback and metadata only, whoever builds the URLs.
    fn client(&self, url: &Url) -> Result<&Client, Fault> {
        let host = url.host_str().unwrap_or_default();
        let client = match url.scheme() {
            "https" => self.secure.as_ref(),
            "http" if http::is_loopback(url) || METADATA.contains(&host) => Some(&self.plain),
            _ => None,
        };
        client.ok_or_else(|| {
            let message = format!("{} must not be talked to", http::shown(url));
            Fault::new(FaultKind::Refused, message)
        })
    }

    /// An answer to a range, read and checked.
    async fn ranged(
        &self,
        response: Response,
        range: RangeInclusive<u64>,
    ) -> Result<HttpResponse, Fault> {
        if let Some(region) = response.headers().get("x-amz-bucket-region")
            && let Ok(region) = region.to_str()
        {
            // The first word counts.
            let _ = self.region.set(region.to_owned());
        }
        let status = response.status();
        let headers = response.headers().clone();
        if !status.is_success() {
            return Err(from_answer(status, &headers, &part(response).await));
        }
        check(&response, &range)?;
        let len = range.end().saturating_sub(*range.start()).saturating_add(1);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > RANGE_MAX {
            return Err(Fault::new(FaultKind::Refused, "the range is too long"));
        }
        let bytes = body(response, len).await?;
        Ok(answer(status, headers, bytes))
    }
}

/// An answer to something else: a token. What may get better is a fault, everything else is judged by
/// whoever asked.
async fn other(mut response: Response) -> Result<HttpResponse, Fault> {
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(http::fault::from_status(status, &headers));
    }
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(http::fault::from_error)? {
        if part.len() > ANSWER_MAX.saturating_sub(bytes.len()) {
            return Err(Fault::new(FaultKind::Refused, "the answer is too long"));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(answer(status, headers, bytes.into()))
}

/// What comes of the body of an error. Its end may be missing: the status says enough.
async fn part(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        let room = ANSWER_MAX.saturating_sub(bytes.len());
        bytes.extend(part.iter().take(room));
        if part.len() > room {
            break;
        }
    }
    bytes
}

fn answer(status: reqwest::StatusCode, headers: HeaderMap, bytes: Bytes) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpResponseBody::from(bytes));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// `bytes=0-499`.
fn range_of(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some(first.parse().ok()?..=last.parse().ok()?)
}

type Answered<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Gate {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> Answered<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.send(request).await;
            // Of this kind nothing is repeated behind our back.
            answer.map_err(|fault| HttpError::new(HttpErrorKind::Unknown, fault))
        })
    }
}

impl HttpConnector for Gate {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}
