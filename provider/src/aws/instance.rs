//! The instance that this program runs on, as its metadata tell.
//!
//! Only version 2 of the metadata service is spoken: a token first, which no proxy forwards. Everything
//! is bounded to seconds, since a machine elsewhere has nobody to answer.

use crate::account::metadata::{Failure, ask, client, is_place, patiently};
use crate::error::{Error, Result};
use reqwest::Client;

/// Where the metadata are, unless `AWS_EC2_METADATA_SERVICE_ENDPOINT` says otherwise.
const ENDPOINT: &str = "http://169.254.169.254";
const TOKEN_SECONDS: &str = "60";

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
    let looked = patiently(|| look(&http, endpoint)).await;
    looked.map_err(|failure| nowhere(&failure.why))
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
        let value = ask(request).await.map_err(|failure| failure.of(path))?;
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

fn is_instance_id(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (1..=40).contains(&digits.len()) && digits.bytes().all(hex)
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
