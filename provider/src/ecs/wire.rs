//! Requests as they are sent: where to, with a date, a nonce and a signature of their own.

use super::client::{Params, Service};
use super::credentials::Keys;
use super::endpoint::Endpoints;
use super::sign::{Unsigned, authorization, canonical_query, hex_digest};
use crate::account::answer::http_client;
use crate::account::place::is_region;
use crate::engine::{Rand, SystemRand, UnixTime};
use crate::fault::{Fault, FaultKind};
use reqwest::{RequestBuilder, Url};
use std::time::SystemTime;

const FORM: &str = "application/x-www-form-urlencoded";

/// What a call is, but for whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// The service.
    pub(super) service: Service,
    /// `DescribeDisks`.
    pub(super) action: &'a str,
    /// Parameters in the query.
    pub(super) query: &'a Params,
    /// Parameters in the body.
    pub(super) form: &'a Params,
}

/// The way to the services.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    endpoints: Endpoints,
    /// For everything but this machine.
    secure: reqwest::Client,
    /// For endpoints on this machine.
    local: reqwest::Client,
}

impl Wire {
    /// A way.
    ///
    /// # Errors
    /// There is no TLS to be had.
    pub(super) fn new(endpoints: Endpoints) -> crate::Result<Self> {
        Ok(Self {
            endpoints,
            secure: http_client("https://aliyuncs.com")?,
            local: http_client("http://127.0.0.1")?,
        })
    }

    /// The client for a URL that was checked.
    pub(super) fn http(&self, url: &Url) -> &reqwest::Client {
        match url.scheme() {
            "http" => &self.local,
            _ => &self.secure,
        }
    }

    /// A request, signed if there are keys to sign it with.
    pub(super) fn request(
        &self,
        call: Call<'_>,
        region: &str,
        keys: Option<&Keys>,
        now: SystemTime,
    ) -> Result<RequestBuilder, Fault> {
        let broken = || Fault::new(FaultKind::Refused, "the request makes no sense");
        if !is_region(region) {
            let words = format!("expected a region such as eu-central-1, not {region:?}");
            return Err(Fault::new(FaultKind::Refused, words));
        }
        let base = self.endpoints.url(call.service, region);
        let mut url = Url::parse(&base).map_err(|_| broken())?;
        let path = url.path().to_owned();
        let encoded = canonical_query(call.query);
        url.set_query(Some(encoded.as_str()).filter(|query| !query.is_empty()));
        let body = canonical_query(call.form);
        let payload = hex_digest(body.as_bytes());
        let host = url.host_str().ok_or_else(broken)?;
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut headers = vec![
            ("host", host),
            ("x-acs-action", call.action.to_owned()),
            ("x-acs-version", call.service.version().to_owned()),
            ("x-acs-date", date(now).to_string()),
            ("x-acs-signature-nonce", nonce()),
            ("x-acs-content-sha256", payload.clone()),
        ];
        if let Some(Keys {
            id,
            token: Some(token),
            ..
        }) = keys
        {
            headers.push(("x-acs-accesskey-id", id.clone()));
            headers.push(("x-acs-security-token", token.expose().to_owned()));
        }
        if !body.is_empty() {
            headers.push(("content-type", FORM.to_owned()));
        }
        let headers: Vec<_> = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let unsigned = Unsigned {
            method: "POST",
            path: &path,
            query: call.query,
            headers: &headers,
            payload: &payload,
        };
        let signature = keys.map(|keys| authorization(&unsigned, &keys.id, keys.secret.expose()));
        let mut builder = self.http(&url).post(url).body(body);
        builder = builder.header("accept", "application/json");
        // The host is what the transport says it is.
        for (name, value) in headers.iter().filter(|(name, _)| name != "host") {
            builder = builder.header(name, value);
        }
        Ok(match signature {
            Some(signature) => builder.header("authorization", signature),
            None => builder,
        })
    }
}

/// A time as it is signed.
fn date(time: SystemTime) -> UnixTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    UnixTime(since.unwrap_or_default().as_secs())
}

/// A number that no other request has.
fn nonce() -> String {
    format!(
        "{:016x}{:016x}",
        SystemRand.next_u64(),
        SystemRand.next_u64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::ClientSettings;
    use std::time::Duration;

    fn wire() -> Wire {
        let settings = ClientSettings {
            endpoint_url: Some("http://127.0.0.1:8080".to_owned()),
            ..ClientSettings::default()
        };
        Wire::new(Endpoints::new(&settings, |_| None).unwrap()).unwrap()
    }

    fn request(keys: Option<&Keys>, form: &Params) -> reqwest::Request {
        let query = vec![("Tag.1.Key".to_owned(), "flr:session a*b~".to_owned())];
        let call = Call {
            service: Service::Ecs,
            action: "DescribeDisks",
            query: &query,
            form,
        };
        let now = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1_698_315_752));
        let now = now.unwrap();
        let request = wire().request(call, "cn-hangzhou", keys, now);
        request.unwrap().build().unwrap()
    }

    #[test]
    fn a_request_as_it_is_sent() {
        let keys = Keys::new("id".into(), "secret".into(), Some("token".into()));
        let sent = request(Some(&keys), &Params::new());
        assert_eq!(
            sent.url().as_str(),
            "http://127.0.0.1:8080/?Tag.1.Key=flr%3Asession%20a%2Ab~"
        );
        assert_eq!(sent.method(), "POST");
        let header = |name: &str| sent.headers().get(name).map(|it| it.to_str().unwrap());
        assert_eq!(header("x-acs-action"), Some("DescribeDisks"));
        assert_eq!(header("x-acs-version"), Some("2014-05-26"));
        assert_eq!(header("x-acs-date"), Some("2023-10-26T10:22:32Z"));
        assert_eq!(header("x-acs-security-token"), Some("token"));
        assert_eq!(header("content-type"), None);
        // printf '' | sha256sum
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(header("x-acs-content-sha256"), Some(nothing));
        let signature = header("authorization").unwrap();
        assert!(signature.starts_with(
            "ACS3-HMAC-SHA256 Credential=id,SignedHeaders=host;x-acs-accesskey-id;x-acs-action;\
             x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;\
             x-acs-version,Signature="
        ));
        let again = request(Some(&keys), &Params::new());
        for name in ["x-acs-signature-nonce", "authorization"] {
            assert_ne!(
                again.headers().get(name),
                sent.headers().get(name),
                "{name}"
            );
        }
    }

    #[test]
    fn without_keys_nothing_is_signed() {
        let form = vec![("A".to_owned(), "b c".to_owned())];
        let sent = request(None, &form);
        assert!(sent.headers().get("authorization").is_none());
        assert_eq!(
            sent.headers()
                .get("content-type")
                .unwrap()
                .to_str()
                .unwrap(),
            FORM
        );
        let body = sent.body().and_then(|body| body.as_bytes());
        assert_eq!(body, Some(b"A=b%20c".as_slice()));
    }
}
