//! The instance that this program runs on, as its metadata tell.
//!
//! Only version 2 of the metadata service is spoken: a token first, which no proxy forwards. Everything
//! is bounded to seconds, since a machine elsewhere has nobody to answer.

use crate::error::{Error, Result};
use reqwest::{Client, RequestBuilder};
use std::time::{Duration, Instant};

/// Where the metadata are, unless `AWS_EC2_METADATA_SERVICE_ENDPOINT` says otherwise.
const ENDPOINT: &str = "http://169.254.169.254";
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const CALL_LIMIT: Duration = Duration::from_secs(3);
const ANSWER_MAX: usize = 4096;
const TOKEN_SECONDS: &str = "60";

/// How often everything is asked for, if what goes wrong may pass.
const TRIES: u32 = 3;
const GAP: Duration = Duration::from_millis(200);
/// After so long nothing is begun again: a container out of reach of the metadata waits for nothing.
const AGAIN_WITHIN: Duration = Duration::from_secs(4);

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// `i-…`
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its region.
    pub region: String,
}

/// The instance that this runs on.
///
/// # Errors
/// [`Error::Refused`] if this is no instance, or its metadata are out of reach.
pub async fn here() -> Result<Here> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let disabled = variable("AWS_EC2_METADATA_DISABLED");
    if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(nowhere("AWS_EC2_METADATA_DISABLED is set"));
    }
    let endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let endpoint = endpoint.unwrap_or_else(|| ENDPOINT.to_owned());
    let endpoint = endpoint.trim_end_matches('/');
    let http = client().map_err(|error| nowhere(&error.to_string()))?;
    let begun = Instant::now();
    let mut tries = 1_u32;
    loop {
        match look(&http, endpoint).await {
            Ok(here) => return Ok(here),
            Err(failure) if failure.passes && tries < TRIES && begun.elapsed() < AGAIN_WITHIN => {
                tracing::debug!("the metadata are asked again: {}", failure.why);
            }
            Err(failure) => return Err(nowhere(&failure.why)),
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(GAP).await;
    }
}

/// Why there is no answer.
struct Failure {
    why: String,
    /// Whether the next try may fare better.
    passes: bool,
}

/// Asks once for everything.
async fn look(http: &Client, endpoint: &str) -> Result<Here, Failure> {
    let request = http
        .put(format!("{endpoint}/latest/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
    let token = ask(request).await?;
    let get = async |path: &str, fits: fn(&str) -> bool| {
        let request = http
            .get(format!("{endpoint}/latest/meta-data/{path}"))
            .header("x-aws-ec2-metadata-token", &token);
        let value = ask(request).await;
        let value = value.map_err(|failure| Failure {
            why: format!("{path}: {}", failure.why),
            ..failure
        })?;
        match fits(&value) {
            true => Ok(value),
            false => Err(Failure {
                why: format!("{path}: the answer makes no sense"),
                passes: true,
            }),
        }
    };
    Ok(Here {
        id: get("instance-id", is_instance_id).await?,
        zone: get("placement/availability-zone", is_place).await?,
        region: get("placement/region", is_place).await?,
    })
}

fn client() -> reqwest::Result<Client> {
    crate::http::use_ring();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .connect_timeout(CONNECT_LIMIT)
        .timeout(CALL_LIMIT)
        .build()
}

/// The text of an answer, or why there is none.
async fn ask(request: RequestBuilder) -> Result<String, Failure> {
    let lost = |error: reqwest::Error| {
        let error = error.without_url();
        let why = match error.is_timeout() || error.is_connect() {
            true => "its metadata do not answer".to_owned(),
            false => error.to_string(),
        };
        // Nobody is there, or somebody who is slow.
        let passes = !error.is_connect();
        Failure { why, passes }
    };
    let mut answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(Failure {
            why: format!("its metadata answer with {status}"),
            // 401 is said to a token that has ended; the next try begins with a new one.
            passes: status.is_server_error() || matches!(status.as_u16(), 401 | 429),
        });
    }
    let wrong = |why: &str| Failure {
        why: why.to_owned(),
        passes: true,
    };
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER_MAX {
            return Err(wrong("the answer is too long"));
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("the answer is no text"))?;
    Ok(text.trim().to_owned())
}

fn is_instance_id(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (1..=40).contains(&digits.len()) && digits.bytes().all(hex)
}

fn is_place(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=60).contains(&text.len()) && text.bytes().all(plain)
}

fn nowhere(why: &str) -> Error {
    Error::Refused {
        what: format!(
            "a temporary volume has to be attached to an EC2 instance, and this is none: {why}"
        ),
        hint: Some(
            "--access direct reads it from anywhere; in a container on an instance, set the hop \
             limit of its metadata to 2"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_make_no_sense_are_refused() {
        assert!(is_instance_id("i-0123456789abcdef0") && is_place("us-west-2-lax-1a"));
        for text in ["", "i-", "i-XYZ", "<html>", "i-0/../1"] {
            assert!(!is_instance_id(text), "{text}");
        }
        assert!(!is_place("us east") && !is_place(""));
    }
}
